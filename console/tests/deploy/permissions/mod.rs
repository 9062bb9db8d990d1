//! Permissions: the sources are read for what they call, and compared with a table of what each call needs; the
//! rendered policies are compared with the same table. A policy neither lacks a right nor has one that nothing uses.

mod calls;
mod deploying;
mod managed;
mod needs;
mod policies;

pub(crate) use self::deploying::{
    every_resource_has_its_actions, roles_that_deploy_may_do_what_terraform_does,
};

use std::collections::BTreeSet;
use std::fmt::Debug;

use libtest_mimic::Failed;
use serde::Deserialize;

use self::calls::{Call, Operations};
use self::needs::{
    Grant, IN_VPC, LOCAL_SOURCES, NEEDS, Need, Program, SHARED_SOURCES, Setting, of_service,
};
use self::policies::{Boundary, Right, of_programs, read, rendered};
use crate::scripts::checkout;

/// The runs of `terraform/tests/policies.tftest.hcl` and what their environment has.
const RUNS: [(&str, &[Setting]); 2] = [
    (
        "everything_on",
        &[
            Setting::Key,
            Setting::Bucket,
            Setting::Tracing,
            Setting::ImmediateDeadLetters,
            Setting::ObjectiveAlarms,
        ],
    ),
    ("nothing_on", &[]),
];

pub(crate) async fn every_call_is_in_the_table() -> Result<(), Failed> {
    let operations = Operations::read();
    for program in Program::ALL {
        let mut found = BTreeSet::new();
        for source in program.sources() {
            found.extend(operations.calls_in(source).into_keys());
        }
        let known = needs_of(program).map(|need| call(need.service, need.operation));
        compare(&format!("{program:?}: calls"), &known.collect(), &found)?;
    }
    for source in SHARED_SOURCES {
        let found = operations.calls_in(source);
        assert!(found.is_empty(), "{source} belongs to no role: {found:?}");
    }
    Ok(())
}

/// A crate that is new belongs to a program, or calls nothing.
pub(crate) async fn every_source_belongs_to_a_program() -> Result<(), Failed> {
    #[derive(Deserialize)]
    struct Manifest {
        workspace: Workspace,
    }
    #[derive(Deserialize)]
    struct Workspace {
        members: Vec<String>,
    }
    let text = std::fs::read_to_string(checkout().join("Cargo.toml"))?;
    let manifest: Manifest = toml::from_str(&text)?;
    let programs = Program::ALL.iter().flat_map(|program| program.sources());
    let all = programs.chain(&SHARED_SOURCES).chain(&LOCAL_SOURCES);
    let all: BTreeSet<&str> = all.copied().collect();
    for member in manifest.workspace.members {
        let folder = format!("{member}/src");
        if all.contains(folder.as_str()) {
            continue;
        }
        // Divided among programs by file: each file is named.
        for entry in std::fs::read_dir(checkout().join(&folder))? {
            let name = entry?.file_name().into_string().unwrap();
            let file = format!("{folder}/{name}");
            assert!(all.contains(file.as_str()), "{file} belongs to no role");
        }
    }
    Ok(())
}

pub(crate) async fn call_is_found_also_in_a_macro_and_not_in_a_test() -> Result<(), Failed> {
    let operations = Operations::read();
    let found = operations.calls_of(
        r#"use reqwest::Method;
           async fn one(&self) { self.client.purge_queue().queue_url("/q").send().await }
           async fn two() { tokio::try_join!(sqs.list_queues().send(), other()) }
           async fn three() { ask(Method::POST, "/v1/records/lookup", "no path").await }
           async fn four() { ask(Method::GET, "/health"); publish(); events.publish(1); }
           fn five() { store::IamLogIn::new(a, b); }
           const LAMBDA: &str = "lambda";
           fn seven() { call(AwsCall { service: LAMBDA, operation: "GetFunctionConcurrency" }, path) }
           #[cfg(test)] mod tests { fn six() { sqs.delete_queue().send(); } }"#,
    );
    let expected = [
        ("execute-api", "GET"),
        ("execute-api", "POST /v1/records/lookup"),
        ("lambda", "GetFunctionConcurrency"),
        ("rds-db", "log_in"),
        ("sqs", "list_queues"),
        ("sqs", "purge_queue"),
    ];
    let expected = expected.map(|(service, operation)| call(service, operation));
    assert_eq!(found, BTreeSet::from(expected));
    let found = operations.calls_of(
        "use object_store::ObjectStore;
         fn one(store: &dyn ObjectStore) { store.rename_if_not_exists(a, b); copy(c); }",
    );
    assert_eq!(found, BTreeSet::from([call("s3", "rename_if_not_exists")]));
    Ok(())
}

pub(crate) async fn policies_allow_what_is_called_and_nothing_else() -> Result<(), Failed> {
    let rendered = rendered().await?;
    for (run, settings) in RUNS {
        let documents = rendered.get(run).ok_or(format!("no run {run}"))?;
        let policies = of_programs(documents)?;
        for program in Program::ALL {
            let policy = &policies[&program];
            let mut needed = BTreeSet::new();
            for grant in needs_of(program).flat_map(|need| need.grants) {
                extend(&mut needed, grant, settings);
            }
            for grant in of_service(program) {
                extend(&mut needed, &grant, settings);
            }
            let what = format!("{run}: {program:?}: rights");
            compare(&what, &needed, &policy.allowed)?;
            let mut denied = BTreeSet::new();
            if of_service(program)
                .iter()
                .any(|grant| grant.actions == IN_VPC.actions)
            {
                extend(&mut denied, &IN_VPC, settings);
            }
            compare(
                &format!("{run}: {program:?}: denials"),
                &denied,
                &policy.denied,
            )?;
        }
    }
    Ok(())
}

/// What AWS's own policy for enhanced monitoring allows (Amazon RDS User Guide, "Setting up and enabling Enhanced
/// Monitoring") and the role needs to write: Terraform attaches it to a role of the database.
const MONITORING: [(&str, &str); 4] = [
    ("logs:CreateLogGroup", "arn:aws:logs:*:*:log-group:RDS*"),
    ("logs:PutRetentionPolicy", "arn:aws:logs:*:*:log-group:RDS*"),
    (
        "logs:CreateLogStream",
        "arn:aws:logs:us-east-1:111122223333:log-group:RDSOSMetrics:log-stream:db-A",
    ),
    (
        "logs:PutLogEvents",
        "arn:aws:logs:us-east-1:111122223333:log-group:RDSOSMetrics:log-stream:db-A",
    ),
];

/// A right beyond the boundary would be denied on AWS, and only there.
pub(crate) async fn boundaries_take_every_policy_of_the_modules() -> Result<(), Failed> {
    let rendered = rendered().await?;
    let boundaries = rendered.get("boundaries").ok_or("no run of bootstrap")?;
    let boundary = |kind: &str| {
        let address = format!("aws_iam_policy.{kind}[\"test\"]");
        let document = boundaries.get(&address);
        Boundary::read(document.ok_or_else(|| format!("no {address}"))?)
    };
    let (roles, people) = (boundary("boundary")?, boundary("operators")?);
    let mut beyond = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut used = Vec::new();
    for (run, _) in RUNS {
        for (address, document) in rendered.get(run).ok_or(format!("no run {run}"))? {
            let limit = if address.contains("aws_iam_role_policy.") {
                &roles
            } else if address.contains("aws_iam_policy.") {
                &people
            } else {
                continue;
            };
            seen.insert(address);
            let allowed = read(document)?.allowed;
            if address.contains("aws_iam_role_policy.") {
                used.extend(allowed.iter().map(|(action, _)| action.clone()));
            }
            let outside = allowed.into_iter().filter(|right| !limit.takes(right));
            beyond.extend(outside.map(|right| (address.clone(), right)));
        }
    }
    compare("rights beyond the boundary", &BTreeSet::new(), &beyond)?;
    // The other way round: what no role of the modules has is not in the boundary either.
    let monitored = MONITORING.iter().map(|(action, _)| (*action).to_owned());
    let used = used.into_iter().chain(monitored).collect();
    compare("actions of the boundary", &used, &roles.actions())?;
    for (action, resource) in MONITORING {
        let right = (
            action.to_owned(),
            resource.replace(":*:*:", ":us-east-1:111122223333:"),
        );
        assert!(roles.takes(&right), "{right:?}");
    }
    // Four functions, the schedule, the flow logs, and the two policies for people.
    assert_eq!(seen.len(), 8, "{seen:?}");
    Ok(())
}

/// The names of another pipeline, and what only an administrator may, are beyond both boundaries.
pub(crate) async fn boundaries_take_nothing_of_another_pipeline() -> Result<(), Failed> {
    let rendered = rendered().await?;
    let boundaries = rendered.get("boundaries").ok_or("no run of bootstrap")?;
    let mut seen = 0;
    for (run, _) in RUNS {
        for (address, document) in rendered.get(run).ok_or(format!("no run {run}"))? {
            if !address.contains("aws_iam_role_policy.") && !address.contains("aws_iam_policy.") {
                continue;
            }
            for (action, resource) in read(document)?.allowed {
                let other = resource.replace("events-test", "events-other");
                let other = other.replace("cluster-ABC", "cluster-XYZ");
                let other = other.replace("abcdefghij", "zyxwvutsrq");
                if other == resource {
                    continue;
                }
                seen += 1;
                let right = (action, other);
                for kind in ["boundary", "operators"] {
                    let boundary =
                        Boundary::read(&boundaries[&format!("aws_iam_policy.{kind}[\"test\"]")])?;
                    assert!(!boundary.takes(&right), "{kind} takes {right:?}");
                }
            }
        }
    }
    assert!(seen > 20, "the check sees only {seen} rights");
    Ok(())
}

fn call(service: &str, operation: &str) -> Call {
    (service.to_owned(), operation.to_owned())
}

fn needs_of(program: Program) -> impl Iterator<Item = &'static Need> {
    NEEDS.iter().filter(move |need| need.program == program)
}

fn extend(rights: &mut BTreeSet<Right>, grant: &Grant, settings: &[Setting]) {
    if grant
        .settings
        .iter()
        .all(|setting| settings.contains(setting))
    {
        let of = |action: &&str| ((*action).to_owned(), grant.resource.to_owned());
        rights.extend(grant.actions.iter().map(of));
    }
}

fn compare<T: Ord + Debug>(
    what: &str,
    expected: &BTreeSet<T>,
    found: &BTreeSet<T>,
) -> Result<(), Failed> {
    let missing: Vec<&T> = expected.difference(found).collect();
    let unexpected: Vec<&T> = found.difference(expected).collect();
    if missing.is_empty() && unexpected.is_empty() {
        return Ok(());
    }
    Err(format!("{what}: missing {missing:#?}, unexpected {unexpected:#?}").into())
}
