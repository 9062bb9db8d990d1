//! The settings of the function, from environment variables.
//!
//! Invariant: they are read once, at the start; a setting that cannot be used stops the function with
//! an error that names it.

use store::{IamLogIn, SettingsError, Variables};

use crate::queue_client::QueueAccess;

/// The variable that permits messages to replace stored records.
pub(crate) const REPLACEMENTS_ALLOWED: &str = "REPLACEMENTS_ALLOWED";

/// Settings of the function.
#[derive(Clone)]
pub struct Settings {
    /// `DATABASE_URL`.
    pub database_url: String,
    /// The IAM log-in for a URL without a password (`DATABASE_IAM_AUTH`).
    pub log_in: Option<IamLogIn>,
    /// `DEAD_LETTER_QUEUE_URL`. Without it permanent failures are reported as batch item failures,
    /// and SQS dead-letters them without a reason.
    pub dead_letter_queue_url: Option<String>,
    /// Read only with a dead-letter queue.
    pub queue_access: Option<QueueAccess>,
    /// Whether messages may replace stored records (`REPLACEMENTS_ALLOWED`; absent: no).
    pub replacements_allowed: bool,
}

impl Settings {
    /// Reads the variables; an empty one counts as absent.
    ///
    /// # Errors
    /// Names the first variable that is required and absent, or invalid.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let variables = Variables::new(variable);
        let dead_letter_queue_url =
            variables.optional("DEAD_LETTER_QUEUE_URL", |text| Ok(text.to_owned()))?;
        let queue_access = match dead_letter_queue_url {
            Some(_) => Some(QueueAccess::from_variables(&variables)?),
            None => None,
        };
        Ok(Self {
            database_url: variables.required("DATABASE_URL")?,
            log_in: IamLogIn::from_variables(&variables)?,
            dead_letter_queue_url,
            queue_access,
            replacements_allowed: variables.flag(REPLACEMENTS_ALLOWED)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_is_required_and_the_queue_is_not() {
        let error = Settings::read(|_| None).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("DATABASE_URL"));
        let settings = Settings::read(|name| {
            (name == "DATABASE_URL").then(|| "postgres://localhost/x".to_owned())
        })
        .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(settings.dead_letter_queue_url, None);
    }

    #[test]
    fn records_are_replaced_only_where_the_setting_says_true() {
        let allowed = |value: Option<&str>| {
            Settings::read(|name| match name {
                "DATABASE_URL" => Some("postgres://localhost/x".to_owned()),
                REPLACEMENTS_ALLOWED => value.map(str::to_owned),
                _ => None,
            })
            .map(|settings| settings.replacements_allowed)
        };
        assert_eq!(allowed(None), Ok(false));
        assert_eq!(allowed(Some("")), Ok(false));
        assert_eq!(allowed(Some("false")), Ok(false));
        assert_eq!(allowed(Some("true")), Ok(true));
        for other in ["1", "yes", "TRUE"] {
            let error = allowed(Some(other)).unwrap_err();
            assert_eq!(error.variable, REPLACEMENTS_ALLOWED);
        }
    }
}
