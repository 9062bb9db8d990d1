//! Bodies of dead letters: in memory, or in a file that nobody else can see.
//!
//! Invariant: a body is given as it was received, byte for byte, or not at all.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// The body of a message. A clone costs nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body(Place);

#[derive(Clone, Debug)]
enum Place {
    Memory(Arc<str>),
    File {
        spool: Arc<File>,
        offset: u64,
        bytes: usize,
        digest: [u8; 32],
    },
}

/// A body in the spool cannot be read any more.
#[derive(Debug, thiserror::Error)]
#[error("cannot read a body in the temporary file: {cause}")]
pub struct BodyError {
    #[source]
    cause: io::Error,
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self(Place::Memory(text.into()))
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self(Place::Memory(text.into()))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for Place {}

impl Place {
    fn digest(&self) -> [u8; 32] {
        match self {
            Self::Memory(text) => Sha256::digest(text.as_bytes()).into(),
            Self::File { digest, .. } => *digest,
        }
    }
}

impl Body {
    /// The text. Where it is in a file, it is most likely in the system's cache.
    ///
    /// # Errors
    /// When the file cannot be read, or gives something else than was put there.
    pub fn text(&self) -> Result<Cow<'_, str>, BodyError> {
        match &self.0 {
            Place::Memory(text) => Ok(Cow::Borrowed(text)),
            Place::File {
                spool,
                offset,
                bytes,
                digest,
            } => {
                let mut text = vec![0; *bytes];
                spool.read_exact_at(&mut text, *offset)?;
                if <[u8; 32]>::from(Sha256::digest(&text)) != *digest {
                    return Err(io::Error::other("the file holds something else").into());
                }
                let text = String::from_utf8(text).map_err(io::Error::other)?;
                Ok(Cow::Owned(text))
            }
        }
    }

    /// The text, where reading it does not mean to wait for a disk.
    #[must_use]
    pub fn at_hand(&self) -> Option<&str> {
        match &self.0 {
            Place::Memory(text) => Some(text),
            Place::File { .. } => None,
        }
    }

    /// Length in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Place::Memory(text) => text.len(),
            Place::File { bytes, .. } => *bytes,
        }
    }

    /// SHA-256, in lower-case hex. Reads nothing.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(self.0.digest())
    }

    /// What of it is in memory, in bytes.
    pub fn bytes_in_memory(&self) -> usize {
        match &self.0 {
            Place::Memory(text) => text.len(),
            Place::File { .. } => 0,
        }
    }
}

impl From<io::Error> for BodyError {
    fn from(cause: io::Error) -> Self {
        Self { cause }
    }
}

fn hex(digest: [u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file without a name, for the bodies of one collection. It is gone with the last of them.
#[derive(Debug)]
pub struct BodySpool {
    file: Arc<File>,
    end: u64,
}

impl BodySpool {
    /// Most bytes that [`Self::write`] puts into one spool.
    pub const BYTES_MAX: u64 = 1024 * 1024 * 1024;

    /// An empty one.
    ///
    /// # Errors
    /// When the temporary folder cannot be written.
    pub fn create() -> io::Result<Self> {
        Ok(Self {
            file: Arc::new(tempfile::tempfile()?),
            end: 0,
        })
    }

    /// One that takes nothing.
    #[cfg(test)]
    pub(super) fn that_fails() -> Self {
        let file = File::open("/dev/null").unwrap();
        Self {
            file: Arc::new(file),
            end: 0,
        }
    }

    /// Writes one body.
    ///
    /// # Errors
    /// When it cannot be written, or when the spool would have more than [`Self::BYTES_MAX`].
    pub fn write(&mut self, text: &str) -> io::Result<Body> {
        if self.end + text.len() as u64 > Self::BYTES_MAX {
            let gib = Self::BYTES_MAX / (1024 * 1024 * 1024);
            return Err(io::Error::other(format!(
                "the bodies have more than {gib} GiB"
            )));
        }
        let mut body = Body::from(text);
        self.put(std::iter::once(&mut body))?;
        Ok(body)
    }

    /// Moves bodies to the file in one write. When that fails, they stay in memory.
    pub(super) fn put<'a>(&mut self, bodies: impl Iterator<Item = &'a mut Body>) -> io::Result<()> {
        let mut batch = Vec::new();
        let mut places = Vec::new();
        for body in bodies {
            let Place::Memory(text) = &body.0 else {
                continue;
            };
            let place = Place::File {
                spool: Arc::clone(&self.file),
                offset: self.end + batch.len() as u64,
                bytes: text.len(),
                digest: body.0.digest(),
            };
            batch.extend_from_slice(text.as_bytes());
            places.push((body, place));
        }
        (&*self.file).write_all(&batch)?;
        self.end += batch.len() as u64;
        for (body, place) in places {
            body.0 = place;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_comes_back_from_the_file_as_it_was() {
        let texts = ["", "{\"a\":\"\u{9b}ü\"}", "x"];
        let mut bodies: Vec<Body> = texts.into_iter().map(Body::from).collect();
        let before = bodies.clone();
        let mut spool = BodySpool::create().unwrap();
        spool.put(bodies.iter_mut().take(2)).unwrap();
        spool.put(bodies.iter_mut()).unwrap();
        assert_eq!(bodies, before);
        for (body, text) in bodies.iter().zip(texts) {
            assert_eq!(body.text().unwrap(), text);
            assert_eq!(body.bytes(), text.len());
            assert_eq!(body.bytes_in_memory(), 0);
        }
        assert_eq!(
            before.first().unwrap().sha256(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn spool_that_is_full_or_cannot_be_written_takes_nothing() {
        let mut spool = BodySpool::create().unwrap();
        spool.end = BodySpool::BYTES_MAX - 3;
        assert_eq!(spool.write("abc").unwrap().bytes(), 3);
        let error = spool.write("d").unwrap_err();
        assert!(error.to_string().contains("1 GiB"), "{error}");
        assert!(BodySpool::that_fails().write("a").is_err());
    }

    #[test]
    fn body_that_was_changed_or_cut_in_the_file_is_not_given() {
        let mut bodies = [Body::from("first"), Body::from("second")];
        let mut spool = BodySpool::create().unwrap();
        spool.put(bodies.iter_mut()).unwrap();
        spool.file.write_all_at(b"F", 0).unwrap();
        let [first, second] = &bodies;
        assert!(first.text().is_err());
        assert_eq!(second.text().unwrap(), "second");
        spool.file.set_len(7).unwrap();
        assert!(second.text().is_err());
    }
}
