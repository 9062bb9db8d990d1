//! Draws a model into memory.

use chrono::{DateTime, Utc};
use opsconsole::tui::model::Model;
use opsconsole::tui::theme::Theme;
use opsconsole::tui::view::view;
use pipeline::environment::Environment;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The sizes that pictures are taken at.
pub(crate) const SIZES: [(u16, u16); 2] = [(80, 24), (160, 45)];

/// The environment of all pictures.
pub(crate) fn environment() -> Environment {
    Environment {
        name: "demo".into(),
        region: "us-east-1".into(),
        endpoint_url: Some("http://127.0.0.1:4566".into()),
        topic_arn: "arn:aws:sns:us-east-1:000000000000:events".into(),
        queue_url: "http://127.0.0.1:4566/000000000000/events-queue".into(),
        dead_letter_queue_url: "http://127.0.0.1:4566/000000000000/events-dead-letters".into(),
        api_url: "http://127.0.0.1:4566/api".into(),
        database_url: Some("postgres://127.0.0.1/pipeline".into()),
        ingest_function: Some("ingest".into()),
        function_timeout_secs: Some(10),
        ..Environment::example()
    }
}

/// A console that was just started.
pub(crate) fn start(width: u16, height: u16, now: DateTime<Utc>) -> Model {
    let theme = Theme { has_colour: true };
    Model::new(environment(), theme, Rect::new(0, 0, width, height), now)
}

/// What the terminal shows.
pub(crate) fn picture(model: &Model) -> Buffer {
    let backend = TestBackend::new(model.area.width, model.area.height);
    let mut terminal = Terminal::new(backend).unwrap();
    terminal.draw(|canvas| view(model, canvas)).unwrap();
    terminal.backend().buffer().clone()
}

/// What the terminal shows, as text.
pub(crate) fn text(model: &Model) -> String {
    let buffer = picture(model);
    let width = usize::from(buffer.area.width);
    buffer
        .content
        .chunks(width)
        .map(|row| {
            row.iter()
                .map(ratatui::buffer::Cell::symbol)
                .collect::<String>()
                + "\n"
        })
        .collect()
}

/// Sizes from nothing to very large, and everything that is so flat or so narrow that a loop over
/// what fits could fail to end.
pub(crate) fn every_size() -> impl Iterator<Item = (u16, u16)> {
    let small = (1..60u16)
        .step_by(3)
        .flat_map(|width| (1..30).step_by(2).map(move |h| (width, h)));
    let flat = [1, 2, 3, 10, 40, 80, 200]
        .into_iter()
        .flat_map(|width| (1..=12).map(move |height| (width, height)));
    small.chain(flat).chain([
        (2, 40),
        (200, 2),
        (40, 10),
        (119, 24),
        (120, 36),
        (300, 100),
        (1, 100),
        (300, 1),
        (80, 24),
    ])
}
