//! The workflows, read as data: what GitHub does with them cannot be tried here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use libtest_mimic::Failed;
use serde_json::{Map, Value};

use crate::scripts::{checkout, refused, said, script};

const WORKFLOWS: [&str; 4] = ["audit", "ci", "deploy", "release"];
/// The longest that a job may take.
const TIMEOUT_MINUTES_MAX: u64 = 100;
/// How long a session of a role is where a job does not ask for more (aws-actions/configure-aws-credentials).
const SESSION_SECS: u64 = 3_600;
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

/// With an action of its own, in a folder that stands for the server.
pub(crate) async fn pins_are_compared_with_their_tags() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let top = folder.path();
    let action = top.join("server/them/action");
    for name in [".ci", ".github/workflows", "server/them/action"] {
        fs::create_dir_all(top.join(name))?;
    }
    fs::copy(
        checkout().join(".ci/action-pins"),
        top.join(".ci/action-pins"),
    )?;
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]);
        command.args(["-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"]);
        command.args(arguments).current_dir(&action);
        said(command.env("GIT_CONFIG_GLOBAL", "/dev/null"))
    };
    git(&["init", "--quiet"])?;
    git(&["commit", "--quiet", "--allow-empty", "--message", "one"])?;
    git(&["tag", "v1.0.0"])?;
    let first = git(&["rev-parse", "HEAD"])?;
    git(&["commit", "--quiet", "--allow-empty", "--message", "two"])?;
    // One that is an object of its own.
    git(&["tag", "--annotate", "--message", "two", "v2.0.0"])?;
    let second = git(&["rev-parse", "HEAD"])?;
    let (first, second) = (first.trim(), second.trim());
    let check = |pins: &[(&str, &str)]| {
        let pin =
            |(commit, tag): &(&str, &str)| format!("      - uses: them/action@{commit} # {tag}\n");
        let text: String = pins.iter().map(pin).collect();
        fs::write(top.join(".github/workflows/ci.yml"), text)?;
        let mut command = crate::scripts::at(&top.join(".ci/action-pins"));
        command.env(
            "ACTIONS_URL",
            format!("file://{}", top.join("server").display()),
        );
        Ok::<_, Failed>(command)
    };
    said(&mut check(&[(first, "v1.0.0"), (second, "v2.0.0")])?)?;
    for wrong in [(first, "v2.0.0"), (second, "v1.0.0"), (second, "v3.0.0")] {
        let (_, told) = refused(&mut check(&[(first, "v1.0.0"), wrong])?)?;
        let expected = format!("them/action@{} is not {}", wrong.0, wrong.1);
        assert!(told.contains(&expected), "{told}");
    }
    Ok(())
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
            | "deploy/smoke-pilot"
            | "deploy/smoke-production"
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
    let mut tested = Vec::new();
    for (name, job) in jobs {
        let commands = commands(job);
        let has = |task: &str| commands.iter().any(|command| command.starts_with(task));
        let (applies, tests) = (has(".ci/deploy apply "), has(".ci/deploy smoke "));
        let role = steps(job).find_map(|step| step["with"]["role-to-assume"].as_str());
        let is_apply_role = role.is_some_and(|role| role.contains("_APPLY_ROLE_ARN"));
        assert_eq!(is_apply_role, applies || tests, "{name}");
        if !is_apply_role {
            assert!(job["environment"].is_null(), "{name}");
            continue;
        }
        let environment = job["environment"].as_str().unwrap();
        let folder = format!("terraform/environments/{environment}");
        // A saved plan is applied once. GitHub repeats a whole job: after an apply nothing may fail that is not one.
        assert_ne!(applies, tests, "{name} could not be repeated");
        let last = *commands.last().unwrap();
        if tests {
            assert!(last.starts_with(&format!(".ci/deploy smoke {folder} ")));
            assert_eq!(job["needs"], format!("apply-{environment}"));
            tested.push(environment);
            continue;
        }
        assert_eq!(last, format!(".ci/deploy apply {folder} plan"), "{name}");
        // Of the plan that was shown.
        let plan = format!("plan-{environment}");
        assert_eq!(job["needs"], plan.as_str());
        let planned = commands_of(jobs, &plan);
        assert!(planned.contains(&format!(".ci/deploy plan {folder} plan").as_str()));
        applied.push(environment);
    }
    assert_eq!(applied, ["pilot", "production"]);
    assert_eq!(tested, applied);
    assert_eq!(jobs["plan-production"]["needs"], "smoke-pilot");
    let condition = jobs["apply-pilot"]["if"].as_str().unwrap();
    assert!(condition.contains("github.event_name != 'pull_request'"));
    assert!(condition.contains("github.ref == 'refs/heads/main'"));
    Ok(())
}

/// A session that ends before its job leaves an apply in its middle, and so does a job that ends before Terraform's own
/// limits.
pub(crate) async fn sessions_outlive_their_jobs() -> Result<(), Failed> {
    let roles = fs::read_to_string(checkout().join("terraform/bootstrap/roles.tf"))?;
    let longest = |task: &str| -> u64 {
        let start = format!("resource \"aws_iam_role\" \"{task}\"");
        let (_, role) = roles.split_once(&start).unwrap();
        let (_, rest) = role.split_once("max_session_duration = ").unwrap();
        rest.lines().next().unwrap().parse().unwrap()
    };
    let deploy = workflow("deploy")?;
    let mut applies = 0;
    for (name, job) in jobs(&deploy) {
        let mut with = steps(job).map(|step| &step["with"]);
        let Some(with) = with.find(|with| !with["role-to-assume"].is_null()) else {
            continue;
        };
        let role = with["role-to-assume"].as_str().unwrap();
        let is_apply_role = role.contains("_APPLY_ROLE_ARN");
        let most = longest(if is_apply_role { "apply" } else { "plan" });
        let session = with["role-duration-seconds"].as_u64();
        let session = session.unwrap_or(SESSION_SECS);
        let minutes = job["timeout-minutes"].as_u64().unwrap();
        assert!(
            session >= minutes * 60,
            "{name}: {session} s, {minutes} min"
        );
        assert!(session <= most, "{name}: AWS refuses {session} s");
        if name.starts_with("apply-") {
            assert_eq!(minutes, TIMEOUT_MINUTES_MAX, "{name}");
            applies += 1;
        }
    }
    assert_eq!(applies, 2);
    Ok(())
}

/// What is merged runs with the role to apply of the pilot: a pull request shows its plan.
pub(crate) async fn changes_of_the_deployment_are_planned() -> Result<(), Failed> {
    let deploy = workflow("deploy")?;
    let paths = deploy["on"]["pull_request"]["paths"].as_array().unwrap();
    let is_planned = |file: &str| {
        paths.iter().filter_map(Value::as_str).any(|path| {
            let folder = path.strip_suffix("**");
            folder.map_or(path == file, |folder| file.starts_with(folder))
        })
    };
    let mut needed = BTreeSet::from(
        [
            ".ci/plan-summary",
            ".github/workflows/deploy.yml",
            "Cargo.lock",
            "Cargo.toml",
            "rust-toolchain.toml",
        ]
        .map(str::to_owned),
    );
    for job in jobs(&deploy).values() {
        let scripts = commands(job).into_iter();
        needed.extend(scripts.filter_map(|command| Some(command.split_once(' ')?.0.to_owned())));
    }
    assert!(needed.contains(".ci/deploy") && needed.contains(".ci/release"));
    for file in needed {
        assert!(checkout().join(&file).is_file(), "{file}");
        assert!(
            is_planned(&file),
            "a change of {file} is merged without a plan"
        );
    }
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
    // Each environment is planned with its own.
    let drift = &jobs["drift"];
    for entry in drift["strategy"]["matrix"]["include"].as_array().unwrap() {
        let environment = entry["environment"].as_str().unwrap();
        assert_eq!(entry["prefix"], environment.to_uppercase());
    }
    for (name, value) in drift["env"].as_object().unwrap() {
        let value = value.as_str().unwrap();
        let is_own = value.contains("matrix.prefix") || !name.starts_with("TF_VAR_");
        assert!(is_own, "{name}: {value}");
    }
    Ok(())
}

/// What is set by hand alone is undone by the next apply.
pub(crate) async fn plans_take_what_the_repository_sets() -> Result<(), Failed> {
    let deploy = workflow("deploy")?;
    let jobs = jobs(&deploy);
    // Everywhere, and by environment. Without a value, a text that Terraform reads as nothing.
    assert_eq!(deploy["env"]["TF_VAR_tags"], "${{ vars.TAGS || '{}' }}");
    for environment in ["pilot", "production"] {
        let plan = &jobs[&format!("plan-{environment}")];
        let step = steps(plan)
            .find(|step| !step["env"]["FUNCTIONS"].is_null())
            .unwrap();
        let prefix = environment.to_uppercase();
        let emails = format!("${{{{ vars.{prefix}_NOTIFICATION_EMAILS || '[]' }}}}");
        assert_eq!(step["env"]["TF_VAR_notification_emails"], emails);
        // Without it, the next apply deletes the budget.
        let budget = format!("${{{{ vars.{prefix}_MONTHLY_BUDGET_USD || 'null' }}}}");
        assert_eq!(step["env"]["TF_VAR_monthly_budget_usd"], budget);
    }
    let plan = &jobs["plan-pilot"];
    let step = steps(plan).find(|step| !step["env"]["FUNCTIONS"].is_null());
    assert_eq!(
        step.unwrap()["env"]["TF_VAR_api_reserved_concurrency"],
        "${{ vars.PILOT_API_RESERVED_CONCURRENCY || 'null' }}"
    );
    Ok(())
}

/// The artifacts of a public repository are public, and a plan has all values of the state.
pub(crate) async fn no_plan_is_an_artifact() -> Result<(), Failed> {
    let deploy = workflow("deploy")?;
    let jobs = jobs(&deploy);
    for (name, job) in jobs {
        for step in steps(job) {
            let uses = step["uses"].as_str().unwrap_or_default();
            if uses.contains("-artifact@") {
                assert_eq!(step["with"]["path"], "dist", "{name}");
            }
        }
    }
    for environment in ["pilot", "production"] {
        let folder = format!("terraform/environments/{environment}");
        let plan = &jobs[&format!("plan-{environment}")];
        assert_eq!(plan["outputs"]["plan"], "${{ steps.store.outputs.plan }}");
        let store = steps(plan).find(|step| step["id"] == "store").unwrap();
        assert_eq!(store["run"], format!(".ci/deploy store {folder} plan"));
        // What a pull request keeps is never applied.
        let condition = store["if"].as_str();
        let expected = (environment == "pilot").then_some("github.event_name != 'pull_request'");
        assert_eq!(condition, expected);
        let apply = &jobs[&format!("apply-{environment}")];
        let fetch = format!(".ci/deploy fetch {folder} plan");
        let fetch = steps(apply).find(|step| step["run"] == fetch.as_str());
        assert_eq!(
            fetch.unwrap()["env"]["PLAN_SHA256"],
            format!("${{{{ needs.plan-{environment}.outputs.plan }}}}")
        );
    }
    Ok(())
}

/// A group keeps one that runs and one that waits: a third takes the place of the second, which is never done.
pub(crate) async fn nightly_run_takes_no_place_of_a_push() -> Result<(), Failed> {
    let deploy = workflow("deploy")?;
    assert_eq!(
        deploy["concurrency"]["group"],
        "deploy-${{ github.event_name == 'pull_request' && github.ref || github.run_id }}"
    );
    for (name, job) in jobs(&deploy) {
        let expected = match name.strip_prefix("apply-") {
            Some(environment) => serde_json::json!({
                "group": format!("apply-{environment}"), "cancel-in-progress": false,
            }),
            None => Value::Null,
        };
        assert_eq!(job["concurrency"], expected, "{name}");
    }
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
    // A run by hand publishes nothing, on a tag neither: only tags are pushed here.
    assert_eq!(release["on"]["push"], serde_json::json!({"tags": ["v*"]}));
    for job in ["image", "publish"] {
        assert_eq!(jobs[job]["if"], "github.event_name == 'push'", "{job}");
    }
    for job in ["console", "functions", "sbom"] {
        assert_eq!(jobs[job]["needs"], "check", "{job}");
    }
    // It pushes: what does not compile is known before.
    assert_eq!(
        jobs["image"]["needs"],
        serde_json::json!(["check", "console", "functions"])
    );
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
