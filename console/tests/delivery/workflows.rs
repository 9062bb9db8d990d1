//! The workflows, read as data: what GitHub does with them cannot be tried here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use libtest_mimic::Failed;
use serde_json::{Map, Value};

use crate::scripts::{checkout, said, script};

const WORKFLOWS: [&str; 4] = ["audit", "ci", "deploy", "release"];
/// The longest that a job may take.
const TIMEOUT_MINUTES_MAX: u64 = 90;
const SHA_DIGITS: usize = 40;

fn text(name: &str) -> Result<String, Failed> {
    let path = checkout().join(format!(".github/workflows/{name}.yml"));
    Ok(fs::read_to_string(path)?)
}

fn workflow(name: &str) -> Result<Value, Failed> {
    Ok(serde_norway::from_str(&text(name)?)?)
}

fn jobs(workflow: &Value) -> &Map<String, Value> {
    workflow["jobs"].as_object().unwrap()
}

fn steps(job: &Value) -> impl Iterator<Item = &Value> {
    job["steps"].as_array().into_iter().flatten()
}

/// The commands of a job.
fn commands(job: &Value) -> Vec<&str> {
    steps(job).filter_map(|step| step["run"].as_str()).collect()
}

/// Every job, with the names of its workflow and itself.
fn all_jobs() -> Result<Vec<(String, Value)>, Failed> {
    let mut all = Vec::new();
    for name in WORKFLOWS {
        for (job, value) in jobs(&workflow(name)?) {
            all.push((format!("{name}/{job}"), value.clone()));
        }
    }
    assert!(all.len() > 12, "the check sees only {} jobs", all.len());
    Ok(all)
}

/// The targets for which the release builds the console.
pub(crate) fn released_targets() -> Result<Vec<String>, Failed> {
    let release = workflow("release")?;
    let matrix = &release["jobs"]["console"]["strategy"]["matrix"]["include"];
    let targets: Vec<String> = matrix
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["target"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(targets.len(), 4);
    Ok(targets)
}

pub(crate) async fn steps_are_scripts() -> Result<(), Failed> {
    let folder = fs::read_dir(checkout().join(".github/workflows"))?;
    assert_eq!(folder.count(), WORKFLOWS.len(), "a workflow is not listed");
    let mut called = BTreeSet::new();
    for (name, job) in all_jobs()? {
        for command in commands(&job) {
            let first = command.split(' ').next().unwrap_or_default();
            let script = first.strip_prefix(".ci/").ok_or_else(|| {
                format!("{name}: `{command}` is not a script, so nobody else can run it")
            })?;
            assert_eq!(command.trim_end().lines().count(), 1, "{name}: {command}");
            // An expression would be put into the text of the command: a title could be one.
            assert!(!command.contains("${{"), "{name}: {command}");
            let path = checkout().join(".ci").join(script);
            let mode = fs::metadata(&path)
                .map_err(|error| format!("{name}: {}: {error}", path.display()))?
                .permissions()
                .mode();
            assert_eq!(mode & 0o111, 0o111, "{} is not executable", path.display());
            called.insert(script.to_owned());
        }
    }
    let expected = ["audit", "deploy", "release", "run", "terraform"];
    assert_eq!(called, expected.map(str::to_owned).into());
    Ok(())
}

pub(crate) async fn actions_are_pinned() -> Result<(), Failed> {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in WORKFLOWS {
        for line in text(name)?.lines() {
            let Some((_, action)) = line.split_once("uses: ") else {
                continue;
            };
            let fault = || format!("{name}: {line}: not NAME@COMMIT # vVERSION");
            let (reference, version) = action.split_once(" # v").ok_or_else(fault)?;
            let (action, commit) = reference.split_once('@').ok_or_else(fault)?;
            let is_commit =
                commit.len() == SHA_DIGITS && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_commit, "{}", fault());
            assert_eq!(version.split('.').count(), 3, "{}", fault());
            versions
                .entry(action.to_owned())
                .or_default()
                .insert(format!("{commit} {version}"));
        }
    }
    assert!(versions.len() >= 5, "the check sees only {versions:?}");
    for (action, versions) in versions {
        assert_eq!(versions.len(), 1, "{action} has several versions");
    }
    Ok(())
}

pub(crate) async fn jobs_are_limited() -> Result<(), Failed> {
    for name in WORKFLOWS {
        let workflow = workflow(name)?;
        assert_eq!(
            workflow["permissions"],
            serde_json::json!({}),
            "{name} gives rights to every job"
        );
        assert!(workflow["concurrency"]["group"].is_string(), "{name}");
    }
    for (name, job) in all_jobs()? {
        let minutes = job["timeout-minutes"].as_u64();
        assert!(
            minutes.is_some_and(|minutes| minutes <= TIMEOUT_MINUTES_MAX),
            "{name} has no limit"
        );
        let rights = job["permissions"].as_object().unwrap();
        let writes: BTreeSet<&str> = rights
            .iter()
            .filter(|(_, right)| *right != "read")
            .map(|(scope, _)| scope.as_str())
            .collect();
        let expected: &[&str] = match name.as_str() {
            "deploy/plan-pilot" => &["id-token", "pull-requests"],
            "deploy/plan-production"
            | "deploy/apply-pilot"
            | "deploy/apply-production"
            | "deploy/drift" => &["id-token"],
            "release/image" => &["packages"],
            "release/manifest" => &["attestations", "id-token", "packages"],
            "release/publish" => &["attestations", "contents", "id-token"],
            _ => &[],
        };
        assert_eq!(writes, expected.iter().copied().collect(), "{name}");
        // A token in the folder could be read by what is compiled there.
        for step in steps(&job) {
            let uses = step["uses"].as_str().unwrap_or_default();
            if uses.starts_with("actions/checkout@") {
                assert_eq!(step["with"]["persist-credentials"], false, "{name}");
            }
        }
    }
    Ok(())
}

pub(crate) async fn no_secret_is_used() -> Result<(), Failed> {
    for name in WORKFLOWS {
        let text = text(name)?;
        assert!(!text.contains("secrets."), "{name} uses a secret");
        // Code of a pull request would run with the rights of the repository.
        assert!(!text.contains("pull_request_target"), "{name}");
        assert!(!text.contains("aws-access-key-id"), "{name}");
    }
    Ok(())
}

pub(crate) async fn applies_are_behind_environments() -> Result<(), Failed> {
    let deploy = workflow("deploy")?;
    let jobs = jobs(&deploy);
    let mut applied = Vec::new();
    for (name, job) in jobs {
        let commands = commands(job);
        let applies: Vec<&&str> = commands
            .iter()
            .filter(|command| command.starts_with(".ci/deploy apply "))
            .collect();
        let role = steps(job).find_map(|step| step["with"]["role-to-assume"].as_str());
        let is_apply_role = role.is_some_and(|role| role.contains("_APPLY_ROLE_ARN"));
        assert_eq!(is_apply_role, !applies.is_empty(), "{name}");
        let Some(apply) = applies.first() else {
            assert!(job["environment"].is_null(), "{name}");
            continue;
        };
        let environment = job["environment"].as_str().unwrap();
        let folder = format!("terraform/environments/{environment}");
        assert_eq!(**apply, format!(".ci/deploy apply {folder} plan"));
        // After it, the events come through.
        let smoke = format!(".ci/deploy smoke {folder} ");
        assert!(commands.last().unwrap().starts_with(&smoke), "{name}");
        // Of the plan that was shown.
        let plan = format!("plan-{environment}");
        assert_eq!(job["needs"], plan.as_str());
        let planned = commands_of(jobs, &plan);
        assert!(planned.contains(&format!(".ci/deploy plan {folder} plan").as_str()));
        applied.push(environment);
    }
    assert_eq!(applied, ["pilot", "production"]);
    assert_eq!(jobs["plan-production"]["needs"], "apply-pilot");
    let condition = jobs["apply-pilot"]["if"].as_str().unwrap();
    assert!(condition.contains("github.event_name != 'pull_request'"));
    assert!(condition.contains("github.ref == 'refs/heads/main'"));
    Ok(())
}

/// The value of `A == 'a' && 'b' || C`, the form of our expressions, for an event and a ref.
fn evaluated<'a>(expression: &'a str, event: &'a str, git_ref: &'a str) -> &'a str {
    let context = |name: &'a str| match name {
        "github.event_name" => event,
        "github.ref" => git_ref,
        literal => literal
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''))
            .unwrap(),
    };
    let alternative = |all: &'a str| {
        let mut value = "";
        for part in all.split(" && ") {
            value = match part.split_once(" == ") {
                Some((one, other)) if context(one) != context(other) => return None,
                Some(_) => value,
                None => context(part),
            };
        }
        Some(value)
    };
    expression.split(" || ").find_map(alternative).unwrap()
}

/// A run that waits in a group is cancelled by the next one of it, so only what has the same changes may be next.
pub(crate) async fn nothing_but_a_newer_push_takes_the_place_of_one() -> Result<(), Failed> {
    let deploy = workflow("deploy")?;
    let group = deploy["concurrency"]["group"].as_str().unwrap();
    let (_, expression) = group.split_once("${{ ").unwrap();
    let expression = expression.strip_suffix(" }}").unwrap();
    let of = |event, git_ref| evaluated(expression, event, git_ref);
    let main = "refs/heads/main";
    let push = of("push", main);
    assert_eq!(of("workflow_dispatch", main), push, "of the same branch");
    for (event, git_ref) in [
        ("schedule", main),
        ("workflow_dispatch", "refs/heads/other"),
        ("pull_request", "refs/pull/7/merge"),
    ] {
        assert_ne!(of(event, git_ref), push, "{event} of {git_ref}");
    }
    let (one, other) = ("refs/pull/7/merge", "refs/pull/8/merge");
    assert_ne!(of("pull_request", one), of("pull_request", other));
    // A run that applies is never ended by another.
    assert_eq!(
        deploy["concurrency"]["cancel-in-progress"],
        "${{ github.event_name == 'pull_request' }}"
    );
    Ok(())
}

/// The variables of Terraform that a job sets for itself or for a step.
fn variables(job: &Value) -> BTreeSet<&str> {
    let of_steps = steps(job).map(|step| &step["env"]);
    let names = of_steps.chain([&job["env"]]).filter_map(Value::as_object);
    let names = names.flat_map(Map::keys).map(String::as_str);
    names.filter(|name| name.starts_with("TF_VAR_")).collect()
}

/// A variable that only the plans have would be reported as drift every night.
pub(crate) async fn drift_is_planned_with_the_variables_of_the_plans() -> Result<(), Failed> {
    let deploy = workflow("deploy")?;
    let jobs = jobs(&deploy);
    let plans: BTreeSet<&str> = ["plan-pilot", "plan-production"]
        .into_iter()
        .flat_map(|name| variables(&jobs[name]))
        .collect();
    assert!(plans.contains("TF_VAR_permissions_boundary_arn"));
    assert_eq!(variables(&jobs["drift"]), plans);
    Ok(())
}

fn commands_of<'a>(jobs: &'a Map<String, Value>, name: &str) -> Vec<&'a str> {
    commands(&jobs[name])
}

pub(crate) async fn release_is_whole() -> Result<(), Failed> {
    let release = workflow("release")?;
    let jobs = jobs(&release);
    let expected: BTreeSet<String> = [
        "aarch64-apple-darwin",
        "aarch64-unknown-linux-musl",
        "x86_64-apple-darwin",
        "x86_64-unknown-linux-musl",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(BTreeSet::from_iter(released_targets()?), expected);
    assert_eq!(
        jobs["functions"]["strategy"]["matrix"]["architecture"],
        serde_json::json!(["arm64", "x86_64"])
    );
    let publish = &jobs["publish"];
    assert_eq!(
        publish["needs"],
        serde_json::json!(["console", "functions", "sbom", "manifest"])
    );
    // The checksums are of what is attested and published.
    let names: Vec<&str> = steps(publish)
        .map(|step| step["run"].as_str().or(step["uses"].as_str()).unwrap())
        .map(|name| name.split(['@', '"']).next().unwrap().trim())
        .collect();
    assert_eq!(
        names,
        [
            "actions/checkout",
            "actions/download-artifact",
            ".ci/release checksums dist",
            "actions/attest-build-provenance",
            ".ci/release notes",
            ".ci/release publish",
        ]
    );
    // A run by hand publishes nothing.
    for job in ["image", "publish"] {
        assert_eq!(jobs[job]["if"], "github.ref_type == 'tag'", "{job}");
    }
    for job in ["console", "functions", "sbom", "image"] {
        assert_eq!(jobs[job]["needs"], "check", "{job}");
    }
    Ok(())
}

pub(crate) async fn dependabot_is_whole() -> Result<(), Failed> {
    let text = fs::read_to_string(checkout().join(".github/dependabot.yml"))?;
    let dependabot: Value = serde_norway::from_str(&text)?;
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for update in dependabot["updates"].as_array().unwrap() {
        let own = update["directory"].as_str().into_iter();
        let more = update["directories"].as_array().into_iter().flatten();
        let named = own.chain(more.filter_map(Value::as_str));
        let ecosystem = update["package-ecosystem"].as_str().unwrap();
        folders.entry(ecosystem).or_default().extend(named);
    }
    assert_eq!(folders["cargo"], ["/"]);
    assert_eq!(folders["github-actions"], ["/"]);
    assert_eq!(folders["docker"], ["/lambdas/api"]);
    for folder in &folders["terraform"] {
        let lock = format!("{folder}/.terraform.lock.hcl");
        let path = checkout().join(lock.trim_start_matches('/'));
        assert!(path.is_file(), "{lock}");
    }
    assert_eq!(folders["terraform"].len(), 3);
    Ok(())
}

pub(crate) async fn shellcheck() -> Result<(), Failed> {
    let mut command = Command::new("shellcheck");
    let mut seen = 0;
    for entry in fs::read_dir(checkout().join(".ci"))? {
        let path = entry?.path();
        if fs::read_to_string(&path)?.starts_with("#!/usr/bin/env bash") {
            command.arg(path);
            seen += 1;
        }
    }
    assert!(seen >= 5, "the check sees only {seen} scripts");
    said(&mut command)?;
    Ok(())
}

pub(crate) async fn actionlint() -> Result<(), Failed> {
    said(Command::new("actionlint").current_dir(checkout()))?;
    Ok(())
}

pub(crate) async fn audit() -> Result<(), Failed> {
    said(script("audit").arg("--offline"))?;
    Ok(())
}

pub(crate) async fn zizmor() -> Result<(), Failed> {
    let mut command = Command::new("zizmor");
    command.args(["--offline", "--no-progress", ".github"]);
    said(command.current_dir(checkout()))?;
    Ok(())
}
