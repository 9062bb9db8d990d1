//! The settings of the function, from environment variables.
//!
//! Invariant: they are read once, at the start; a setting that cannot be used stops the function with
//! an error that names it.

use store::{IamLogIn, SettingsError, Variables};

use crate::queue_client::QueueAccess;

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
}

impl Settings {
    /// Reads the variables; an empty one counts as absent.
    ///
    /// # Errors
    /// Names the first required variable that is absent.
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
}
