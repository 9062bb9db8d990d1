//! A command as a manual page: its help texts in the sections that manual pages have.
//!
//! Invariant: no section is empty; every line of a help text is on the page.

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

const SECTION: &str = "1";
const MANUAL: &str = "opsconsole manual";
/// The same version gives the same page. An empty text would be no argument, and what follows would take its place.
const NO_DATE: &str = " ";
/// Further sections of the page of the program itself.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("OPSCONSOLE_ENV", "The environment to use, as --env."),
    ("OPSCONSOLE_CONFIG", "The configuration file, as --config."),
    (
        "OPSCONSOLE_LOG",
        "What commands log to standard error, e.g. opsconsole=debug.",
    ),
    ("NO_COLOR", "Where it is set, the console uses no colours."),
];
const FILES: [(&str, &str); 2] = [
    (
        "~/.config/opsconsole/config.toml",
        "The environments, one table [environments.NAME] each.",
    ),
    (
        "~/.local/state/opsconsole",
        "Journals of redrives, saved plans, copies of deleted messages, the audit log.",
    ),
];

/// A page and the name of its file.
pub(super) struct Page {
    pub(super) file_name: String,
    pub(super) roff: Vec<u8>,
}

/// The pages of a program and of all its commands that are not hidden.
pub(super) fn all(program: Command) -> Vec<Page> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    add(&program, None, &mut pages);
    pages
}

fn add(command: &Command, parent: Option<&str>, pages: &mut Vec<Page>) {
    let name = name_of(command).to_owned();
    pages.push(Page {
        file_name: format!("{name}.{SECTION}"),
        // Bytes in memory take everything.
        roff: page(command, parent).unwrap_or_default(),
    });
    for child in shown(command) {
        add(child, Some(&name), pages);
    }
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|child| !child.is_hide_set())
}

fn name_of(command: &Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

fn page(command: &Command, parent: Option<&str>) -> std::io::Result<Vec<u8>> {
    let man = Man::new(command.clone().subcommand_value_name("COMMAND"))
        .section(SECTION)
        .date(NO_DATE)
        .source(concat!("opsconsole ", env!("CARGO_PKG_VERSION")))
        .manual(MANUAL);
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if shown(command).next().is_some() {
        man.render_subcommands_section(&mut out)?;
    }
    let after = command.get_after_long_help().or(command.get_after_help());
    let after = after.map(ToString::to_string).unwrap_or_default();
    let mut roff = Roff::new();
    for section in Section::ALL {
        let blocks = blocks(&after, section);
        if !blocks.is_empty() {
            roff.control("SH", [section.heading()]);
            blocks.iter().for_each(|block| write(&mut roff, block));
        }
    }
    if parent.is_none() {
        list(&mut roff, "ENVIRONMENT", &ENVIRONMENT);
        list(&mut roff, "FILES", &FILES);
    }
    see_also(&mut roff, command, parent);
    roff.to_writer(&mut out)?;
    Ok(out)
}

/// Where a part of a help text goes, in the order of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Notes,
    Json,
    ExitStatus,
    Examples,
}

impl Section {
    const ALL: [Self; 4] = [Self::Notes, Self::Json, Self::ExitStatus, Self::Examples];

    const fn heading(self) -> &'static str {
        match self {
            Self::Notes => "NOTES",
            Self::Json => "JSON OUTPUT",
            Self::ExitStatus => "EXIT STATUS",
            Self::Examples => "EXAMPLES",
        }
    }

    /// The section that a line begins.
    fn begun_by(line: &str) -> Option<Self> {
        if line.starts_with("Examples:") {
            Some(Self::Examples)
        } else if line.starts_with("JSON output") {
            Some(Self::Json)
        } else if line.starts_with("Exit code") {
            Some(Self::ExitStatus)
        } else {
            None
        }
    }
}

/// The paragraphs of a help text that belong to a section, without the lines that only name it. A section that begins
/// within a paragraph lasts until its end.
fn blocks(text: &str, wanted: Section) -> Vec<Vec<&str>> {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    let mut section = Section::Notes;
    let mut is_new = true;
    for line in text.lines() {
        if line.trim().is_empty() {
            section = Section::Notes;
            is_new = true;
            continue;
        }
        if let Some(begun) = Section::begun_by(line) {
            section = begun;
        }
        let is_name = line == "Examples:" || line == "Exit codes:";
        if section != wanted || is_name {
            continue;
        }
        match blocks.last_mut() {
            Some(block) if !is_new => block.push(line),
            Some(_) | None => blocks.push(vec![line]),
        }
        is_new = false;
    }
    blocks
}

/// Lines that are indented stay as they are; the others are filled.
fn write(roff: &mut Roff, block: &[&str]) {
    roff.control("PP", []);
    let mut is_as_written = false;
    for line in block {
        let indented = line.starts_with("  ");
        if indented != is_as_written {
            roff.control(if indented { "nf" } else { "fi" }, []);
        }
        is_as_written = indented;
        roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    if is_as_written {
        roff.control("fi", []);
    }
}

fn list(roff: &mut Roff, heading: &str, entries: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (name, text) in entries {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text([roman(*text)]);
    }
}

fn see_also(roff: &mut Roff, command: &Command, parent: Option<&str>) {
    let parent = parent.map(str::to_owned).into_iter();
    let children = shown(command).map(|child| name_of(child).to_owned());
    let pages: Vec<String> = parent
        .chain(children)
        .map(|name| format!("{name}({SECTION})"))
        .collect();
    if !pages.is_empty() {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([roman(pages.join(", "))]);
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Arguments;

    /// The sections of a page with the texts in them, without requests.
    fn sections(page: &Page) -> Vec<(String, String)> {
        let text = String::from_utf8(page.roff.clone()).unwrap();
        let mut sections: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            if let Some(heading) = line.strip_prefix(".SH ") {
                sections.push((heading.trim_matches('"').to_owned(), String::new()));
            } else if let Some((_, text)) = sections.last_mut()
                && !line.starts_with('.')
            {
                text.push_str(line);
                text.push('\n');
            }
        }
        sections
    }

    /// The commands with their names, as the pages are named.
    fn names(command: &Command, name: &str, out: &mut Vec<String>) {
        out.push(name.to_owned());
        for child in shown(command).filter(|child| child.get_name() != "help") {
            names(child, &format!("{name}-{}", child.get_name()), out);
        }
    }

    #[test]
    fn every_command_has_a_page_without_an_empty_section() {
        let pages = all(Arguments::command());
        let mut expected = Vec::new();
        names(&Arguments::command(), "opsconsole", &mut expected);
        let found: Vec<String> = pages
            .iter()
            .map(|page| page.file_name.trim_end_matches(".1").to_owned())
            .collect();
        assert_eq!(found, expected);
        assert!(found.contains(&"opsconsole-redrive-native-start".to_owned()));
        assert!(
            !found.contains(&"opsconsole-man".to_owned()),
            "it is hidden"
        );
        for page in &pages {
            let sections = sections(page);
            let headings: Vec<&str> = sections.iter().map(|(heading, _)| &**heading).collect();
            let first = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"];
            assert_eq!(headings[..4], first, "{}", page.file_name);
            for (heading, text) in &sections {
                assert!(!text.trim().is_empty(), "{}: {heading}", page.file_name);
            }
            assert!(page.roff.starts_with(b".ie") || page.roff.starts_with(b".TH"));
        }
    }

    #[test]
    fn help_text_goes_into_its_sections_and_nothing_is_left_out() {
        let text = "Examples:\n  a --b\n  c\n\nA note\nof two lines.\n\nJSON output: {..}.\nMore of it.\n\
            Exit code 1 if it failed.\n\nExit codes:\n  0  done\n\nThe end.";
        let of = |section| blocks(text, section);
        assert_eq!(of(Section::Examples), [["  a --b", "  c"]]);
        let notes: [&[&str]; 2] = [&["A note", "of two lines."], &["The end."]];
        assert_eq!(of(Section::Notes), notes);
        assert_eq!(of(Section::Json), [["JSON output: {..}.", "More of it."]]);
        let exits = [["Exit code 1 if it failed."], ["  0  done"]];
        assert_eq!(of(Section::ExitStatus), exits);
    }

    #[test]
    fn every_line_of_every_help_text_is_on_its_page() {
        fn check(command: &Command, pages: &[Page]) {
            let name = format!("{}.{SECTION}", name_of(command));
            let page = pages.iter().find(|page| page.file_name == name).unwrap();
            let plain = |text: &str| text.replace(['\\', ' ', '&'], "");
            let roff = plain(&String::from_utf8(page.roff.clone()).unwrap());
            let after = command.get_after_help().map(ToString::to_string);
            for line in after.unwrap_or_default().lines() {
                let is_name = line == "Examples:" || line == "Exit codes:";
                // As roff writes it.
                let line = plain(&line.replace('\'', "\\*(Aq"));
                assert!(is_name || roff.contains(&line), "{name} has no {line:?}");
            }
            for child in shown(command) {
                check(child, pages);
            }
        }
        let mut program = Arguments::command().disable_help_subcommand(true);
        program.build();
        check(&program, &all(Arguments::command()));
    }
}
