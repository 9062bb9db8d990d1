//! Makes the pictures of the running program in `screenshots/`, light and dark:
//! `cargo run -p opsconsole --example screenshots`.
//!
//! Starts the demo in a pseudo-terminal, attaches consoles to it, waits for what each screen is about, and draws what
//! the terminals show. It also records the main story, writes it as an asciicast and draws that as an animation.
//! Nothing in the pictures is made by hand. With the argument `render` only the animation is drawn again, from the
//! asciicast that is there. `--example architecture` draws the picture of the architecture.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod picture;
#[path = "../../tests/support/pty.rs"]
#[expect(
    dead_code,
    clippy::indexing_slicing,
    reason = "shared with the tests, which use more of it"
)]
mod pty;
#[path = "../../tests/support/signals.rs"]
mod signals;
mod stills;
mod story;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use picture::cast::Cast;
use picture::palette::Theme;
use pty::Session;

/// Variable with the folder of the state.
const STATE: &str = "XDG_STATE_HOME";
const START: Duration = Duration::from_secs(600);
const STEP: Duration = Duration::from_secs(90);
/// Dead letters that the demo has before the story begins, so that its groups have several each.
const DEAD_LETTERS: usize = 60;

fn main() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap();
    let folder = workspace.join("screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    if std::env::args().nth(1).as_deref() == Some("render") {
        let text = std::fs::read_to_string(folder.join(story::CAST)).unwrap();
        render(&Cast::read(&text).unwrap(), &folder);
        return;
    }
    let program = build(&workspace);
    // Not the redrives of whoever makes the pictures, nor of others before.
    let state = tempfile::tempdir().unwrap();
    let state = state.path().to_str().unwrap();
    let demo = ["demo", "--rate", "40", "--faults", "0.05"];
    let mut demo = Session::start(&program, &demo, &[(STATE, state)], stills::SIZE);
    demo.wait_for("rows/s", START);
    demo.wait("dead letters", START, |screen| {
        dead_letters(screen) >= DEAD_LETTERS
    });

    let cast = story::record(&program, state);
    std::fs::write(folder.join(story::CAST), cast.write()).unwrap();
    println!("wrote {}", story::CAST);
    render(&cast, &folder);
    stills::take(&program, state, &mut demo, &folder);

    demo.press("q");
    let status = demo.wait_for_exit(STEP);
    assert!(status.success(), "the demo ended with {status:?}");
}

/// As the overview says it: `27 dead letters in events-dead-letters`.
fn dead_letters(screen: &str) -> usize {
    let before = screen.split(" dead letters in").next().unwrap_or_default();
    let number = before.rsplit(' ').next().unwrap_or_default();
    number.replace(',', "").parse().unwrap_or(0)
}

fn render(cast: &Cast, folder: &Path) {
    for theme in Theme::ALL {
        let name = format!("{}{}.svg", story::NAME, theme.suffix());
        let drawn = picture::animation::draw(cast, story::DESCRIPTION, theme).unwrap();
        std::fs::write(folder.join(&name), drawn).unwrap();
        println!("wrote {name}");
    }
}

/// Whoever looks at the recording has to read, and the charts need time to show.
#[expect(clippy::disallowed_methods, reason = "it is the time that is recorded")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

fn build(workspace: &Path) -> PathBuf {
    let profile = if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    };
    let status = Command::new(env!("CARGO"))
        .current_dir(workspace)
        .args(["build", "--bin", "opsconsole", "--profile", profile])
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
