//! Runs the command of a token.
//!
//! Invariant: the command ends within the limit. Of its errors the last line is shown, of its output nothing.

use std::ffi::OsStr;
use std::time::{Duration, SystemTime};

use reqwest::header::HeaderValue;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::command::TokenCommand;
use super::jwt::used_until;
use super::token::Token;
use crate::guarded::Guarded;
use crate::last_line::{LastLine, keep_last};

/// Time limit of the command, below that of a question to the API.
pub(super) const TOKEN_LIMIT: Duration = Duration::from_secs(8);
/// Most bytes of its output that are read: a token and what may stand around it.
const OUTPUT_BYTES_MAX: u64 = 16 * 1024;

/// A token, or why there is none.
pub(super) async fn fetch(command: &TokenCommand, limit: Duration) -> Result<Token, String> {
    let program = command.program();
    let told = |why: &str| format!("{program}: {why}");
    let started = Guarded::start(OsStr::new(""), command.words());
    let mut running = started.map_err(|error| failed(program, &error))?;
    let fetched = timeout(limit, output(program, &mut running)).await;
    let output = match fetched {
        Ok(output) => output?,
        Err(_) => {
            running.end().await;
            let secs = limit.as_secs_f64();
            return Err(format!("{program} is not done within {secs} s"));
        }
    };
    let token = output.trim();
    let until = used_until(token, SystemTime::now()).map_err(told)?;
    let header = HeaderValue::try_from(format!("Bearer {token}"));
    let mut header = header.map_err(|_| told("its output is no JSON Web Token"))?;
    header.set_sensitive(true);
    Ok(Token { header, until })
}

fn failed(program: &str, error: &std::io::Error) -> String {
    format!("run {program}: {error}")
}

async fn output(program: &str, running: &mut Guarded) -> Result<String, String> {
    let failed = |error: std::io::Error| failed(program, &error);
    let (stdout, stderr) = running.outputs();
    let last_line = LastLine::default();
    let mut output = Vec::new();
    let reading = async {
        if let Some(stdout) = stdout {
            let mut stdout = stdout.take(OUTPUT_BYTES_MAX);
            stdout.read_to_end(&mut output).await?;
        }
        Ok(())
    };
    let (read, ()) = tokio::join!(reading, keep_last(stderr, last_line.clone()));
    read.map_err(failed)?;
    let status = running.ended().await.map_err(failed)?;
    if !status.success() {
        let last = without_tokens(&last_line.get());
        return Err(match last.as_str() {
            "" => format!("{program} ended with {status}"),
            last => format!("{program} ended with {status}: {last}"),
        });
    }
    String::from_utf8(output).map_err(|_| format!("{program}: its output is no text"))
}

/// The line without anything that may be a token.
fn without_tokens(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        if word.contains("eyJ") {
            "(token)"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn failure(script: &str, limit: Duration) -> String {
        let text = format!("sh -c {}", shell_words::quote(script));
        let command = TokenCommand::parse(&text).unwrap();
        fetch(&command, limit).await.unwrap_err()
    }

    #[tokio::test]
    async fn failed_command_is_told_with_its_last_line_and_never_with_a_token() {
        let told = failure(
            "echo first >&2; echo 'expired: run idp login' >&2; exit 3",
            TOKEN_LIMIT,
        )
        .await;
        assert_eq!(told, "sh ended with exit status: 3: expired: run idp login");
        // Put together there, because a command with a token is refused.
        let told = failure(
            "a=ey; echo \"bad ${a}JhbGci.e30.s3cret\" >&2; exit 1",
            TOKEN_LIMIT,
        )
        .await;
        assert_eq!(told, "sh ended with exit status: 1: bad (token)");
        let told = failure("echo s3cret", TOKEN_LIMIT).await;
        assert!(told.contains("no JSON Web Token"), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
        let told = failure("exit 1", TOKEN_LIMIT).await;
        assert_eq!(told, "sh ended with exit status: 1");
    }

    #[tokio::test]
    async fn program_that_does_not_exist_is_named() {
        let command = TokenCommand::parse("no-such-program").unwrap();
        let told = fetch(&command, TOKEN_LIMIT).await.unwrap_err();
        assert!(told.contains("no-such-program"), "{told}");
    }

    #[tokio::test]
    async fn command_that_hangs_ends_at_the_limit() {
        let told = failure("exec sleep 600", Duration::from_millis(50)).await;
        assert_eq!(told, "sh is not done within 0.05 s");
    }
}
