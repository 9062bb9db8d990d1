//! Draws the model. Invariant: a function of the model; every size from 1×1 up is drawn.

use ratatui::Frame;

use super::layout::frame;
use super::model::{Model, Overlay};
use super::notices::draw_notice;
use super::{header, help, quit_question};

pub(crate) fn view(model: &Model, canvas: &mut Frame<'_>) {
    let parts = frame(canvas.area());
    let context = model.screen_context(parts.body);
    header::draw(&context, canvas, parts.header);
    match &model.time_line {
        Some(time_line) => time_line.draw(&context, canvas),
        None => model.screens.view(model.screen, &context, canvas),
    }
    model.footer().draw(model.theme, canvas, parts.footer);
    if let Some(notice) = &model.notice {
        draw_notice(notice, model.theme, canvas, parts.notice);
    }
    match &model.overlay {
        Some(Overlay::Help(line)) => {
            let keys = model.key_context_below();
            help::draw(model.screen, keys, *line, model.theme, canvas);
        }
        Some(Overlay::Notices(line)) => model.notices.draw(*line, model.theme, canvas),
        Some(Overlay::Palette(palette)) => palette.draw(model.theme, canvas),
        Some(Overlay::Quit) => {
            let losses = quit_question::losses(&model.screens);
            let switching_to = model.switching_to.as_ref().map(|to| to.name.as_str());
            quit_question::draw(&losses, switching_to, &context, canvas);
        }
        None => {}
    }
}
