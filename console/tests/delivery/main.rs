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
mod states;
mod store;
mod workflows;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use scripts::{runs, trial};

/// What a test needs of the machine.
type Need = Result<(), String>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let always = Ok(());
    let python = runs("python3", &["--version"]);
    let git = runs("git", &["--version"]);
    let trials = [
        releases(&always, &python, &git),
        plans(&always, &python),
        smokes(&python),
        workflows_as_data(&always),
        workflows_by_tools(),
    ];
    libtest_mimic::run(&arguments, trials.into_iter().flatten().collect()).exit_code()
}

fn releases(always: &Need, python: &Need, git: &Need) -> Vec<Trial> {
    vec![
        trial(
            "released_console_is_installed_into_an_empty_folder_and_started",
            always,
            release::console,
        ),
        trial(
            "released_files_have_the_names_that_binstall_looks_for",
            always,
            release::binstall,
        ),
        trial(
            "released_functions_say_what_they_are",
            python,
            release::functions,
        ),
        trial("checksums_cover_every_file", always, release::checksums),
        trial(
            "tag_must_be_the_version",
            always,
            release::tag_is_the_version,
        ),
        trial(
            "each_system_of_one_folder_has_its_own_state",
            always,
            states::one_folder,
        ),
        trial(
            "smoke_test_finds_the_state_by_itself",
            always,
            states::smoke,
        ),
        trial(
            "release_has_the_address_that_binstall_needs",
            always,
            release::repository_is_set,
        ),
        trial(
            "commit_of_an_action_is_that_of_its_tag",
            git,
            workflows::pins_are_compared_with_their_tags,
        ),
        trial(
            "notes_are_the_commits_since_the_tag_before",
            git,
            release::notes,
        ),
        trial(
            "image_has_a_name_that_a_registry_takes",
            always,
            release::image_name,
        ),
        trial("every_program_has_its_own_sbom", git, release::sbom),
        trial(
            "tools_are_installed_where_the_python_is_managed",
            always,
            release::cross_tools,
        ),
        trial(
            "script_without_arguments_says_what_it_takes",
            always,
            release::usage,
        ),
    ]
}

fn plans(always: &Need, python: &Need) -> Vec<Trial> {
    vec![
        trial(
            "plan_is_told_without_its_values_and_losses_first",
            python,
            plan::summary,
        ),
        trial(
            "plan_is_told_without_the_keys_of_its_instances",
            python,
            plan::keys,
        ),
        trial("plan_without_changes_says_so", python, plan::nothing),
        trial(
            "drift_is_told_without_what_follows_from_the_code",
            python,
            plan::drift,
        ),
        trial("long_plan_fits_into_a_comment", python, plan::long),
        trial(
            "plan_comes_back_from_the_bucket",
            always,
            store::plan_comes_back,
        ),
        trial(
            "exchanged_plan_is_refused",
            always,
            store::exchanged_plan_is_refused,
        ),
        trial(
            "plan_without_a_sum_is_refused",
            always,
            store::plan_without_a_sum_is_refused,
        ),
    ]
}

fn smokes(python: &Need) -> Vec<Trial> {
    vec![
        trial("smoke_reads_every_event_back", python, smoke::all_come),
        trial(
            "smoke_waits_while_the_database_resumes",
            python,
            smoke::resuming,
        ),
        trial(
            "smoke_counts_what_does_not_come",
            python,
            smoke::some_are_missing,
        ),
        trial(
            "smoke_ends_where_the_api_is_not_permitted",
            python,
            smoke::not_permitted,
        ),
        trial(
            "smoke_ends_where_nothing_is_published",
            python,
            smoke::not_published,
        ),
    ]
}

fn workflows_as_data(always: &Need) -> Vec<Trial> {
    vec![
        trial(
            "every_step_of_a_workflow_is_a_script",
            always,
            workflows::steps_are_scripts,
        ),
        trial(
            "actions_are_pinned_by_their_commit",
            always,
            workflows::actions_are_pinned,
        ),
        trial(
            "jobs_have_the_least_rights_and_a_limit",
            always,
            workflows::jobs_are_limited,
        ),
        trial(
            "workflows_use_no_secret",
            always,
            workflows::no_secret_is_used,
        ),
        trial(
            "only_approved_jobs_can_apply",
            always,
            workflows::applies_are_behind_environments,
        ),
        trial(
            "session_of_a_role_is_as_long_as_its_job",
            always,
            workflows::sessions_outlive_their_jobs,
        ),
        trial(
            "pull_request_that_changes_the_deployment_is_planned",
            always,
            workflows::changes_of_the_deployment_are_planned,
        ),
        trial(
            "drift_is_planned_with_the_variables_of_the_plans",
            always,
            workflows::drift_is_planned_with_the_variables_of_the_plans,
        ),
        trial(
            "plans_take_what_the_repository_sets",
            always,
            workflows::plans_take_what_the_repository_sets,
        ),
        trial(
            "no_plan_is_an_artifact",
            always,
            workflows::no_plan_is_an_artifact,
        ),
        trial(
            "nightly_run_takes_no_place_of_a_push",
            always,
            workflows::nightly_run_takes_no_place_of_a_push,
        ),
        trial(
            "release_publishes_what_it_builds",
            always,
            workflows::release_is_whole,
        ),
        trial(
            "dependabot_looks_at_everything_that_is_pinned",
            always,
            workflows::dependabot_is_whole,
        ),
    ]
}

/// By the programs that know shell scripts, workflows and crates.
fn workflows_by_tools() -> Vec<Trial> {
    let zizmor = runs("zizmor", &["--version"]);
    vec![
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
            &zizmor.clone().and(runs("cargo", &["deny", "--version"])),
            workflows::audit,
        ),
        trial("workflows_are_clean_for_zizmor", &zizmor, workflows::zizmor),
    ]
}
