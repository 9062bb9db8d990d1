//! Runs a program on a file system of its own.
//!
//! Root mounts it in a new namespace and becomes the image's user. Everybody else has a user namespace, in which
//! the own account has the number of the image's user.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::dockerfile::Stage;

/// Folder, user, group, and the entry point. The folder is bound to itself, so that it can be read-only by itself.
const MOUNT: &str = r#"root=$1 user=$2 group=$3; shift 3
    mount --bind "$root" "$root" && mount -o remount,bind,ro "$root" || exit"#;
/// As another user, without a way back to more rights.
const AS_ROOT: &str = r#"exec setpriv --no-new-privs chroot --userspec="$user:$group" --groups="$group" "$root" "$@""#;
const AS_USER: &str = r#"exec setpriv --no-new-privs \
    unshare --user --map-user="$user" --map-group="$group" --root="$root" "$@""#;

fn is_root() -> bool {
    let id = std::process::Command::new("id").arg("-u").output();
    id.unwrap().stdout == b"0\n"
}

/// Why no namespace can be made here.
pub(crate) fn is_allowed() -> Result<(), String> {
    let mut command = std::process::Command::new("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let test = "mount --bind / / && setpriv --no-new-privs true";
    let output = command
        .args(["--mount", "sh", "-c", test])
        .output()
        .map_err(|error| format!("unshare: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(format!("no namespace can be made: {}", errors.trim()))
    }
}

/// The entry point of an image on its file system.
pub(crate) fn command(root: &Path, image: &Stage) -> Command {
    let (user, group) = image.user().split_once(':').unwrap();
    let mut command = Command::new("unshare");
    let change = if is_root() {
        AS_ROOT
    } else {
        command.args(["--user", "--map-root-user"]);
        AS_USER
    };
    command
        .args(["--mount", "sh", "-c", &format!("{MOUNT}\n{change}"), "sh"])
        .arg(root)
        .args([user, group])
        .args(image.entry_point())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(image.variables())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Checks the account of a process that runs so.
pub(crate) fn assert_user(process: u32, accounts: &[&str], expected: &str) {
    let (user, _) = expected.split_once(':').unwrap();
    if is_root() {
        assert_eq!(accounts, [user; 4]);
        return;
    }
    let map = std::fs::read_to_string(format!("/proc/{process}/uid_map")).unwrap();
    assert_eq!(map.split_whitespace().next(), Some(user), "{map}");
}
