//! The container image, as far as it can be tested without a container engine: its file system is made as the last
//! stage of the Dockerfile lists it, and its entry point runs on it in a namespace, as its user, read-only, on a
//! real PostgreSQL. The base image is not downloaded: the C library comes from this machine.
//!
//! Where namespaces are not allowed, that test is counted as ignored with the reason.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test stops where it fails"
)]

mod dockerfile;
mod namespace;
#[expect(dead_code, reason = "the tests of the server use the rest")]
#[path = "../server/program.rs"]
mod program;
mod root;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use api::ServerLimits;
use libtest_mimic::{Arguments, Failed, Trial};
use serde::Deserialize as _;
use serde_json::Value;
use tokio::runtime::Runtime;

use dockerfile::Dockerfile;
use program::{Program, stored};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let name = "image_runs_as_its_user_on_a_read_only_root";
    let allowed = namespace::is_allowed();
    if let Err(reason) = &allowed {
        eprintln!("SKIPPED {name}: {reason}");
    }
    let trials = vec![
        Trial::test(name, || Runtime::new()?.block_on(image_runs()))
            .with_ignored_flag(allowed.is_err()),
        Trial::test("builder_has_the_compiler_of_the_workspace", builder_matches),
        Trial::test("manifest_fits_image_and_server", manifest_fits),
        Trial::test("manifest_gives_the_least_rights", manifest_is_restricted),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn dockerfile() -> Dockerfile {
    Dockerfile::parse(include_str!("../../Dockerfile"))
}

async fn image_runs() -> Result<(), Failed> {
    let dockerfile = dockerfile();
    let folder = tempfile::tempdir()?;
    let files = root::make(&dockerfile.last().copies(), folder.path());
    assert_eq!(
        files,
        ["usr/local/bin/api", "usr/share/doc/opsconsole-api/LICENSE"]
    );
    let database = stored(3).await;
    let url = root::url_by_tcp(database.url()).await;
    let mut command = namespace::command(folder.path(), &dockerfile.last());
    command.env("DATABASE_URL", url);
    // A port that is free; the image's own is compared with the manifest.
    command.env("API_LISTEN", "127.0.0.1:0");
    command.env("API_STOP_DELAY_MS", "1");
    let mut program = Program::of(command).await;

    let status = fs::read_to_string(format!("/proc/{}/status", program.id()))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().split_whitespace().collect::<Vec<_>>()
    };
    namespace::assert_user(program.id(), &field("Uid:"), dockerfile.last().user());
    for name in ["CapPrm:", "CapEff:", "CapInh:", "CapAmb:"] {
        assert_eq!(field(name), ["0000000000000000"], "{name}");
    }
    assert_eq!(field("NoNewPrivs:"), ["1"]);
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", program.id()))?;
    // Its mount point and its options (proc_pid_mountinfo(5)).
    let is_root_read_only = mounts.lines().any(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        fields[4] == "/" && fields[5].split(',').any(|option| option == "ro")
    });
    assert!(is_root_read_only, "{mounts}");

    let mut client = program.client().await;
    assert_eq!(client.get("/ready").await.status, 200);
    let answer = client.get("/v1/records").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.text.matches("\"record_id\"").count(), 3);
    let signals = dockerfile.last();
    let signals = signals.values("STOPSIGNAL");
    program.signal(signals[0].strip_prefix("SIG").unwrap());
    assert_eq!(program.ended().await, Some(0));
    Ok(())
}

fn builder_matches() -> Result<(), Failed> {
    let dockerfile = dockerfile();
    let build = dockerfile.stage("build");
    let version = env!("CARGO_PKG_RUST_VERSION");
    let image = build.values("FROM")[0];
    assert!(image.starts_with(&format!("rust:{version}-")), "{image}");
    assert_eq!(build.variable("RUSTUP_TOOLCHAIN"), Some(version));
    let command = "cargo build --locked --profile shipping --bin api";
    assert_eq!(build.values("RUN"), [command]);
    for from in [image, dockerfile.last().values("FROM")[0]] {
        assert!(from.contains("@sha256:"), "{from} is not pinned");
    }
    Ok(())
}

/// The objects of the manifest.
fn manifest() -> Result<[Value; 2], Failed> {
    let text = include_str!("../../kubernetes.yaml");
    let objects = serde_norway::Deserializer::from_str(text).map(Value::deserialize);
    let objects: Vec<Value> = objects.collect::<Result<_, _>>()?;
    Ok(objects.try_into().map_err(|_| "not two objects")?)
}

fn manifest_fits() -> Result<(), Failed> {
    let [deployment, service] = manifest()?;
    assert_eq!(
        (&deployment["kind"], &service["kind"]),
        (&"Deployment".into(), &"Service".into())
    );
    let template = &deployment["spec"]["template"];
    let labels = &template["metadata"]["labels"];
    assert_eq!(&deployment["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(&service["spec"]["selector"], labels);
    let pod = &template["spec"];
    let container = &pod["containers"][0];
    let dockerfile = dockerfile();
    let image = dockerfile.last();
    let port = &container["ports"][0];
    assert_eq!(image.values("EXPOSE"), [port["containerPort"].to_string()]);
    let listen = image.variable("API_LISTEN").unwrap();
    assert_eq!(listen, format!("0.0.0.0:{}", port["containerPort"]));
    assert_eq!(service["spec"]["ports"][0]["targetPort"], port["name"]);
    let user = &pod["securityContext"];
    let user = format!("{}:{}", user["runAsUser"], user["runAsGroup"]);
    assert_eq!(image.user(), user);

    for (probe, path) in [
        ("startupProbe", "/health"),
        ("livenessProbe", "/health"),
        ("readinessProbe", "/ready"),
    ] {
        let request = &container[probe]["httpGet"];
        assert_eq!(
            (&request["path"], &request["port"]),
            (&path.into(), &port["name"])
        );
    }
    let limits = ServerLimits::default();
    let secs = |value: &Value| Duration::from_secs(value.as_u64().unwrap());
    let grace = secs(&pod["terminationGracePeriodSeconds"]);
    assert!(grace >= limits.stop_delay + limits.request + Duration::from_secs(5));
    // It is seen as not ready before it refuses connections.
    let readiness = &container["readinessProbe"];
    let seen = secs(&readiness["periodSeconds"]) + secs(&readiness["timeoutSeconds"]);
    assert_eq!(readiness["failureThreshold"], 1);
    assert!(seen < limits.stop_delay, "{seen:?}");
    Ok(())
}

fn manifest_is_restricted() -> Result<(), Failed> {
    let [deployment, _] = manifest()?;
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let profile = &pod["securityContext"]["seccompProfile"]["type"];
    assert_eq!(profile, "RuntimeDefault");
    let container = &pod["containers"][0];
    let context = &container["securityContext"];
    assert_eq!(context["allowPrivilegeEscalation"], false);
    assert_eq!(context["readOnlyRootFilesystem"], true);
    assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]));
    assert!(context["capabilities"]["add"].is_null());
    assert!(container["resources"]["limits"]["memory"].is_string());
    // No secret is in the manifest.
    for variable in container["env"].as_array().unwrap() {
        let is_secret = variable["name"] == "DATABASE_URL";
        assert_eq!(is_secret, variable["valueFrom"]["secretKeyRef"].is_object());
        assert_eq!(is_secret, variable["value"].is_null());
    }
    assert!(pod["volumes"].is_null());
    assert!(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("Dockerfile.dockerignore")
            .exists()
    );
    Ok(())
}
