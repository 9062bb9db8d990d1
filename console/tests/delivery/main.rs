//! The way to a user: what a release consists of, the scripts that deploy, and the workflows that call them.
//!
//! Nothing is published and no account is needed. What a machine cannot do (other targets, a registry of images, AWS)
//! is checked only as far as the workflow and its scripts can be read.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod plan;
mod release;
#[path = "../support/scripts.rs"]
mod scripts;
mod smoke;
mod workflows;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use scripts::{runs, trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let always = Ok(());
    let python = runs("python3", &["--version"]);
    let git = runs("git", &["--version"]);
    let trials = vec![
        trial(
            "released_console_is_installed_into_an_empty_folder_and_started",
            &always,
            release::console,
        ),
        trial(
            "released_files_have_the_names_that_binstall_looks_for",
            &always,
            release::binstall,
        ),
        trial(
            "released_functions_say_what_they_are",
            &python,
            release::functions,
        ),
        trial("checksums_cover_every_file", &always, release::checksums),
        trial(
            "tag_must_be_the_version",
            &always,
            release::tag_is_the_version,
        ),
        trial(
            "notes_are_the_commits_since_the_tag_before",
            &git,
            release::notes,
        ),
        trial(
            "script_without_arguments_says_what_it_takes",
            &always,
            release::usage,
        ),
        trial(
            "plan_is_told_without_its_values_and_losses_first",
            &python,
            plan::summary,
        ),
        trial("plan_without_changes_says_so", &python, plan::nothing),
        trial(
            "drift_is_told_without_what_follows_from_the_code",
            &python,
            plan::drift,
        ),
        trial("long_plan_fits_into_a_comment", &python, plan::long),
        trial("smoke_reads_every_event_back", &python, smoke::all_come),
        trial(
            "smoke_waits_while_the_database_resumes",
            &python,
            smoke::resuming,
        ),
        trial(
            "smoke_counts_what_does_not_come",
            &python,
            smoke::some_are_missing,
        ),
        trial(
            "smoke_ends_where_nothing_is_published",
            &python,
            smoke::not_published,
        ),
        trial(
            "every_step_of_a_workflow_is_a_script",
            &always,
            workflows::steps_are_scripts,
        ),
        trial(
            "actions_are_pinned_by_their_commit",
            &always,
            workflows::actions_are_pinned,
        ),
        trial(
            "jobs_have_the_least_rights_and_a_limit",
            &always,
            workflows::jobs_are_limited,
        ),
        trial(
            "workflows_use_no_secret",
            &always,
            workflows::no_secret_is_used,
        ),
        trial(
            "only_approved_jobs_can_apply",
            &always,
            workflows::applies_are_behind_environments,
        ),
        trial(
            "nothing_but_a_newer_push_takes_the_place_of_one",
            &always,
            workflows::nothing_but_a_newer_push_takes_the_place_of_one,
        ),
        trial(
            "drift_is_planned_with_the_variables_of_the_plans",
            &always,
            workflows::drift_is_planned_with_the_variables_of_the_plans,
        ),
        trial(
            "release_publishes_what_it_builds",
            &always,
            workflows::release_is_whole,
        ),
        trial(
            "dependabot_looks_at_everything_that_is_pinned",
            &always,
            workflows::dependabot_is_whole,
        ),
        trial(
            "scripts_are_clean_for_shellcheck",
            &runs("shellcheck", &["--version"]),
            workflows::shellcheck,
        ),
        trial(
            "workflows_are_clean_for_actionlint",
            &runs("actionlint", &["--version"]),
            workflows::actionlint,
        ),
        trial(
            "crates_and_workflows_pass_the_audit_without_advisories",
            &runs("zizmor", &["--version"]).and(runs("cargo", &["deny", "--version"])),
            workflows::audit,
        ),
        trial(
            "workflows_are_clean_for_zizmor",
            &runs("zizmor", &["--version"]),
            workflows::zizmor,
        ),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}
