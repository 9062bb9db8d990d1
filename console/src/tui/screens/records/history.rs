//! Lines that were applied: the newest last, each once. Pure; bounded.

/// Lines that are remembered.
const LINES_MAX: usize = 50;

pub(super) fn remember(lines: &mut Vec<String>, line: &str) {
    if line.is_empty() {
        return;
    }
    lines.retain(|earlier| earlier != line);
    lines.push(line.to_owned());
    let surplus = lines.len().saturating_sub(LINES_MAX);
    lines.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_lines_are_kept_once_each() {
        let mut lines = Vec::new();
        for line in ["a", "b", "", "a"] {
            remember(&mut lines, line);
        }
        assert_eq!(lines, ["b", "a"]);
        for number in 0..LINES_MAX {
            remember(&mut lines, &number.to_string());
        }
        assert_eq!((lines.len(), lines[0].as_str()), (LINES_MAX, "0"));
    }
}
