//! Which lines are wanted.
//!
//! Invariant: the time of a search grows with the length of a line, whatever is looked for in it.

use memchr::memmem::Finder;

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
        LogSearch::new(self.clone()).takes(line)
    }
}

/// A filter that is ready to judge many lines.
#[derive(Clone, Debug, Default)]
pub struct LogSearch {
    filter: LogFilter,
    /// The texts in lower case.
    finders: Vec<Finder<'static>>,
    /// The text that is searched, in lower case: kept, so that not each line allocates.
    lower: Vec<u8>,
}

impl LogSearch {
    /// Prepares a filter.
    #[must_use]
    pub fn new(filter: LogFilter) -> Self {
        let finder = |text: &String| Finder::new(&text.to_ascii_lowercase()).into_owned();
        Self {
            finders: filter.texts.iter().map(finder).collect(),
            filter,
            lower: Vec::new(),
        }
    }

    /// The filter.
    #[must_use]
    pub const fn filter(&self) -> &LogFilter {
        &self.filter
    }

    /// Whether a line is wanted.
    #[must_use]
    pub fn takes(&mut self, line: &LogLine) -> bool {
        let filter = &self.filter;
        let is_of = |id: &String| line.request_id.as_ref() == Some(id);
        let has_members = filter
            .function
            .is_none_or(|function| function == line.function)
            && filter
                .level
                .is_none_or(|least| line.level.is_none_or(|level| level >= least))
            && filter.request_id.as_ref().is_none_or(is_of);
        if !has_members || self.finders.is_empty() {
            return has_members;
        }
        // As it was written, or as it is shown: no text contains the byte between them.
        self.lower.clear();
        self.lower.extend_from_slice(line.text.as_bytes());
        self.lower.push(BETWEEN);
        self.lower.extend_from_slice(line.summary.as_bytes());
        self.lower.make_ascii_lowercase();
        let mut finders = self.finders.iter();
        finders.all(|finder| finder.find(&self.lower).is_some())
    }
}

/// No byte of UTF-8.
const BETWEEN: u8 = 0xff;

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
            let filter = LogFilter { texts: vec![part], ..LogFilter::default() };
            // What is written and what is shown are not one text.
            let mut shown = line(LogFunction::Api, &text);
            shown.summary = String::new();
            proptest::prop_assert_eq!(filter.takes(&shown), expected);
            std::mem::swap(&mut shown.summary, &mut shown.text);
            proptest::prop_assert_eq!(filter.takes(&shown), expected);
        }
    }
}
