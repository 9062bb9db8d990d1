//! Environment variables of the Lambda functions, read in the same way by all of them.
//!
//! Invariant: an invalid setting is an error that names the variable and what is allowed. This module
//! never reads the environment itself; the caller passes a function that does.

/// A setting that is missing or invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read settings: the environment variable {variable} {problem}")]
pub struct SettingsError {
    /// Name of the variable.
    pub variable: &'static str,
    /// What is wrong: the rest of a sentence that starts with the variable's name.
    pub problem: String,
}

/// Environment variables by name; an empty one counts as absent.
#[derive(Clone, Copy, Debug)]
pub struct Variables<F>(F);

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    /// Variables whose values `variable` returns.
    pub const fn new(variable: F) -> Self {
        Self(variable)
    }

    /// The value of a required variable.
    ///
    /// # Errors
    /// When it is absent or empty.
    pub fn required(&self, variable: &'static str) -> Result<String, SettingsError> {
        self.value(variable).ok_or_else(|| SettingsError {
            variable,
            problem: "is not set".to_owned(),
        })
    }

    /// The parsed value of an optional variable.
    ///
    /// # Errors
    /// The error of `parse`: the rest of a sentence that starts with the variable's name.
    pub fn optional<T>(
        &self,
        variable: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, SettingsError> {
        self.value(variable)
            .map(|text| parse(&text).map_err(|problem| SettingsError { variable, problem }))
            .transpose()
    }

    /// A setting that is on or off; absent, it is off.
    ///
    /// # Errors
    /// When it is neither `true` nor `false`.
    pub fn flag(&self, variable: &'static str) -> Result<bool, SettingsError> {
        let flag = self.optional(variable, |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(format!("is {other:?}, not \"true\" or \"false\"")),
        })?;
        Ok(flag.unwrap_or(false))
    }

    fn value(&self, variable: &str) -> Option<String> {
        (self.0)(variable).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_variable_is_absent_and_a_wrong_one_is_named() {
        let variables = Variables::new(|name: &str| match name {
            "EMPTY" => Some(String::new()),
            "NUMBER" => Some("seven".to_owned()),
            _ => None,
        });
        let number = |text: &str| text.parse::<u8>().map_err(|_| format!("is {text:?}"));
        assert_eq!(variables.optional("EMPTY", number), Ok(None));
        assert_eq!(
            variables.required("EMPTY").unwrap_err().to_string(),
            "read settings: the environment variable EMPTY is not set"
        );
        assert_eq!(
            variables
                .optional("NUMBER", number)
                .unwrap_err()
                .to_string(),
            "read settings: the environment variable NUMBER is \"seven\""
        );
    }
}
