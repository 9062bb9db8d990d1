//! What a function is told by its environment, read in the same way by all of them.
//!
//! Invariant: a setting that cannot be used is an error that names it and what would be right. The
//! environment itself is the caller's.

/// A setting that is missing or cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read settings: the environment variable {variable} {problem}")]
pub struct SettingsError {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

/// Variables by their names; an empty one counts as absent.
#[derive(Clone, Copy, Debug)]
pub struct Variables<F>(F);

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    /// Variables that `variable` gives the values of.
    pub const fn new(variable: F) -> Self {
        Self(variable)
    }

    /// The value of a variable that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn required(&self, variable: &'static str) -> Result<String, SettingsError> {
        self.given(variable).ok_or_else(|| SettingsError {
            variable,
            problem: "is not set".to_owned(),
        })
    }

    /// The value of a variable that may be absent, as `parse` reads it.
    ///
    /// # Errors
    /// What `parse` says of the value: a sentence that follows the variable's name.
    pub fn optional<T>(
        &self,
        variable: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, SettingsError> {
        self.given(variable)
            .map(|text| parse(&text).map_err(|problem| SettingsError { variable, problem }))
            .transpose()
    }

    fn given(&self, variable: &str) -> Option<String> {
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
