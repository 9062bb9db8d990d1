//! The main story: fault, group, patch, canary, proof.

use std::path::Path;
use std::time::Duration;

use crate::picture::cast::{Cast, Event, Kind};
use crate::pty::Session;
use crate::{STATE, STEP, pause};

/// Names of the files.
pub(crate) const NAME: &str = "redrive";
pub(crate) const CAST: &str = "redrive.cast";
pub(crate) const DESCRIPTION: &str = "A recording: the overview reports dead letters; they are grouped by cause; the \
    group without a time is patched by a jq program; its redrive sends one message first, the canary, and the others \
    once its event is stored; each event is proved to be stored.";
const SIZE: (u16, u16) = (126, 32);
/// As fast as somebody types.
const KEY: Duration = Duration::from_millis(75);
/// Until one has read a screen.
const READ: Duration = Duration::from_millis(3_200);
const LOOK: Duration = Duration::from_millis(1_500);
const GROUP: &str = "missing-attribute /time";
/// Groups that are passed at most on the way to the wanted one.
const GROUPS_MAX: usize = 20;

/// A console, and what was done to it.
struct Story {
    session: Session,
    noted: Vec<Event>,
}

impl Story {
    fn note(&mut self, kind: Kind, text: &str) {
        self.noted.push(Event {
            at: self.session.elapsed(),
            kind,
            text: text.to_owned(),
        });
    }

    fn caption(&mut self, text: &str) {
        self.note(Kind::Marker, text);
    }

    fn press(&mut self, key: &str) {
        self.note(Kind::Input, key);
        self.session.press(key);
        pause(KEY);
    }

    /// Keys that the screen shows as they are typed.
    fn write(&mut self, text: &str) {
        for character in text.chars() {
            self.session.press(&character.to_string());
            pause(KEY);
        }
    }

    fn wait_for(&self, text: &str) {
        self.session.wait_for(text, STEP);
    }
}

/// Tells it on the running demo.
pub(crate) fn record(program: &Path, state: &str) -> Cast {
    let mut story = Story {
        session: Session::start(program, &["--env", "demo"], &[(STATE, state)], SIZE),
        noted: Vec::new(),
    };
    story.wait_for("rows/s");
    story.wait_for("dead letters in");
    // Until every number is there.
    pause(READ);
    let begin = story.session.elapsed();
    story.caption("1 Fault|Events fail. The overview says how many, and which key shows why.");
    pause(READ);
    find_group(&mut story);
    patch(&mut story);
    canary(&mut story);
    let written = story.session.written();
    let cast = Cast::of(SIZE, "opsconsole", &written, &story.noted, begin);
    story.session.press("q");
    if !story.session.ends_within(LOOK) {
        story.session.press("y");
        story.session.wait_for_exit(STEP);
    }
    cast
}

fn find_group(story: &mut Story) {
    story.caption("2 Group|Dead letters by cause. One publisher forgot the time.");
    story.press("2");
    story.wait_for(" received");
    story.wait_for(GROUP);
    pause(READ);
    story.press("\t");
    for _ in 0..GROUPS_MAX {
        pause(KEY * 4);
        let screen = story.session.screen().contents();
        let is_there = screen.lines().any(|line| {
            line.split_once('▸')
                .is_some_and(|(_, selected)| selected.trim_start().starts_with(GROUP))
        });
        if is_there {
            break;
        }
        story.press("j");
    }
    pause(READ);
}

fn patch(story: &mut Story) {
    story.caption("3 Patch|A jq program mends the group; each difference is shown first.");
    story.press("p");
    story.wait_for("runs on each of");
    pause(LOOK);
    story.write(".time = (now | todate)");
    pause(LOOK);
    story.press("\r");
    story.wait_for("become ready");
    pause(READ);
    story.press("y");
    story.wait_for("of them ready");
    pause(LOOK);
}

fn canary(story: &mut Story) {
    story.caption("4 Canary|The plan after its dry run: one message first, then the others.");
    story.press("r");
    story.wait_for("dry run done");
    pause(READ);
    story.press("y");
    pause(LOOK);
    story.caption("5 Proof|Each event is looked up until it is stored, or has failed again.");
    story.wait_for("finished");
    pause(READ);
}
