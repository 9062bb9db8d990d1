//! The pictures of the screens.

use std::path::Path;
use std::time::Duration;

use crate::picture::cells::Cells;
use crate::picture::palette::Theme;
use crate::picture::still;
use crate::picture::window::Window;
use crate::pty::Session;
use crate::{STATE, STEP, pause};

/// Columns and rows of the terminal.
pub(crate) const SIZE: (u16, u16) = (128, 36);
/// For screens with little on them.
const LOW: (u16, u16) = (128, 22);
/// The rates of the overview's charts are known from the start of the demo on.
const HISTORY: Duration = Duration::from_secs(240);

/// Cells that the rates of the last minutes fill at least, where the charts show five minutes.
const FILLED_CELLS_MIN: usize = 100;

/// Takes all pictures: of consoles that are attached to the demo, and last of the overview of the demo itself, which
/// has seen the most.
pub(crate) fn take(program: &Path, state: &str, demo: &mut Session, folder: &Path) {
    let mut session = Session::start(program, &["--env", "demo"], &[(STATE, state)], SIZE);
    session.wait_for("rows/s", STEP);
    dead_letters(&mut session, folder);
    plan(&mut session, folder);
    records_and_publish(&mut session, folder);
    api(&mut session, folder);
    session.resize(LOW);
    session.press("6");
    session.wait("the checks of the set-up", STEP, |screen| {
        screen.contains("Why") || screen.contains("why it matters")
    });
    save(
        &session,
        folder,
        "lint",
        "Lint: what is set up wrong, why it matters, the fix",
    );
    session.press("q");
    session.wait_for("y quits", STEP);
    session.press("y");
    session.wait_for_exit(STEP);

    pause(HISTORY.saturating_sub(demo.elapsed()));
    // The last five minutes: the demo has not seen more, and of an hour they are a few columns.
    demo.press("m");
    demo.wait("five minutes in every chart", STEP, |screen| {
        let is_filled = screen.matches('█').count() > FILLED_CELLS_MIN;
        is_filled && !screen.contains("no values in this time")
    });
    let title = "Overview: what needs attention, every hop with its numbers";
    save(demo, folder, "overview", title);
}

fn dead_letters(session: &mut Session, folder: &Path) {
    session.press("2");
    session.wait_for("Message 1 / ", STEP);
    // The message of the first group, which is the largest.
    session.press("\tj");
    session.wait("the message's body", STEP, |screen| {
        screen.contains("\"specversion\"")
    });
    save(
        session,
        folder,
        "dead-letters",
        "Dead letters, grouped by cause",
    );
    session.press("k\t");
}

fn plan(session: &mut Session, folder: &Path) {
    session.press("/.time == null\r");
    session.wait_for(" found", STEP);
    session.press("p.time = (now | todate)\r");
    session.wait_for("become ready", STEP);
    session.resize(LOW);
    session.wait_for("change the program", STEP);
    save(
        session,
        folder,
        "patch",
        "A patch: the difference of each message, before it is accepted",
    );
    session.press("y");
    session.wait_for("all marked", STEP);
    session.press("r");
    session.wait_for("dry run done", STEP);
    // The foot is drawn last.
    session.wait_for("y send", STEP);
    save(
        session,
        folder,
        "redrive-plan",
        "The plan of a redrive, after its dry run",
    );
    session.resize(SIZE);
    session.press("\u{1b}");
    session.wait_for("nothing was sent", STEP);
}

fn records_and_publish(session: &mut Session, folder: &Path) {
    session.press("5");
    session.wait("records and one of them", STEP, |screen| {
        screen.contains("record_id") && screen.contains("specversion")
    });
    save(session, folder, "records", "Records: what was stored");
    session.press("4");
    session.wait_for("would be stored, unless", STEP);
    session.press("s");
    session.wait_for("readable", STEP);
    session.wait_for("200", STEP);
    save(
        session,
        folder,
        "publish",
        "Publish: one event, followed from the editor to the API",
    );
}

fn api(session: &mut Session, folder: &Path) {
    session.press("0");
    session.wait_for("operations", STEP);
    // The list of records, two of them.
    session.press("j\rjjjjjjj\r2\r");
    session.press("s");
    session.wait_for("200 OK", STEP);
    session.wait_for("n sends it with cursor", STEP);
    save(
        session,
        folder,
        "api",
        "API: a form for each operation, and what it answers",
    );
}

fn save(session: &Session, folder: &Path, name: &str, description: &str) {
    let cells = Cells::of(&session.screen());
    let window = Window {
        title: "opsconsole",
        description,
        foot: 0.0,
    };
    for theme in Theme::ALL {
        let name = format!("{name}{}.svg", theme.suffix());
        std::fs::write(folder.join(&name), still::draw(&cells, &window, theme)).unwrap();
        println!("wrote {name}");
    }
}
