//! Makes `screenshots/*.svg` from the running program:
//! `cargo run -p opsconsole --example screenshots`.
//!
//! Starts the demo in a pseudo-terminal, waits for what each screen is about, and draws what the
//! terminal shows. Nothing in the pictures is made by hand. `--example architecture` draws the picture of the
//! architecture.
//!
//! The SVG is written here, because each run of cells must start at its column and have its length
//! whatever font the reader has; else the lines of boxes break. `anstyle-svg` places a line of text
//! and leaves the widths to the font, and `svg-term`, `freeze` and `agg` are programs of other
//! languages or make bitmaps.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[path = "../tests/support/pty.rs"]
#[expect(
    dead_code,
    clippy::indexing_slicing,
    reason = "shared with the tests, which use more of it"
)]
mod pty;
#[path = "../tests/support/signals.rs"]
mod signals;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pty::Session;

const SIZE: (u16, u16) = (144, 40);
const START: Duration = Duration::from_secs(600);
const STEP: Duration = Duration::from_secs(90);

fn main() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap();
    let program = build(&workspace);
    let folder = workspace.join("screenshots");
    std::fs::create_dir_all(&folder).unwrap();

    let mut session = Session::start(&program, &["demo", "--rate", "40"], &[], SIZE);
    session.wait_for("rows/s", START);
    session.wait(
        "a line in every chart",
        Duration::from_secs(300),
        |screen| screen.contains("Lag in ms") && !screen.contains("too few values"),
    );
    session.wait("dead letters", STEP, |screen| {
        screen.contains("dead letters in")
    });
    save(&session, &folder.join("overview.svg"));

    session.press("2");
    session.wait_for("Message 1 / ", STEP);
    session.press("j");
    session.wait_for("Message 2 / ", STEP);
    session.wait("the message's body", STEP, |screen| {
        screen.contains("specversion") && !screen.contains("loading")
    });
    save(&session, &folder.join("dead-letters.svg"));

    session.press("/.time == null\r");
    session.wait_for(" found", STEP);
    session.press("p.time = (now | todate)\r");
    session.wait_for("become ready", STEP);
    session.press("y");
    session.wait_for("all marked", STEP);
    session.press("r");
    session.wait_for("dry run done", STEP);
    // The foot is drawn last.
    session.wait_for("y send", STEP);
    save(&session, &folder.join("redrive-plan.svg"));
    session.press("\u{1b}");
    session.wait_for("nothing was sent", STEP);

    session.press("5");
    session.wait_for("record_id", STEP);
    save(&session, &folder.join("records.svg"));

    session.press("4");
    session.wait_for("would be stored, unless", STEP);
    session.press("s");
    session.wait_for("readable", STEP);
    session.wait_for("200", STEP);
    save(&session, &folder.join("publish.svg"));

    session.press("q");
    // The edits of the plan that was left.
    session.wait_for("y quits", STEP);
    session.press("y");
    let status = session.wait_for_exit(STEP);
    assert!(status.success(), "the demo ended with {status:?}");
}

fn build(workspace: &Path) -> PathBuf {
    let profile = if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    };
    let status = Command::new(env!("CARGO"))
        .current_dir(workspace)
        .args([
            "build",
            "--package",
            "opsconsole",
            "--bin",
            "opsconsole",
            "--profile",
            profile,
        ])
        .status()
        .unwrap();
    assert!(status.success(), "cargo build failed");
    // target/<profile>/examples/screenshots → target/<profile>/opsconsole
    let own = std::env::current_exe().unwrap();
    own.parent()
        .and_then(Path::parent)
        .unwrap()
        .join("opsconsole")
}

const CELL_WIDTH: f32 = 8.4;
const CELL_HEIGHT: f32 = 18.0;
const MARGIN: f32 = 12.0;
const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d5d8de";

fn save(session: &Session, path: &Path) {
    std::fs::write(path, svg(&session.screen())).unwrap();
    println!("wrote {}", path.file_name().unwrap().to_string_lossy());
}

/// One text element for each run of cells of one style; its length is fixed, so that any
/// monospaced font lines up.
fn svg(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let width = f32::from(columns) * CELL_WIDTH + 2.0 * MARGIN;
    let height = f32::from(rows) * CELL_HEIGHT + 2.0 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"'DejaVu Sans Mono', Menlo, Consolas, \
         monospace\" font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" \
         fill=\"{BACKGROUND}\"/>\n"
    );
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            let first = screen.cell(row, column).unwrap();
            let style = Style::of(first);
            let start = column;
            let mut text = String::new();
            while column < columns {
                let cell = screen.cell(row, column).unwrap();
                if Style::of(cell) != style {
                    break;
                }
                text.push_str(if cell.has_contents() {
                    cell.contents()
                } else {
                    " "
                });
                column += if cell.is_wide() { 2 } else { 1 };
            }
            run(&mut out, (start, row), column - start, &text, &style);
        }
    }
    out.push_str("</svg>\n");
    out
}

#[derive(PartialEq)]
struct Style {
    foreground: String,
    background: Option<String>,
    is_bold: bool,
    is_dim: bool,
    is_underlined: bool,
}

impl Style {
    fn of(cell: &vt100::Cell) -> Self {
        let foreground = colour(cell.fgcolor());
        let background = colour(cell.bgcolor());
        let (foreground, background) = if cell.inverse() {
            let back = foreground.unwrap_or_else(|| FOREGROUND.to_owned());
            (
                background.unwrap_or_else(|| BACKGROUND.to_owned()),
                Some(back),
            )
        } else {
            (
                foreground.unwrap_or_else(|| FOREGROUND.to_owned()),
                background,
            )
        };
        Self {
            foreground,
            background,
            is_bold: cell.bold(),
            is_dim: cell.dim(),
            is_underlined: cell.underline(),
        }
    }
}

fn colour(colour: vt100::Color) -> Option<String> {
    const NAMED: [&str; 16] = [
        "#3b4048", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d5d8de",
        "#7a828e", "#ff7b86", "#b5e890", "#ffd68a", "#7cc4ff", "#dd96f0", "#6fd3e0", "#ffffff",
    ];
    match colour {
        vt100::Color::Default => None,
        vt100::Color::Idx(index) => {
            Some((*NAMED.get(usize::from(index)).unwrap_or(&FOREGROUND)).to_owned())
        }
        vt100::Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
    }
}

fn run(out: &mut String, (column, row): (u16, u16), columns: u16, text: &str, style: &Style) {
    let x = MARGIN + f32::from(column) * CELL_WIDTH;
    let y = MARGIN + f32::from(row) * CELL_HEIGHT;
    let width = f32::from(columns) * CELL_WIDTH;
    if let Some(background) = &style.background {
        writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{CELL_HEIGHT}\" \
             fill=\"{background}\"/>"
        )
        .unwrap();
    }
    if text.trim().is_empty() {
        return;
    }
    let weight = if style.is_bold {
        " font-weight=\"bold\""
    } else {
        ""
    };
    let decoration = if style.is_underlined {
        " text-decoration=\"underline\""
    } else {
        ""
    };
    let opacity = if style.is_dim {
        " fill-opacity=\"0.6\""
    } else {
        ""
    };
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
         xml:space=\"preserve\" fill=\"{}\"{weight}{opacity}{decoration}>{text}</text>",
        y + 13.5,
        style.foreground
    )
    .unwrap();
}
