//! The command of a tunnel, from the entry of an environment.
//!
//! Invariant: the text is divided into words before anything is put in, so nothing that is put in begins another word,
//! and no shell reads it. Pure.

/// Where the tunnel ends: the database's own host.
const HOST: &str = "{host}";
const PORT: &str = "{port}";
/// Where it begins: a free port of this machine.
const LOCAL_PORT: &str = "{local_port}";

/// The words of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TunnelCommand(Vec<String>);

impl TunnelCommand {
    /// Divides the text as a shell does, with quotes, but without variables and patterns.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let words =
            shell_words::split(text).map_err(|_| "has a quote without an end".to_owned())?;
        if words.is_empty() {
            return Err("is empty".to_owned());
        }
        if !words.iter().any(|word| word.contains(LOCAL_PORT)) {
            return Err(format!(
                "has no {LOCAL_PORT}: opsconsole chooses a free port of this machine and puts it there"
            ));
        }
        Ok(Self(words))
    }

    /// The words for this database and this port of the machine.
    pub(super) fn words(&self, host: &str, port: u16, local_port: u16) -> Vec<String> {
        let filled = |word: &String| {
            word.replace(LOCAL_PORT, &local_port.to_string())
                .replace(PORT, &port.to_string())
                .replace(HOST, host)
        };
        self.0.iter().map(filled).collect()
    }

    /// The program, for messages.
    pub(super) fn program(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_gets_host_and_ports_and_no_further_word() {
        let text = r#"aws ssm start-session --parameters '{"host":["{host}"],"portNumber":["{port}"],"localPortNumber":["{local_port}"]}'"#;
        let command = TunnelCommand::parse(text).unwrap();
        assert_eq!(command.program(), "aws");
        let words = command.words("db.example; rm -rf $HOME", 5432, 40_001);
        assert_eq!(
            words,
            [
                "aws",
                "ssm",
                "start-session",
                "--parameters",
                r#"{"host":["db.example; rm -rf $HOME"],"portNumber":["5432"],"localPortNumber":["40001"]}"#
            ]
        );
    }

    #[test]
    fn command_that_cannot_work_is_refused() {
        for (text, expected) in [
            ("", "is empty"),
            ("ssh -L '1", "quote"),
            ("ssh -N -L 5432:{host}:{port} bastion", "{local_port}"),
        ] {
            let error = TunnelCommand::parse(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
