//! Writes messages to a new file, as lines of JSON.
//!
//! Invariant: the file has each message that was added, once and whole, on the disk, or it does not
//! appear. Only [`Export::finish`] makes an [`Exported`], so what takes one has its copies.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use event::Verdict;

use super::{OperationError, Walk};
use crate::triage::Spool;
use pipeline::model::DeadLetter;

/// Messages on their way to a file. Dropped before [`Self::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Export {
    spool: Option<Spool>,
    exported: Exported,
}

/// Messages whose copies are on the disk, or of which no copy was wanted.
#[derive(Debug)]
pub struct Exported {
    file: Option<PathBuf>,
    messages: Vec<(String, Verdict)>,
}

impl Export {
    /// Begins a file; `None` where no copy is wanted.
    ///
    /// # Errors
    /// When there is such a file already, or when nothing can be written there.
    pub fn begin(file: Option<&Path>) -> Result<Self, OperationError> {
        let spool = file.map(|path| Spool::begin(path).map_err(|cause| failed(path, cause)));
        Ok(Self {
            spool: spool.transpose()?,
            exported: Exported {
                file: file.map(Path::to_owned),
                messages: Vec::new(),
            },
        })
    }

    /// Adds messages.
    ///
    /// # Errors
    /// When they cannot be written; the file then never appears.
    pub async fn add(&mut self, messages: Vec<DeadLetter>) -> Result<(), OperationError> {
        let noted = messages.iter().map(|message| {
            let message_id = message.message_id.clone();
            (message_id, message.verdict)
        });
        self.exported.messages.extend(noted);
        let Some(mut spool) = self.spool.take() else {
            return Ok(());
        };
        let writing = tokio::task::spawn_blocking(move || {
            for message in &messages {
                spool
                    .message(message)
                    .map_err(|cause| failed(spool.path(), cause))?;
            }
            Ok::<_, OperationError>(spool)
        });
        self.spool = Some(writing.await??);
        Ok(())
    }

    /// Adds the rest of a walk.
    ///
    /// # Errors
    /// See [`Walk::next`] and [`Self::add`].
    pub async fn add_all(&mut self, walk: &mut Walk) -> Result<(), OperationError> {
        while let Some(messages) = walk.next().await? {
            self.add(messages).await?;
        }
        Ok(())
    }

    /// Lets the file appear. It is on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written, or when somebody else made such a file meanwhile.
    pub async fn finish(self) -> Result<Exported, OperationError> {
        if let Some(spool) = self.spool {
            let path = spool.path().to_owned();
            let finished = tokio::task::spawn_blocking(move || spool.finish()).await?;
            finished.map_err(|cause| failed(&path, cause))?;
        }
        Ok(self.exported)
    }

    /// Whether copies are wanted.
    #[must_use]
    pub fn keeps_copies(&self) -> bool {
        self.exported.file.is_some()
    }

    /// Verdicts of the messages, in the order in which they were added.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Verdict> {
        let messages = self.exported.messages.iter();
        messages.map(|(_, verdict)| *verdict).collect()
    }
}

impl Exported {
    /// The file, where there is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The messages, in the order in which they were added.
    #[must_use]
    pub fn messages(&self) -> &[(String, Verdict)] {
        &self.messages
    }

    /// Messages in the file.
    #[must_use]
    pub fn copies(&self) -> usize {
        self.file.as_ref().map_or(0, |_| self.messages.len())
    }

    /// Messages by verdict; verdicts that do not occur are left out.
    #[must_use]
    pub fn verdicts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for (_, verdict) in &self.messages {
            *counts.entry(verdict.as_str()).or_default() += 1;
        }
        counts
    }
}

fn failed(path: &Path, cause: io::Error) -> OperationError {
    OperationError::Export {
        path: path.to_owned(),
        cause,
    }
}
