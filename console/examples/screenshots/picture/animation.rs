//! A recording as one SVG that moves.
//!
//! Each row of the screen is a strip of everything that the row shows, side by side; a style sheet moves the strip
//! behind the row's window. So a row that does not change costs nothing, and a text that comes again is there once. No
//! script: it plays where an image is shown. Without animations, as for readers who want none, it shows its end.
//!
//! Invariant: the file is no larger than [`BYTES_MAX`].

use std::collections::HashMap;
use std::time::Duration;

use super::cast::Cast;
use super::cells::{Ink, Line};
use super::frames::{Film, Shown, play};
use super::glyphs::{CELL_HEIGHT, CELL_WIDTH, OVERLAP};
use super::line::elements;
use super::palette::{Palette, Theme, hex};
use super::style_sheet::StyleSheet;
use super::window::{MARGIN, Measures, Window};
use super::xml::{escaped, number};

/// Largest file.
pub(crate) const BYTES_MAX: usize = 600 * 1_000;
/// Screens that follow each other faster are one frame; the next one where the file would be too large.
const INTERVALS_MS: [u64; 5] = [40, 80, 160, 320, 640];
/// Height of the foot.
pub(crate) const FOOT: f64 = 46.0;
/// Between two contents of a strip.
const GAP: f64 = 8.0;
/// Separates the name of a part of the story from its sentence.
pub(crate) const CAPTION_SEPARATOR: char = '|';

/// Draws a recording.
///
/// # Errors
/// Where it is too large however few frames are shown.
pub(crate) fn draw(cast: &Cast, description: &str, theme: Theme) -> Result<String, String> {
    for interval in INTERVALS_MS {
        let film = play(cast, Duration::from_millis(interval));
        let window = Window {
            title: &cast.title,
            description,
            foot: FOOT,
        };
        let drawn = draw_film(&film, &window, theme);
        if drawn.len() <= BYTES_MAX {
            return Ok(drawn);
        }
    }
    Err(format!(
        "the recording has more than {BYTES_MAX} bytes as an animation: make it shorter"
    ))
}

/// Draws the frames of a recording.
pub(crate) fn draw_film(film: &Film, window: &Window<'_>, theme: Theme) -> String {
    let palette = theme.palette();
    let first = film.frames.first();
    let (columns, rows) =
        first.map_or((1, 1), |first| (first.what.columns, first.what.lines.len()));
    let measures = window.measures(columns, rows);
    let mut sheet = StyleSheet::default();
    let mut tracks = Tracks::new(film.length);
    for row in 0..rows {
        let shown = film.frames.iter().map(|frame| {
            let line = frame.what.lines.get(row);
            (frame.at, line.unwrap_or(&EMPTY))
        });
        let y = measures.top + f64::from(u16::try_from(row).unwrap_or(u16::MAX)) * CELL_HEIGHT;
        let place = Place {
            x: MARGIN,
            y: y - OVERLAP,
            width: measures.inner_width,
            height: CELL_HEIGHT + 2.0 * OVERLAP,
            inner_y: OVERLAP,
        };
        tracks.add(&place, shown, |line| elements(line, &mut sheet));
    }
    foot(&mut tracks, film, &measures, palette);
    let rules = format!("{}{}", sheet.rules(palette), tracks.rules);
    let mut out = window.head(&measures, palette, &rules);
    out.push_str(&tracks.body);
    out.push_str(&progress(&measures, palette));
    out.push_str("</svg>\n");
    out
}

static EMPTY: Line = Line { runs: Vec::new() };

/// What part of the picture a strip is seen through.
struct Place {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    /// Where its contents begin.
    inner_y: f64,
}

/// The strips, and how they move.
struct Tracks {
    length: Duration,
    count: usize,
    rules: String,
    body: String,
}

impl Tracks {
    fn new(length: Duration) -> Self {
        let rules = format!(
            ".s{{animation:{}s step-end infinite}}\
             .p{{transform-origin:0 0;animation:p {0}s linear infinite}}\
             @keyframes p{{from{{transform:scaleX(0)}}to{{transform:none}}}}\
             @media(prefers-reduced-motion:reduce){{.s,.p{{animation:none}}}}",
            number(length.as_secs_f64())
        );
        Self {
            length,
            count: 0,
            rules,
            body: String::new(),
        }
    }

    /// Adds a strip of what is shown from each time on; the first time is 0.
    fn add<T: Copy + PartialEq>(
        &mut self,
        place: &Place,
        shown: impl Iterator<Item = (Duration, T)>,
        mut content: impl FnMut(T) -> String,
    ) {
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut contents = Vec::new();
        let mut moves: Vec<(Duration, usize)> = Vec::new();
        let mut before = None;
        for (at, what) in shown {
            if before == Some(what) {
                continue;
            }
            before = Some(what);
            let drawn = content(what);
            let at_place = *known.entry(drawn).or_insert_with_key(|drawn| {
                contents.push(drawn.clone());
                contents.len() - 1
            });
            if moves.last().is_some_and(|(last, _)| *last == at) {
                moves.pop();
            }
            if moves.last().is_none_or(|(_, last)| *last != at_place) {
                moves.push((at, at_place));
            }
        }
        if contents.iter().any(|content| !content.is_empty()) {
            self.write(place, &contents, &moves);
        }
    }

    fn write(&mut self, place: &Place, contents: &[String], moves: &[(Duration, usize)]) {
        let pitch = place.width + GAP;
        let at = |content: usize| number(pitch * f64::from(u32::try_from(content).unwrap_or(0)));
        let mut strip = String::new();
        for (content, drawn) in contents.iter().enumerate() {
            if !drawn.is_empty() {
                let y = number(place.inner_y);
                strip.push_str(&format!(
                    "<g transform=\"translate({} {y})\">{drawn}</g>",
                    at(content)
                ));
            }
        }
        let [x, y, width, height] = [place.x, place.y, place.width, place.height].map(number);
        let last = moves.last().map_or(0, |(_, content)| *content);
        let class = if moves.len() > 1 {
            let name = format!("s{}", self.count);
            self.count += 1;
            self.rules.push_str(&format!(
                ".{name}{{animation-name:{name}}}@keyframes {name}{{"
            ));
            for (when, content) in moves {
                let percent = 100.0 * when.as_secs_f64() / self.length.as_secs_f64();
                let percent = format!("{percent:.3}");
                let percent = percent.trim_end_matches('0').trim_end_matches('.');
                let at = at(*content);
                self.rules
                    .push_str(&format!("{percent}%{{transform:translateX(-{at}px)}}"));
            }
            self.rules.push('}');
            format!(
                " class=\"s {name}\" transform=\"translate(-{} 0)\"",
                at(last)
            )
        } else {
            String::new()
        };
        self.body.push_str(&format!(
            "<svg x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"><g{class}>{strip}</g></svg>\n"
        ));
    }
}

/// The part of the story, and the key that was pressed.
fn foot(tracks: &mut Tracks, film: &Film, measures: &Measures, palette: &Palette) {
    let place = |x: f64, width: f64| Place {
        x,
        y: measures.foot_top + 2.0,
        width,
        height: FOOT - 4.0,
        inner_y: 0.0,
    };
    let key_width = 9.0 * CELL_WIDTH;
    let captions_width = measures.inner_width - key_width;
    let captions = texts(&film.captions);
    tracks.add(&place(MARGIN, captions_width), captions, |text| {
        caption(text, palette)
    });
    let keys = texts(&film.keys);
    let key_x = measures.width - MARGIN - key_width;
    tracks.add(&place(key_x, key_width), keys, |text| {
        key(text, key_width, palette)
    });
}

/// With nothing from 0 to the first one.
fn texts(shown: &[Shown<String>]) -> impl Iterator<Item = (Duration, &str)> {
    let first = (Duration::ZERO, "");
    let shown = shown.iter().map(|shown| (shown.at, shown.what.as_str()));
    std::iter::once(first).chain(shown)
}

fn caption(text: &str, palette: &Palette) -> String {
    if text.is_empty() {
        return String::new();
    }
    let (name, sentence) = text.split_once(CAPTION_SEPARATOR).unwrap_or(("", text));
    let accent = hex(palette.colour(Ink::Indexed(6), false));
    let ink = hex(palette.text);
    format!(
        "<text y=\"26\" font-size=\"14.5\" fill=\"{ink}\"><tspan font-weight=\"bold\" fill=\"{accent}\">{}</tspan>  {}</text>",
        escaped(name),
        escaped(sentence)
    )
}

fn key(label: &str, room: f64, palette: &Palette) -> String {
    if label.is_empty() {
        return String::new();
    }
    let letters = f64::from(u16::try_from(label.chars().count()).unwrap_or(1));
    let width = (letters * CELL_WIDTH + 18.0).min(room - 2.0);
    let x = room - width - 1.0;
    format!(
        "<rect x=\"{}\" y=\"8\" width=\"{}\" height=\"26\" rx=\"5\" fill=\"{}\" stroke=\"{}\"/>\
         <text x=\"{}\" y=\"26\" text-anchor=\"middle\" font-weight=\"bold\" fill=\"{}\">{}</text>",
        number(x),
        number(width),
        hex(palette.paper),
        hex(palette.border),
        number(x + width / 2.0),
        hex(palette.text),
        escaped(label)
    )
}

/// How much of the recording is over.
fn progress(measures: &Measures, palette: &Palette) -> String {
    let accent = hex(palette.colour(Ink::Indexed(6), false));
    format!(
        "<g transform=\"translate(1 {})\"><rect class=\"p\" width=\"{}\" height=\"2\" fill=\"{accent}\"/></g>\n",
        number(measures.foot_top),
        number(measures.width - 2.0)
    )
}
