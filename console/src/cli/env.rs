//! `env list`: lists environments. `env import`: adds one that Terraform has applied. `env check`: tries the access to
//! one.
//!
//! Invariant: `list` reads local files and connects to nothing. `import` reads the output of Terraform, writes
//! one local file, and changes nothing else.

mod check;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::process::Command;
use tokio::time::timeout;

use super::session::connect;
use super::table::{Align, Keep, Table};
use super::{CommandError, EnvCommand, Exit, GlobalArguments, Output};
use pipeline::environment::{Environment, EnvironmentSource, ImportOutcome, ListedEnvironment};
use pipeline::printable_lines;

const TERRAFORM: &str = "terraform";
/// The output that is an entry of the configuration, see `terraform/outputs.tf`.
const OUTPUT: &str = "console";
/// Fields that every environment has once it was applied to the end.
const REQUIRED: [&str; 3] = ["topic_arn", "queue_url", "dead_letter_queue_url"];
/// The output with the fields for a machine that reaches the database.
const DATABASE_OUTPUT: &str = "console_database";
/// Fields that name a program to run.
const TUNNEL: &str = "tunnel";
const API_TOKEN_COMMAND: &str = "api_token_command";
/// The state may be remote and the network slow.
const TERRAFORM_LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn run(
    command: EnvCommand,
    global: &GlobalArguments,
    output: Output,
) -> Result<Exit, CommandError> {
    let config_path = global.config.as_deref();
    match command {
        EnvCommand::List => list(global.environment.as_deref(), config_path, output),
        EnvCommand::Import {
            folder,
            name,
            replace,
            tunnel,
            profile,
            api_token_command,
        } => {
            let own = Own {
                tunnel,
                profile,
                api_token_command,
            };
            let values = read_entry(&folder, own).await?;
            let name = name.map_or_else(|| folder_name(&folder), Ok)?;
            import(&name, &values, replace, config_path, output)
        }
        EnvCommand::Check { into } => check::run(&connect(global)?, into, output).await,
    }
}

fn list(
    name: Option<&str>,
    config_path: Option<&Path>,
    output: Output,
) -> Result<Exit, CommandError> {
    let list = Environment::list(name, config_path)?;
    if output.is_json() {
        output.json(&list.environments)?;
    } else {
        output.table(&table(&list.environments))?;
    }
    if let Some(error) = list.unused {
        output.note(&printable_lines(&format!("none is used: {error}")));
    }
    Ok(Exit::Done)
}

fn table(environments: &[ListedEnvironment]) -> Table {
    let mut table = Table::new(&[
        ("NAME", Align::Left, Keep::Always),
        ("USED", Align::Left, Keep::Always),
        ("FROM", Align::Left, Keep::Cut),
        ("PRODUCTION", Align::Left, Keep::Always),
        ("READ ONLY", Align::Left, Keep::Always),
    ]);
    for listed in environments {
        table.row([
            &listed.name,
            flag(Some(listed.is_used)),
            &from(listed),
            flag(listed.is_production),
            flag(listed.read_only),
        ]);
    }
    table
}

fn flag(flag: Option<bool>) -> &'static str {
    match flag {
        Some(true) => "yes",
        Some(false) => "-",
        None => "unknown",
    }
}

/// `config file`, `running demo, pid 42` or `demo that is not ready, pid 42`.
fn from(listed: &ListedEnvironment) -> String {
    let source = match (listed.source, listed.is_ready) {
        (EnvironmentSource::ConfigFile, _) => "config file",
        (EnvironmentSource::RunningDemo, true) => "running demo",
        (EnvironmentSource::RunningDemo, false) => "demo that is not ready",
    };
    match listed.pid {
        Some(pid) => format!("{source}, pid {pid}"),
        None => source.to_owned(),
    }
}

/// What the operator adds to Terraform's outputs.
struct Own {
    tunnel: Option<String>,
    profile: Option<String>,
    api_token_command: Option<String>,
}

fn import(
    name: &str,
    values: &Map<String, Value>,
    replace: bool,
    config_path: Option<&Path>,
    output: Output,
) -> Result<Exit, CommandError> {
    let imported = Environment::import(name, values, config_path, replace)?;
    if wants_token(values) {
        output.note(&printable_lines(&format!(
            "the API of {name:?} wants a token (JWT): import it again with --replace --api-token-command COMMAND, \
             a command that prints one"
        )));
    }
    if output.is_json() {
        output.json(&imported)?;
        return Ok(Exit::Done);
    }
    let path = imported.path.display();
    output.text(&match imported.outcome {
        ImportOutcome::Added => format!("added environment {name:?} to {path}\n"),
        ImportOutcome::Replaced => format!("replaced environment {name:?} in {path}\n"),
        ImportOutcome::Unchanged => format!("environment {name:?} is already in {path}\n"),
    })?;
    output.note(&format!(
        "check it with `opsconsole --env {name} env check`"
    ));
    Ok(Exit::Done)
}

/// Terraform's API has no access without authorization: what is not signed wants a token.
fn wants_token(values: &Map<String, Value>) -> bool {
    let is_null = |key: &str| values.get(key).is_none_or(Value::is_null);
    !is_null("api_url") && is_null("api_auth") && is_null(API_TOKEN_COMMAND)
}

fn folder_name(folder: &Path) -> Result<String, CommandError> {
    let full = folder.canonicalize().map_err(|cause| CommandError::File {
        operation: format!("read {}", folder.display()),
        cause,
    })?;
    full.file_name()
        .and_then(|name| name.to_str())
        .map(str::to_owned)
        .ok_or_else(|| CommandError::Usage(format!("{} has no name; use --name", full.display())))
}

/// The outputs as Terraform prints them. Sensitive values are included, so errors never repeat them.
#[derive(Deserialize)]
struct Outputs {
    console: Option<OutputValue>,
    console_database: Option<OutputValue>,
}

#[derive(Deserialize)]
struct OutputValue {
    value: Option<Map<String, Value>>,
}

/// Terraform on the `PATH`. A relative entry, and an empty one, means the current folder, which may be a
/// checkout of somebody else: nothing is run from it.
fn terraform() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(TERRAFORM))
        .find(|program| program.is_file())
}

/// The entry, with what the operator adds, and with the database if there is a tunnel to it.
async fn read_entry(folder: &Path, own: Own) -> Result<Map<String, Value>, CommandError> {
    let outputs = read_outputs(folder).await?;
    let failed = |detail: String| {
        CommandError::Failed(format!(
            "read the outputs of {}: {detail}",
            folder.display()
        ))
    };
    let mut entry = outputs.console.and_then(|output| output.value).ok_or_else(|| {
        failed(format!(
            "there is no output {OUTPUT:?}; if this is an environment of this project, run `terraform -chdir={} apply` first",
            folder.display()
        ))
    })?;
    let is_absent = |key: &&&str| entry.get(**key).is_none_or(Value::is_null);
    if entry.contains_key("region")
        && let Some(missing) = REQUIRED.iter().find(is_absent)
    {
        return Err(failed(format!(
            "the output {OUTPUT:?} has no {missing}: the environment was applied in part; run `terraform -chdir={} \
             apply` to the end",
            folder.display()
        )));
    }
    // A state is written by others, and these are programs that are run.
    for (key, option) in [
        (TUNNEL, "--tunnel"),
        (API_TOKEN_COMMAND, "--api-token-command"),
    ] {
        if entry.contains_key(key) {
            return Err(failed(format!(
                "the output {OUTPUT:?} names a command, which is not taken from there; give it with {option}"
            )));
        }
    }
    let added = [
        ("profile", own.profile),
        (API_TOKEN_COMMAND, own.api_token_command),
    ];
    for (key, value) in added {
        entry.extend(value.map(|value| (key.to_owned(), Value::String(value))));
    }
    if let Some(tunnel) = own.tunnel {
        let database = outputs.console_database.and_then(|output| output.value);
        let database = database.ok_or_else(|| {
            failed(format!(
                "there is no output {DATABASE_OUTPUT:?} for --tunnel: apply this version first; an \
                 environment without Aurora has none"
            ))
        })?;
        entry.extend(database);
        entry.insert(TUNNEL.to_owned(), Value::String(tunnel));
    }
    Ok(entry)
}

async fn read_outputs(folder: &Path) -> Result<Outputs, CommandError> {
    let failed = |detail: String| {
        CommandError::Failed(format!(
            "read the outputs of {}: {detail}",
            folder.display()
        ))
    };
    if !folder.is_dir() {
        return Err(failed(
            "there is no such folder; name the one in which Terraform applied an environment"
                .to_owned(),
        ));
    }
    let mut chdir = std::ffi::OsString::from("-chdir=");
    chdir.push(folder);
    let not_found =
        || failed("terraform was not found in an absolute folder of PATH; install it".to_owned());
    let work = Command::new(terraform().ok_or_else(not_found)?)
        .arg(chdir)
        .args(["output", "-json", "-no-color"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let answer = timeout(TERRAFORM_LIMIT, work)
        .await
        .map_err(|_| failed(format!("not done within {} s", TERRAFORM_LIMIT.as_secs())))?
        .map_err(|cause| failed(cause.to_string()))?;
    if !answer.status.success() {
        let reason = fault(&String::from_utf8_lossy(&answer.stderr));
        return Err(failed(format!("terraform: {reason}")));
    }
    serde_json::from_slice(&answer.stdout).map_err(|_| {
        failed(format!(
            "the output {OUTPUT:?} is no entry of an environment"
        ))
    })
}

/// What Terraform says in a box of several lines, as one: from its error on, without the warnings before it.
fn fault(said: &str) -> String {
    let words: Vec<&str> = said
        .split(|sign: char| sign.is_whitespace() || matches!(sign, '│' | '╷' | '╵'))
        .filter(|word| !word.is_empty())
        .collect();
    let error = words
        .iter()
        .position(|word| matches!(*word, "Error" | "Error:"));
    words.get(error.unwrap_or(0)..).unwrap_or(&[]).join(" ")
}
