//! Finds the PostgreSQL programs of this machine and an account that may run them.
//!
//! Invariant: `initdb` and `postgres` are always from the same folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::DevstackError;
use crate::guardian::Account;
use crate::install;
use crate::progress::ProgressSender;
use crate::search_path;

/// Accounts as which PostgreSQL runs when this process is root, the best first.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];
/// Folders with one subfolder per version: Debian's and Red Hat's.
const VERSIONED_PARENTS: [(&str, &str, &str); 2] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
];

/// The folder with the PostgreSQL programs; installed into the cache where the machine has none.
pub(crate) async fn locate(progress: &ProgressSender) -> Result<PathBuf, DevstackError> {
    match installed() {
        Some(folder) => Ok(folder),
        None => install::postgres(progress).await,
    }
}

fn installed() -> Option<PathBuf> {
    search_path::folders()
        .into_iter()
        .chain(configured())
        .chain(versioned())
        .find(|folder| is_complete(folder))
}

fn is_complete(folder: &Path) -> bool {
    ["initdb", "postgres"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

fn configured() -> Option<PathBuf> {
    let output = Command::new(search_path::find("pg_config")?)
        .arg("--bindir")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(text.trim()))
}

fn versioned() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (parent, prefix, suffix) in VERSIONED_PARENTS {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let version = name
                .to_str()
                .and_then(|name| name.strip_prefix(prefix))
                .and_then(|version| version.parse().ok());
            if let Some(version) = version {
                found.push((version, entry.path().join(suffix)));
            }
        }
    }
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// The account for the server: `None` for the own one, except as root, which PostgreSQL refuses.
pub(crate) fn account() -> Result<Option<Account>, DevstackError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd").map_err(DevstackError::io(
        "read /etc/passwd for an account that PostgreSQL can run as",
    ))?;
    ACCOUNTS
        .iter()
        .find_map(|name| account_in(&accounts, name))
        .map(Some)
        .ok_or_else(|| DevstackError::Missing {
            program: "an account for PostgreSQL",
            advice: "it refuses to run as root and there is neither \"postgres\" nor \"nobody\"; \
                     run this as another user"
                .to_owned(),
        })
}

/// Name of an account, as PostgreSQL looks it up for `peer` (name services included).
pub(crate) fn uid_name(uid: u32) -> Result<String, DevstackError> {
    let id = search_path::find("id").ok_or_else(|| DevstackError::Missing {
        program: "id",
        advice:
            "it prints the name of this user, as which PostgreSQL knows it; add its folder to PATH"
                .to_owned(),
    })?;
    let output = Command::new(id)
        .args(["-un", &uid.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(DevstackError::io("run id for the name of this user"))?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !name.is_empty() && !name.contains(['"', '\n']) {
        return Ok(name);
    }
    Err(DevstackError::Missing {
        program: "a name of this user",
        advice: format!(
            "PostgreSQL knows who connects by the name of the account, and uid {uid} has none: add \
             it to /etc/passwd or run this as another user"
        ),
    })
}

fn account_in(accounts: &str, name: &str) -> Option<Account> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_is_read_by_its_whole_name() {
        let accounts = "root:x:0:0::/root:/bin/sh\nnobodys:x:7:8::/:\nnobody:x:65534:65533:n:/:\n";
        assert_eq!(
            account_in(accounts, "nobody"),
            Some(Account {
                uid: 65_534,
                gid: 65_533
            })
        );
        assert_eq!(account_in(accounts, "postgres"), None);
    }
}
