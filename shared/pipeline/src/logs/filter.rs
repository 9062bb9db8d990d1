//! Which lines are wanted.

use super::function::LogFunction;
use super::level::LogLevel;
use super::line::LogLine;

/// What a line must have; the default takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// The function that wrote it.
    pub function: Option<LogFunction>,
    /// Its least level. A line without one is wanted too: it may be a further line of a panic.
    pub level: Option<LogLevel>,
    /// The request that it belongs to.
    pub request_id: Option<String>,
    /// Texts that it contains, all of them; the case of ASCII letters does not matter.
    pub texts: Vec<String>,
}

impl LogFilter {
    /// Whether a line is wanted.
    #[must_use]
    pub fn takes(&self, line: &LogLine) -> bool {
        let is_of = |id: &String| line.request_id.as_ref() == Some(id);
        self.function
            .is_none_or(|function| function == line.function)
            && self
                .level
                .is_none_or(|least| line.level.is_none_or(|level| level >= least))
            && self.request_id.as_ref().is_none_or(is_of)
            && self.texts.iter().all(|text| {
                // As it was written, or as it is shown.
                contains(&line.text, text) || contains(&line.summary, text)
            })
    }
}

/// Whether a text contains another one, without regard to the case of ASCII letters. Nothing is allocated: tens of
/// thousands of lines are searched at each key.
fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    let Some(first) = part.first() else {
        return true;
    };
    let starts = text.windows(part.len());
    let mut starts = starts.filter(|window| {
        window
            .first()
            .is_some_and(|byte| byte.eq_ignore_ascii_case(first))
    });
    starts.any(|window| window.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn line(function: LogFunction, text: &str) -> LogLine {
        LogLine::parse(function, DateTime::UNIX_EPOCH, text)
    }

    #[test]
    fn line_is_taken_where_it_has_all_that_is_wanted() {
        let refused = line(
            LogFunction::Ingest,
            r#"{"level":"WARN","message":"Batch handled","request_id":"r-1","dead_lettered":1}"#,
        );
        let filter = |change: fn(&mut LogFilter)| {
            let mut filter = LogFilter::default();
            change(&mut filter);
            filter.takes(&refused)
        };
        assert!(LogFilter::default().takes(&refused));
        assert!(filter(|f| f.level = Some(LogLevel::Warn)));
        assert!(!filter(|f| f.level = Some(LogLevel::Error)));
        assert!(!filter(|f| f.function = Some(LogFunction::Api)));
        assert!(filter(|f| f.request_id = Some("r-1".to_owned())));
        assert!(!filter(|f| f.request_id = Some("r".to_owned())));
        assert!(filter(
            |f| f.texts = vec!["bAtch".to_owned(), "\"dead_lettered\":1".to_owned()]
        ));
        assert!(filter(|f| f.texts = vec!["dead_lettered=1".to_owned()]));
        assert!(!filter(
            |f| f.texts = vec!["batch".to_owned(), "é".to_owned()]
        ));
    }

    #[test]
    fn line_without_a_level_is_never_hidden_by_one() {
        let filter = LogFilter {
            level: Some(LogLevel::Error),
            ..LogFilter::default()
        };
        assert!(filter.takes(&line(LogFunction::Api, "index out of bounds")));
        assert!(!filter.takes(&line(LogFunction::Api, "END RequestId: r-1")));
    }

    proptest::proptest! {
        #[test]
        fn text_is_found_as_in_lower_case(text in "[a-cA-Cé]{0,12}", part in "[a-cA-Cé]{0,3}") {
            let expected = text.to_ascii_lowercase().contains(&part.to_ascii_lowercase());
            proptest::prop_assert_eq!(contains(&text, &part), expected);
        }
    }
}
