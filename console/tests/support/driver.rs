//! A console with a hand on the keys and one on the answers.

use chrono::{DateTime, Duration, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use opsconsole::tui::message::{Answer, Effect, Fault, Msg, Reply, Request, RequestId, Topic};
use opsconsole::tui::model::Model;
use opsconsole::tui::update::update;

use super::screen::{start, text};

/// When every picture is taken.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

/// The console, and the questions that nobody has answered yet.
pub(crate) struct Driver {
    pub(crate) model: Model,
    pub(crate) asked: Vec<(RequestId, Request)>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) now: DateTime<Utc>,
}

impl Driver {
    /// A console of this size on the screen with this number.
    pub(crate) fn on(screen: char, width: u16, height: u16) -> Self {
        let mut driver = Self {
            model: start(width, height, now()),
            asked: Vec::new(),
            effects: Vec::new(),
            now: now(),
        };
        driver.press(screen);
        driver
    }

    /// What follows happens so long after [`now`].
    pub(crate) fn at(&mut self, millis: i64) -> &mut Self {
        self.now = now() + Duration::milliseconds(millis);
        self
    }

    pub(crate) fn happen(&mut self, msg: Msg) {
        for effect in update(&mut self.model, self.now, msg) {
            if let Effect::Ask { id, request } = effect {
                self.asked.push((id, request));
            } else {
                self.effects.push(effect);
            }
        }
    }

    pub(crate) fn chord(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.happen(Msg::Key(KeyEvent::new(code, modifiers)));
    }

    pub(crate) fn ctrl(&mut self, character: char) {
        self.chord(KeyCode::Char(character), KeyModifiers::CONTROL);
    }

    pub(crate) fn key(&mut self, code: KeyCode) {
        self.chord(code, KeyModifiers::NONE);
    }

    pub(crate) fn press(&mut self, character: char) {
        self.key(KeyCode::Char(character));
    }

    pub(crate) fn type_text(&mut self, text: &str) {
        for character in text.chars() {
            self.press(character);
        }
    }

    pub(crate) fn paste(&mut self, text: &str) {
        self.happen(Msg::Paste(text.to_owned()));
    }

    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        self.happen(Msg::Resize { width, height });
    }

    pub(crate) fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) {
        self.happen(Msg::Mouse(MouseEvent {
            kind,
            column,
            row,
            modifiers: KeyModifiers::NONE,
        }));
    }

    pub(crate) fn tick(&mut self) {
        self.happen(Msg::Tick);
    }

    pub(crate) fn wait(&mut self, secs: i64) {
        self.now += Duration::seconds(secs);
        self.tick();
    }

    /// The oldest open question about a topic, which is then no longer open.
    pub(crate) fn take(&mut self, topic: Topic) -> (RequestId, Request) {
        let place = self
            .asked
            .iter()
            .position(|(_, request)| request.topic() == topic);
        self.asked
            .remove(place.unwrap_or_else(|| panic!("{topic:?} was not asked")))
    }

    /// How many questions about a topic are open.
    pub(crate) fn awaits(&self, topic: Topic) -> usize {
        self.asked
            .iter()
            .filter(|(_, request)| request.topic() == topic)
            .count()
    }

    pub(crate) fn has_asked(&self, wanted: &Request) -> bool {
        self.asked.iter().any(|(_, request)| request == wanted)
    }

    pub(crate) fn reply(&mut self, id: RequestId, topic: Topic, result: Result<Answer, Fault>) {
        self.happen(Msg::Reply(Reply { id, topic, result }));
    }

    pub(crate) fn answer(&mut self, topic: Topic, result: Result<Answer, Fault>) {
        let (id, _) = self.take(topic);
        self.reply(id, topic, result);
    }

    /// What the terminal shows, as text.
    pub(crate) fn text(&self) -> String {
        text(&self.model)
    }

    /// What the operator was told last, while it is shown.
    pub(crate) fn notice(&self) -> &str {
        self.model
            .notice
            .as_ref()
            .map_or("", |notice| notice.text.as_str())
    }
}
