//! `env list`, `env import` with a Terraform that the test scripts, and the signature of calls to the
//! API.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::program::{Answer, Program};

/// A program whose Terraform answers with a script, and the folder that was applied.
struct Applied {
    program: Program,
    path: String,
}

impl Applied {
    fn answering(script: &str) -> Self {
        let program = Program::new();
        let terraform = program.write("bin/terraform", format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&terraform, std::fs::Permissions::from_mode(0o755)).unwrap();
        program.write("pilot/main.tf", "");
        let path = terraform.parent().unwrap().display().to_string();
        Self { program, path }
    }

    fn with(outputs: &Value) -> Self {
        Self::answering(&format!(
            "[ \"$*\" = '-chdir=pilot output -json -no-color' ] || exit 9\ncat <<'END'\n{outputs}\nEND"
        ))
    }

    fn import(&self, arguments: &[&str]) -> Answer {
        let arguments = [&["env", "import", "pilot"], arguments].concat();
        let mut command = self.program.command(&arguments);
        command.env("PATH", format!("{}:/usr/bin:/bin", self.path));
        Answer::of(command.output().unwrap())
    }
}

fn outputs(address: &str) -> Value {
    json!({
        "region": {"sensitive": false, "type": "string", "value": "us-east-1"},
        "console": {"sensitive": false, "type": ["object", {}], "value": {
            "region": "us-east-1",
            "endpoint_url": format!("http://{address}"),
            "topic_arn": "arn:aws:sns:us-east-1:000000000000:events",
            "queue_url": format!("http://{address}/000000000000/events-queue"),
            "dead_letter_queue_url": format!("http://{address}/000000000000/events-dead-letters"),
            "api_url": format!("http://{address}/stage"),
            "api_auth": "iam",
            "database_auth": null,
            "database_url": null,
            "ingest_function": "events-ingest",
            "function_timeout_secs": 60,
            "production": false,
            "read_only": true,
        }},
    })
}

#[test]
fn no_terraform_of_the_current_folder_is_run() {
    let applied = Applied::answering("touch ran");
    let home = applied.program.home();
    std::fs::copy(home.join("bin/terraform"), home.join("terraform")).unwrap();
    for path in [":/nowhere", ".:/nowhere", "bin:/nowhere", "/nowhere:"] {
        let mut command = applied.program.command(&["env", "import", "pilot"]);
        let answer = Answer::of(command.env("PATH", path).output().unwrap());
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(answer.stderr.contains("absolute folder"), "{answer:?}");
        assert!(!home.join("ran").exists(), "{path}");
    }
}

#[test]
fn imported_environment_is_used_by_its_name_and_calls_to_its_api_are_signed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let applied = Applied::with(&outputs(&address));
    let answer = applied.import(&["--output", "json"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let imported = answer.json();
    assert_eq!(imported["environment"], "pilot");
    assert_eq!(imported["outcome"], "added");
    let again = applied.import(&["--name", "pilot"]);
    assert!(again.stdout.contains("is already in"), "{again:?}");

    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = String::new();
        let mut byte = [0];
        while !head.ends_with("\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(char::from(byte[0]));
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            .unwrap();
        head
    });
    let (code, _) = applied
        .program
        .json(&["--env", "pilot", "api", "get", "/v1/records?limit=1"]);
    assert_eq!(code, 0);
    let head = serving.join().unwrap().to_lowercase();
    assert!(head.starts_with("get /stage/v1/records?limit=1 "), "{head}");
    for part in [
        "authorization: aws4-hmac-sha256 credential=test/",
        "/us-east-1/execute-api/aws4_request, signedheaders=host;x-amz-date, signature=",
        "x-amz-date: ",
    ] {
        assert!(head.contains(part), "{head}");
    }
}

#[test]
fn tunnel_is_written_with_the_database_and_never_taken_from_a_state() {
    let mut outputs = outputs("127.0.0.1:1");
    outputs["console_database"] = json!({"sensitive": false, "type": ["object", {}], "value": {
        "database_url": "postgres://operator@db.example/pipeline?sslmode=verify-full",
        "database_auth": "iam",
    }});
    let applied = Applied::with(&outputs);
    let command = "ssh -N -L {local_port}:{host}:{port} bastion";
    let imported = applied.import(&["--tunnel", command]);
    assert_eq!(imported.code, 0, "{imported:?}");
    let path = applied.program.home().join("config/opsconsole/config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let entry: toml::Table = text.parse().unwrap();
    let entry = &entry["environments"]["pilot"];
    assert_eq!(entry["tunnel"].as_str(), Some(command));
    assert_eq!(entry["database_auth"].as_str(), Some("iam"));
    let url = entry["database_url"].as_str().unwrap();
    assert!(url.starts_with("postgres://operator@db.example"), "{url}");
    let without_port = applied.import(&["--replace", "--tunnel", "ssh bastion"]);
    assert_eq!(without_port.code, 2, "{without_port:?}");
    assert!(
        without_port.stderr.contains("{local_port}"),
        "{without_port:?}"
    );

    outputs["console_database"] = json!({"sensitive": false, "type": "dynamic", "value": null});
    let none = Applied::with(&outputs).import(&["--tunnel", command]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.stderr.contains("console_database"), "{none:?}");
    outputs["console"]["value"]["tunnel"] = json!("sh -c 'touch taken' {local_port}");
    let refused = Applied::with(&outputs).import(&[]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("--tunnel"), "{refused:?}");
}

#[test]
fn api_that_wants_a_token_is_told_until_a_command_is_given() {
    let mut outputs = outputs("127.0.0.1:1");
    let signed = Applied::with(&outputs).import(&[]);
    assert!(!signed.stderr.contains("JWT"), "{signed:?}");
    outputs["console"]["value"]["api_auth"] = Value::Null;
    let applied = Applied::with(&outputs);
    for form in ["table", "json"] {
        let told = applied.import(&["--output", form]);
        assert_eq!(told.code, 0, "{told:?}");
        assert!(told.stderr.contains("--api-token-command"), "{told:?}");
    }
    let command = [
        "--replace",
        "--api-token-command",
        "idp token --for pilot",
        "--profile",
        "pilot",
    ];
    let given = applied.import(&command);
    assert_eq!(given.code, 0, "{given:?}");
    assert!(!given.stderr.contains("JWT"), "{given:?}");
    let path = applied.program.home().join("config/opsconsole/config.toml");
    let entry: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let entry = &entry["environments"]["pilot"];
    assert_eq!(
        entry["api_token_command"].as_str(),
        Some("idp token --for pilot")
    );
    assert_eq!(entry["profile"].as_str(), Some("pilot"));
    outputs["console"]["value"]["api_token_command"] = json!("touch taken");
    let refused = Applied::with(&outputs).import(&[]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("--api-token-command"),
        "{refused:?}"
    );
}

#[test]
fn entry_that_differs_is_kept_until_replaced() {
    let applied = Applied::with(&outputs("127.0.0.1:1"));
    applied.program.configure(
        "[environments.pilot]\nregion = \"eu-west-1\"\n\
         topic_arn = \"arn:aws:sns:eu-west-1:1:t\"\nqueue_url = \"https://a/q\"\n\
         dead_letter_queue_url = \"https://a/d\"\napi_url = \"https://b\"\n",
    );
    let refused = applied.import(&[]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("--replace"), "{refused:?}");
    let replaced = applied.import(&["--replace"]);
    assert_eq!(replaced.code, 0, "{replaced:?}");
    assert!(
        replaced
            .stdout
            .starts_with("replaced environment \"pilot\"")
    );
    assert!(replaced.stderr.contains("opsconsole --env pilot env check"));
}

#[test]
fn environments_are_listed_with_the_one_that_is_used_and_without_their_addresses() {
    let program = Program::new();
    let (code, none) = program.json(&["env", "list"]);
    assert_eq!((code, none), (0, json!([])));
    let entry = |name: &str, more: &str| {
        format!(
            "[environments.{name}]\nregion = \"eu-west-1\"\n\
             topic_arn = \"arn:aws:sns:eu-west-1:1:t\"\nqueue_url = \"https://a.example/q\"\n\
             dead_letter_queue_url = \"https://a.example/d\"\napi_url = \"https://a.example\"\n\
             database_url = \"postgres://reader@a.example/events?sslmode=verify-full\"\n{more}\n"
        )
    };
    program.configure(&(entry("pilot", "read_only = true") + &entry("live", "production = true")));
    let (code, list) = program.json(&["env", "list", "--env", "pilot"]);
    assert_eq!(code, 0);
    let path = list[0]["path"].as_str().unwrap();
    assert!(path.ends_with("config/opsconsole/config.toml"), "{list}");
    let row = |name: &str, is_production: bool, read_only: bool, is_used: bool| {
        json!({
            "name": name,
            "source": "config_file",
            "path": path,
            "pid": null,
            "is_ready": true,
            "is_production": is_production,
            "read_only": read_only,
            "is_used": is_used,
        })
    };
    assert_eq!(
        list,
        json!([
            row("live", true, false, false),
            row("pilot", false, true, true)
        ])
    );
    let table = program.run(&["env", "list", "--env", "pilot"]);
    assert_eq!(table.stderr, "");
    assert_eq!(
        table.stdout,
        "NAME   USED  FROM         PRODUCTION  READ ONLY\n\
         live   -     config file  yes         -\n\
         pilot  yes   config file  -           yes\n"
    );
    for (arguments, expected) in [
        (vec!["env", "list"], "none is used: several environments"),
        (
            vec!["env", "list", "--env", "x"],
            "none is used: no environment \"x\"",
        ),
    ] {
        let answer = program.run(&arguments);
        assert_eq!(answer.code, 0, "{answer:?}");
        assert!(answer.stdout.contains("pilot  -"), "{answer:?}");
        assert!(answer.stderr.contains(expected), "{answer:?}");
        assert!(!answer.stdout.contains("a.example"), "{answer:?}");
    }
}

#[test]
fn terraform_without_an_entry_is_reported_with_what_to_do() {
    let mut half = outputs("127.0.0.1:1");
    half["console"]["value"]["queue_url"] = Value::Null;
    for (applied, expected) in [
        (
            Applied::with(&json!({})),
            "run `terraform -chdir=pilot apply` first",
        ),
        (
            Applied::with(&half),
            "has no queue_url: the environment was applied in part; run `terraform -chdir=pilot apply` to the end",
        ),
        (
            Applied::answering("echo 'no state' >&2; exit 1"),
            "terraform: no state",
        ),
        (
            Applied::answering(
                "printf '╷\\n│ Warning: old\\n╵\\n╷\\n│ Error: Backend initialization required\\n│ \\n│ Reason: x\\n╵\\n' >&2; exit 1",
            ),
            "read the outputs of pilot: terraform: Error: Backend initialization required Reason: x\n",
        ),
        (
            Applied::answering("echo nonsense"),
            "is no entry of an environment",
        ),
        (
            Applied::with(&json!({"console": {"value": {"colour": "red"}}})),
            "unknown field `colour`",
        ),
    ] {
        let answer = applied.import(&[]);
        assert_ne!(answer.code, 0, "{answer:?}");
        assert!(answer.stderr.contains(expected), "{answer:?}");
        assert!(answer.stdout.is_empty(), "{answer:?}");
    }
    let program = Program::new();
    let import = || {
        let mut command = program.command(&["env", "import", "pilot"]);
        Answer::of(command.env("PATH", "/nowhere").output().unwrap())
    };
    let answer = import();
    assert!(
        answer.stderr.contains("pilot: there is no such folder"),
        "{answer:?}"
    );
    program.write("pilot/main.tf", "");
    let answer = import();
    assert_eq!(answer.code, 1);
    assert!(
        answer.stderr.contains("terraform was not found"),
        "{answer:?}"
    );
}
