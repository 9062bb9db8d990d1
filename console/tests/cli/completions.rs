//! Completions, asked for as the script of a shell asks.

use std::fs::{self, File};
use std::process::{Command, Output};

use crate::support::configuration::{NOBODY, environment_at};
use crate::support::program::{Answer, Program};

const VARIABLE: &str = "OPSCONSOLE_COMPLETE";
/// Ids sort by time: the last one is the newest.
const ENDED: &str = "01976f4e-7c1d-7d10-9a55-3f0e6a1c2b4d";
const RUNNING: &str = "01976f4e-7c1e-7d10-9a55-3f0e6a1c2b4d";

fn ask(program: &Program, shell: &str, words: &[&str]) -> Output {
    let mut command = program.command(&["--", "opsconsole"]);
    command.args(words).env(VARIABLE, shell);
    command.env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    command.env("_CLAP_IFS", "\n");
    command.output().unwrap()
}

/// What is offered for the last of these words.
pub(crate) fn offered(program: &Program, words: &[&str]) -> Vec<String> {
    let answer = Answer::of(ask(program, "bash", words));
    assert_eq!((answer.code, &*answer.stderr), (0, ""), "{words:?}");
    answer.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn environments_are_offered_and_nothing_else_of_them() {
    let program = Program::new();
    let secret = "database_url = \"postgres://u@127.0.0.1:1/hidden-place\"";
    let text = ["pilot", "live", "\"$(touch x)\"", "\"a b\""]
        .map(|name| environment_at(name, NOBODY, secret))
        .concat();
    program.configure(&text);
    assert_eq!(offered(&program, &["--env", ""]), ["live", "pilot"]);
    assert_eq!(offered(&program, &["status", "--env", "p"]), ["pilot"]);
    assert_eq!(offered(&program, &["--env=l"]), ["--env=live"]);
    assert_eq!(
        offered(&program, &["fleet", "status", "--only", "pilot", "li"]),
        ["live"]
    );
    let fish = Answer::of(ask(&program, "fish", &["--env", "p"]));
    assert_eq!(fish.stdout, "pilot\tconfigured\n");
}

#[test]
fn broken_configuration_still_completes() {
    let program = Program::new();
    let broken = format!("{}oops = \n", environment_at("pilot", NOBODY, ""));
    program.configure(&broken);
    assert_eq!(program.run(&["env", "list"]).code, 2, "it is broken");
    assert_eq!(offered(&program, &["--env", ""]), ["pilot"]);
    assert_eq!(offered(&program, &["redrive", "rep"]), ["report"]);
    program.configure("\u{0}\u{ffff}[");
    assert_eq!(offered(&program, &["--env", ""]), [""; 0]);
}

#[test]
fn environments_are_those_of_the_named_file() {
    let program = Program::new();
    program.configure(&environment_at("usual", NOBODY, ""));
    let named = program.write("named.toml", environment_at("other", NOBODY, ""));
    let named = named.to_str().unwrap();
    assert_eq!(
        offered(&program, &["--config", named, "--env", ""]),
        ["other"]
    );
    let words = ["--config", "missing.toml", "--env", ""];
    assert_eq!(offered(&program, &words), [""; 0]);
}

#[test]
fn redrives_of_this_machine_are_offered_where_they_make_sense() {
    let program = Program::new();
    let journal = |id: &str| format!("state/opsconsole/redrives/{id}.journal");
    program.write(&journal(ENDED), "not readable");
    let running = program.write(&journal(RUNNING), "");
    let plan = "01976f4e-7c1f-7d10-9a55-3f0e6a1c2b4d";
    let name = format!("state/opsconsole/redrives/{plan}.plan.json");
    program.write(&name, "{}");
    // As the process that runs it does.
    let lock = File::open(running).unwrap();
    lock.try_lock().unwrap();
    let of = |command: &str| offered(&program, &["redrive", command, "0197"]);
    assert_eq!(of("report"), [RUNNING, ENDED]);
    assert_eq!(of("resume"), [RUNNING, ENDED]);
    assert_eq!(of("pause"), [RUNNING]);
    assert_eq!(of("cancel"), [RUNNING]);
    assert_eq!(of("show"), [RUNNING, ENDED, plan]);
    assert_eq!(of("run"), [RUNNING, ENDED, plan]);
    drop(lock);
    assert_eq!(of("pause"), [""; 0]);
    let fish = Answer::of(ask(
        &program,
        "fish",
        &["redrive", "report", "01976f4e-7c1d"],
    ));
    assert_eq!(fish.stdout, format!("{ENDED}\tinterrupted\n"));
}

#[test]
fn causes_and_types_are_offered() {
    let program = Program::new();
    let words = ["dlq", "list", "--code", "missing"];
    assert_eq!(offered(&program, &words), ["missing-attribute"]);
    let words = ["redrive", "plan", "--code", "retries"];
    assert_eq!(offered(&program, &words), ["retries-exhausted"]);
    let types = "flight.delayed\n$(touch x)\nflight.landed\nbag.scanned\n";
    program.write("state/opsconsole/event-types", types);
    let words = ["records", "list", "--type", "flight."];
    assert_eq!(
        offered(&program, &words),
        ["flight.delayed", "flight.landed"]
    );
    let words = ["replay", "--type", "bag"];
    assert_eq!(offered(&program, &words), ["bag.scanned"]);
}

#[test]
fn program_runs_as_ever_where_nobody_asks_for_completions() {
    let program = Program::new();
    for value in ["", "0"] {
        let mut command = program.command(&["--version"]);
        let answer = Answer::of(command.env(VARIABLE, value).output().unwrap());
        assert!(answer.stdout.starts_with("opsconsole "), "{answer:?}");
    }
    // Of other programs with such completions.
    let mut command = program.command(&["--version"]);
    let answer = Answer::of(command.env("COMPLETE", "bash").output().unwrap());
    assert!(answer.stdout.starts_with("opsconsole "), "{answer:?}");
    let answer = Answer::of(ask(&program, "csh", &["sta"]));
    assert_eq!((answer.code, &*answer.stdout, &*answer.stderr), (1, "", ""));
}

/// PowerShell inserts the name of a file as it is, and runs what was typed so far to complete it.
#[test]
fn shell_that_does_not_quote_has_no_completions() {
    let program = Program::new();
    program.write("a;b.json", "");
    for shell in ["powershell", "pwsh"] {
        let answer = Answer::of(ask(&program, shell, &["redrive", "show", "a"]));
        assert_eq!((answer.code, &*answer.stdout, &*answer.stderr), (1, "", ""));
    }
    let refused = program.run(&["completions", "powershell"]);
    assert_eq!((refused.code, &*refused.stdout), (2, ""), "{refused:?}");
    assert!(
        refused.stderr.contains("bash, elvish, fish, zsh"),
        "{refused:?}"
    );
    for shell in ["bash", "elvish", "fish", "zsh"] {
        let script = program.run(&["completions", shell]).stdout;
        assert!(script.contains(VARIABLE), "{shell}: {script}");
    }
}

/// Bash itself: sources the script and completes a line.
fn in_bash(program: &Program, script: &str, words: &str) -> Answer {
    let text = format!(
        "source {script}\nCOMP_WORDS=(opsconsole {words})\nCOMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
         _clap_complete_opsconsole opsconsole \"${{COMP_WORDS[COMP_CWORD]}}\"\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    );
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", &text])
        .current_dir(program.home());
    bash.env("XDG_CONFIG_HOME", program.home().join("config"));
    bash.env("XDG_STATE_HOME", program.home().join("state"));
    bash.env_remove("OPSCONSOLE_CONFIG");
    Answer::of(bash.output().unwrap())
}

#[test]
fn bash_completes_by_the_script_and_a_program_that_is_gone_is_no_message() {
    let program = Program::new();
    program.configure(&environment_at("pilot", NOBODY, ""));
    let script = program.run(&["completions", "bash"]).stdout;
    let path = program.write("script", &script);
    let path = path.to_str().unwrap();
    let answer = in_bash(&program, path, "status --env ''");
    assert_eq!((&*answer.stdout, &*answer.stderr), ("pilot\n", ""));
    // The name of a file is for its maker to choose.
    program.write("$(touch owned)", "");
    program.write("$\n--yes\u{1b}[2J", "");
    let answer = in_bash(&program, path, "redrive show '$'");
    assert_eq!(
        (&*answer.stdout, &*answer.stderr),
        ("'$(touch owned)'\n", "")
    );
    let gone = script.replace(env!("CARGO_BIN_EXE_opsconsole"), "/nowhere/opsconsole");
    assert_ne!(gone, script);
    fs::write(path, gone).unwrap();
    let answer = in_bash(&program, path, "status --env ''");
    assert_eq!((&*answer.stdout, &*answer.stderr), ("\n", ""));
}
