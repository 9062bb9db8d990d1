//! What `opsconsole demo` answers where it was built without the feature `demo`.

use super::CommandError;

pub(super) fn answer() -> CommandError {
    CommandError::Usage(
        "this opsconsole was built without the demo: run `cargo demo` in a checkout of its source code"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    #[test]
    fn one_sentence_says_how_to_get_the_demo() {
        let error = answer();
        assert_eq!(error.exit(), Exit::Usage);
        assert_eq!(
            error.to_string(),
            "this opsconsole was built without the demo: run `cargo demo` in a checkout of its source code"
        );
        assert_eq!(error.hint(), None);
    }
}
