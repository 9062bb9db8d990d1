//! The body that an operation takes. Pure; invariant: what is refused here the API would refuse as well.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Most bytes of a body.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The JSON object that an operation takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiBody {
    /// The one that the document shows, laid out.
    pub example: String,
    /// Members that it must have.
    pub required: Vec<String>,
    /// All members that it may have; `None` where others are allowed.
    pub known: Option<Vec<String>>,
}

impl ApiBody {
    /// What is wrong with a text.
    ///
    /// # Errors
    /// In words, with the line of the fault (from 0) where it is known.
    pub fn check(&self, text: &str) -> Result<(), (String, Option<usize>)> {
        if text.len() > BODY_BYTES_MAX {
            return Err((format!("is longer than {BODY_BYTES_MAX} bytes"), None));
        }
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|error| {
            let line = error.line().checked_sub(1);
            (format!("is no JSON object: {error}"), line)
        })?;
        if let Some(missing) = self
            .required
            .iter()
            .find(|name| !members.contains_key(*name))
        {
            return Err((format!("has no {missing:?}, which is required"), None));
        }
        let Some(known) = &self.known else {
            return Ok(());
        };
        match members.keys().find(|name| !known.contains(name)) {
            Some(name) => {
                let text = format!("unknown: {name:?}; it has {}", known.join(", "));
                Err((text, None))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_is_judged_before_it_is_sent() {
        let body = ApiBody {
            example: String::new(),
            required: vec!["identities".to_owned()],
            known: Some(vec!["identities".to_owned(), "payload_sha256".to_owned()]),
        };
        let said = |text: &str| body.check(text).unwrap_err();
        assert_eq!(body.check(r#"{"identities": []}"#), Ok(()));
        let (text, line) = said("{\n  \"identities\": [\n}");
        assert!(text.contains("is no JSON object"), "{text}");
        assert_eq!(line, Some(2));
        assert!(said("[]").0.contains("is no JSON object"));
        assert!(said("{}").0.contains("has no \"identities\""));
        let unknown = r#"{"identities": [], "other": 1}"#;
        assert!(said(unknown).0.contains("unknown: \"other\""));
        let open = ApiBody::default();
        assert_eq!(open.check(unknown), Ok(()));
    }
}
