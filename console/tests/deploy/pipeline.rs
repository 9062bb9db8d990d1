//! The environment `local`, applied to the emulator with the real provider and the real functions, used
//! by the console as its operator would, and destroyed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use devstack::{Architecture, Emulator, Postgres, PostgresOptions};
use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::program::Program;
use crate::scripts::{failure, output, said, script};
use crate::terraform::{Modules, Terraform};

const EVENTS: u64 = 500;
const DATABASE: &str = "pipeline";
/// Limit of waiting for all events.
const STORED_LIMIT: Duration = Duration::from_secs(180);
/// What a second plan changes although nothing did, and why; on AWS this list would be empty.
const READ_BACK_WRONG: [(&str, &str); 1] = [(
    "aws_cloudwatch_metric_alarm",
    "the emulator reads alarms back with wrong fields",
)];

pub(crate) async fn applied() -> Result<(), Failed> {
    let Some(architecture) = Architecture::of_this_machine() else {
        return Err("functions of this machine do not run on Lambda".into());
    };
    let modules = Modules::copied()?;
    let mut terraform = modules.at("environments/local");
    let packages = release(&terraform.folder, architecture)?;
    let postgres = Postgres::start(PostgresOptions::default()).await?;
    postgres.create_database(DATABASE).await?;
    let emulator = Emulator::start_for_tests().await?;
    terraform.variables = vec![
        ("name", "deployed".to_owned()),
        ("endpoint_url", emulator.endpoint_url().to_owned()),
        ("database_url", postgres.url(DATABASE)),
    ];
    let plan = terraform.folder.join("plan");
    // Nothing else knows the packages: what was planned is applied.
    let mut planning = deploy("plan", &terraform, &plan);
    said(planning.env("FUNCTIONS", &packages))?;
    let text = std::fs::read_to_string(plan.join("plan.md"))?;
    assert!(
        text.contains("### Plan of `local`") && text.contains(" to create."),
        "{text}"
    );
    assert!(!text.contains("This loses data"), "{text}");
    assert!(
        !text.contains(&postgres.url(DATABASE)),
        "a value of the plan: {text}"
    );
    said(&mut deploy("apply", &terraform, &plan))?;

    operate(&terraform.folder).await?;

    // By hand, the same values are variables.
    let values = std::fs::read_to_string(packages.join("functions.tfvars.json"))?;
    let values: Value = serde_json::from_str(&values)?;
    terraform.variables.extend([
        ("functions_folder", packages.display().to_string()),
        ("functions_release", values["functions_release"].to_string()),
        ("architecture", architecture.to_string()),
    ]);
    // Other packages stand for the released ones there.
    let mut looking = deploy("drift", &terraform, &plan);
    let output = output(&mut looking)?;
    let text = std::fs::read_to_string(plan.join("plan.md"))?;
    let unexpected: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("- `"))
        .filter(|address| {
            READ_BACK_WRONG
                .iter()
                .all(|(known, _)| !address.contains(known))
        })
        .collect();
    assert_eq!(unexpected, [""; 0], "nobody changed these");
    // The alarms are found, so that a change would be too.
    if output.status.code() != Some(2) {
        return Err(failure(&looking, &output));
    }

    let unexpected: Vec<String> = terraform
        .changes()
        .await?
        .into_iter()
        .filter(|(_, kind)| READ_BACK_WRONG.iter().all(|(known, _)| known != kind))
        .map(|(address, _)| address)
        .collect();
    assert_eq!(unexpected, [""; 0], "a second plan changes these");

    // Whoever destroys need not have the packages.
    terraform
        .variables
        .retain(|(name, _)| !name.starts_with("functions_"));
    let destroy = ["destroy", "-no-color", "-auto-approve", "-input=false"];
    terraform.run(&destroy).await?;
    assert_eq!(terraform.run(&["state", "list"]).await?.trim(), "");
    emulator.stop().await?;
    postgres.stop().await?;
    Ok(())
}

/// A task of `.ci/deploy`.
fn deploy(task: &str, terraform: &Terraform, plan: &Path) -> Command {
    let mut command = script("deploy");
    command.arg(task).arg(&terraform.folder).arg(plan);
    for (name, value) in &terraform.variables {
        command.env(format!("TF_VAR_{name}"), value);
    }
    command
}

/// Released packages of this build, unpacked; returns their folder.
fn release(folder: &Path, architecture: Architecture) -> Result<PathBuf, Failed> {
    let files = folder.join("release");
    let release = |arguments: &[&str]| {
        let mut command = script("release");
        said(
            command
                .args(arguments)
                .arg(&files)
                .env("RELEASE_PROFILE", "dev"),
        )
    };
    release(&["functions", &architecture.to_string()])?;
    release(&["unpack"])?;
    Ok(files.join("functions"))
}

/// What an operator does after the apply.
async fn operate(folder: &Path) -> Result<(), Failed> {
    let program = Program::new();
    let folder = folder.display().to_string();
    let (code, imported) = program.json(&["env", "import", &folder]);
    assert_eq!(
        (code, &imported["outcome"]),
        (0, &json!("added")),
        "{imported}"
    );
    let here = |arguments: &[&str]| program.json(&[&["--env", "local"], arguments].concat());

    let events: String = (0..EVENTS).map(event).collect();
    let file = program.write("events.jsonl", events).display().to_string();
    let (code, published) = here(&["publish", &file]);
    assert_eq!(
        (code, &published["published"]),
        (0, &json!(EVENTS)),
        "{published}"
    );

    let counted = ["--env", "local", "api", "get", "/v1/types"];
    program.json_until(&counted, STORED_LIMIT, |answer| {
        answer["body"]["items"][0]["count"] == EVENTS
    });
    let (code, status) = here(&["status"]);
    assert_eq!(code, 0, "{status}");
    assert_eq!(status["records"]["total"], json!(EVENTS), "{status}");
    assert_eq!(status["api"]["status"], json!(200), "{status}");
    assert_eq!(status["queue"]["visible"], json!(0), "{status}");
    assert_eq!(status["dead_letters"]["visible"], json!(0), "{status}");

    // What a workflow does after an apply; it imports the environment under the name of its folder again.
    let mut smoke = script("deploy");
    smoke
        .args(["smoke", &folder, "20"])
        .env("CONSOLE", program_folder()?);
    for (name, value) in program.command(&[]).get_envs() {
        match value {
            Some(value) => smoke.env(name, value),
            None => smoke.env_remove(name),
        };
    }
    let told = said(&mut smoke)?;
    assert!(told.contains("smoke: 20 of 20 events"), "{told}");

    let configuration = std::fs::read_to_string(imported["path"].as_str().unwrap())?;
    let configuration: toml::Table = configuration.parse()?;
    let api_url = configuration["environments"]["local"]["api_url"].as_str();
    assert_eq!(status_without_signature(api_url.unwrap())?, "403");
    Ok(())
}

/// The folder of the program that is tested.
fn program_folder() -> Result<PathBuf, Failed> {
    let program = Path::new(env!("CARGO_BIN_EXE_opsconsole"));
    Ok(program.parent().ok_or("no folder")?.to_owned())
}

fn event(number: u64) -> String {
    let event: Value = json!({
        "specversion": "1.0", "id": number.to_string(), "source": "/tests/deploy",
        "type": "deployed", "time": "2026-11-24T12:00:00Z", "data": {"number": number},
    });
    format!("{event}\n")
}

/// The status of an unsigned request.
fn status_without_signature(api_url: &str) -> Result<String, Failed> {
    let rest = api_url.strip_prefix("http://").ok_or("no loopback URL")?;
    let (address, path) = rest.split_once('/').ok_or("no path")?;
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET /{path}/v1/types HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split(' ').nth(1).unwrap_or_default().to_owned())
}
