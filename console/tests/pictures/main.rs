//! The pictures of the screens, and the recording: how they are drawn, and that the README has them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]
#![allow(dead_code, reason = "shared with the program that makes them")]

#[path = "../../examples/screenshots/picture/mod.rs"]
mod picture;

mod animated;
mod drawn;
mod recorded;

use std::path::{Path, PathBuf};

use picture::cast::Cast;
use picture::cells::Cells;
use picture::palette::Theme;
use picture::window::Window;
use quick_xml::Reader;
use quick_xml::events::Event;

fn screenshots() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../screenshots")
}

/// What a terminal without a cursor shows after these bytes.
fn cells((columns, rows): (u16, u16), written: &str) -> Cells {
    let mut parser = vt100::Parser::new(rows, columns, 0);
    parser.process(b"\x1b[?25l");
    parser.process(written.as_bytes());
    Cells::of(parser.screen())
}

const WINDOW: Window<'_> = Window {
    title: "title",
    description: "description",
    foot: 0.0,
};

/// An element with its attributes and the text in it.
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
}

impl Element {
    fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        let found = attributes.find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> f64 {
        self.attribute(name).unwrap().parse().unwrap()
    }
}

/// The elements in their order; it panics where this is no XML.
fn elements(svg: &str) -> Vec<Element> {
    let mut reader = Reader::from_str(svg);
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::End(_) => {
                open.pop();
            }
            Event::Start(tag) => {
                open.push(elements.len());
                elements.push(element(&tag));
            }
            Event::Empty(tag) => elements.push(element(&tag)),
            Event::Text(text) => {
                if let Some(place) = open.last() {
                    elements[*place].text.push_str(&text.decode().unwrap());
                }
            }
            Event::GeneralRef(reference) => {
                let name = reference.decode().unwrap().into_owned();
                let text = match reference.resolve_char_ref().unwrap() {
                    Some(character) => character.to_string(),
                    None => quick_xml::escape::resolve_predefined_entity(&name)
                        .unwrap()
                        .to_owned(),
                };
                if let Some(place) = open.last() {
                    elements[*place].text.push_str(&text);
                }
            }
            Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_) => {}
        }
    }
    elements
}

fn element(tag: &quick_xml::events::BytesStart<'_>) -> Element {
    let attributes = tag.attributes().map(|attribute| {
        let attribute = attribute.unwrap();
        let key = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
        let value = String::from_utf8(attribute.value.to_vec()).unwrap();
        let value = quick_xml::escape::unescape(&value).unwrap().into_owned();
        (key, value)
    });
    Element {
        name: String::from_utf8(tag.name().as_ref().to_vec()).unwrap(),
        attributes: attributes.collect(),
        text: String::new(),
    }
}

/// An image is shown by a page: nothing in it runs or is loaded.
fn assert_stands_alone(svg: &str) {
    let allowed = [
        "svg", "title", "desc", "style", "g", "rect", "path", "circle", "text", "tspan",
    ];
    for element in elements(svg) {
        assert!(allowed.contains(&&*element.name), "{}", element.name);
        for (key, _) in &element.attributes {
            assert!(!key.contains("href") && !key.starts_with("on"), "{key}");
        }
        let is_style = element.name == "style";
        let loads = ["@import", "url(", "<"].iter();
        let mut loads = loads.filter(|text| is_style && element.text.contains(**text));
        assert_eq!(loads.next(), None);
    }
}

/// The names of the committed pictures of screens.
fn committed() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(screenshots())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".svg") && !name.starts_with("architecture"))
        .collect();
    names.sort();
    names
}

#[test]
fn every_committed_picture_stands_alone_and_has_both_themes() {
    let names = committed();
    let light: Vec<&String> = names
        .iter()
        .filter(|name| !name.ends_with("-dark.svg"))
        .collect();
    assert!(!light.is_empty());
    assert_eq!(light.len() * 2, names.len(), "{names:?}");
    for name in light {
        let dark = name.replace(".svg", "-dark.svg");
        let read = |name: &str| std::fs::read_to_string(screenshots().join(name)).unwrap();
        let [light, dark] = [read(name), read(&dark)];
        for svg in [&light, &dark] {
            assert_stands_alone(svg);
        }
        // The colours alone differ.
        let plain = |svg: &str| {
            let elements = elements(svg).into_iter();
            let elements = elements.filter(|element| element.name == "text");
            elements.map(|element| element.text).collect::<Vec<_>>()
        };
        assert_ne!(light, dark, "{name}");
        assert_eq!(plain(&light), plain(&dark), "{name}");
    }
}

#[test]
fn readme_shows_the_pictures_in_both_themes() {
    let readme = screenshots().join("../README.md");
    let text = std::fs::read_to_string(readme).unwrap();
    for name in committed() {
        let name = name.strip_suffix(".svg").unwrap();
        if name.ends_with("-dark") {
            continue;
        }
        let dark = format!(
            "<source media=\"(prefers-color-scheme: dark)\" srcset=\"screenshots/{name}-dark.svg\">"
        );
        assert!(text.contains(&dark), "there is no {dark}");
        assert!(
            text.contains(&format!("src=\"screenshots/{name}.svg\"")),
            "{name}"
        );
    }
}

#[test]
fn committed_recording_is_what_the_program_draws_of_its_asciicast() {
    let cast = std::fs::read_to_string(screenshots().join("redrive.cast")).unwrap();
    let cast = Cast::read(&cast).unwrap();
    for theme in Theme::ALL {
        let name = format!("redrive{}.svg", theme.suffix());
        let committed = std::fs::read_to_string(screenshots().join(&name)).unwrap();
        let elements = elements(&committed);
        let description = &elements.iter().find(|one| one.name == "desc").unwrap().text;
        let drawn = picture::animation::draw(&cast, description, theme).unwrap();
        assert!(
            committed == drawn,
            "screenshots/{name} is not current: cargo run -p opsconsole --example screenshots render"
        );
        assert!(committed.len() <= picture::animation::BYTES_MAX);
    }
}
