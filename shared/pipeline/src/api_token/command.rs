//! The command that prints a token, from the entry of an environment.
//!
//! Invariant: no shell reads it, and it holds no secret itself. Pure.

use reqwest::Url;

/// What names a secret that follows, in an option, a form or a header.
const SECRET_NAMES: [&str; 5] = [
    "password",
    "passwd",
    "client-secret",
    "client_secret",
    "secret-key",
];
/// A token itself: the beginning of `{"` in base64.
const TOKEN_BEGINS: &str = "eyJ";

/// The words of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenCommand(Vec<String>);

impl TokenCommand {
    /// Divides the text as a shell does, with quotes, but without variables and patterns. The error never repeats it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let words =
            shell_words::split(text).map_err(|_| "has a quote without an end".to_owned())?;
        if words.is_empty() {
            return Err("is empty".to_owned());
        }
        if holds_secret(&words) {
            return Err(
                "holds a secret, and this file is no place for it: let the command read it from a \
                 file, a keychain or a variable"
                    .to_owned(),
            );
        }
        Ok(Self(words))
    }

    pub(super) fn words(&self) -> &[String] {
        &self.0
    }

    /// The program, for messages.
    pub(super) fn program(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }
}

/// Whether a word is a token, or a secret stands beside its name: `--password x`, `client_secret=x`, `https://u:x@h`.
/// A name with `file` or `@` leads to a place, and is none.
fn holds_secret(words: &[String]) -> bool {
    let names_secret = |word: &str| {
        let name = word.split_once('=').map_or(word, |(name, _)| name);
        let name = name.trim_start_matches('-').to_ascii_lowercase();
        SECRET_NAMES.contains(&name.as_str())
    };
    let is_inline = |value: &str| !value.is_empty() && !value.starts_with(['@', '-']);
    let beside_its_name = words.windows(2).any(|pair| match pair {
        [name, value] => {
            name.starts_with('-') && !name.contains('=') && names_secret(name) && is_inline(value)
        }
        _ => false,
    });
    let in_itself = words
        .iter()
        .flat_map(|word| word.split(['&', ' ', ',']))
        .any(|part| {
            let is_pair = part
                .split_once('=')
                .is_some_and(|(_, value)| names_secret(part) && is_inline(value));
            let in_url = Url::parse(part).is_ok_and(|url| url.password().is_some());
            is_pair || in_url || begins_a_token(part)
        });
    beside_its_name || in_itself
}

/// Whether it, or what follows `=`, `:` or a quote in it, begins as a token does.
fn begins_a_token(part: &str) -> bool {
    let mut values = part.split(['=', ':', '"', '\'']);
    values.any(|value| value.starts_with(TOKEN_BEGINS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_is_divided_as_a_shell_does_and_read_by_none() {
        let command =
            TokenCommand::parse("az account get-access-token --query 'a b' -o tsv").unwrap();
        assert_eq!(command.program(), "az");
        assert_eq!(command.words()[4], "a b");
        for (text, expected) in [("", "is empty"), ("sh -c 'x", "quote")] {
            let error = TokenCommand::parse(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn secret_in_the_command_is_refused_and_not_repeated() {
        for text in [
            "echo eyJhbGciOiJub25lIn0.e30.hunter2",
            "get-token --bearer=eyJhbGciOiJub25lIn0.e30.hunter2",
            "curl -H Authorization:eyJhbGciOiJub25lIn0.e30.hunter2 https://idp.example",
            "curl -d '{\"token\":\"eyJhbGciOiJub25lIn0.e30.hunter2\"}' https://idp.example",
            "get-token --password hunter2",
            "get-token --client-secret=hunter2",
            "curl -d 'grant_type=client_credentials&client_secret=hunter2' https://idp.example",
            "curl https://me:hunter2@idp.example/token",
            "aws cognito-idp initiate-auth --auth-parameters USERNAME=me,PASSWORD=hunter2",
        ] {
            let error = TokenCommand::parse(text).unwrap_err();
            assert!(error.contains("keychain"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        for text in [
            "get-token --password-file /run/secret",
            "curl -d client_secret=@/run/secret https://idp.example",
            "secret-tool lookup service pilot",
            "get-token --keyJson /run/key --journeyJson=/run/journeyJson",
            "aws cognito-idp initiate-auth --query AuthenticationResult.AccessToken",
        ] {
            assert!(TokenCommand::parse(text).is_ok(), "{text}");
        }
    }
}
