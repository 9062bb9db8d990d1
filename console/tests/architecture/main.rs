//! The picture of the architecture: current, complete, and legible.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where it fails"
)]

#[path = "../../examples/architecture/picture/mod.rs"]
mod picture;

mod inventory;
mod legibility;

use std::path::{Path, PathBuf};

use quick_xml::Reader;
use quick_xml::events::Event;

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn committed_picture_is_what_the_program_draws() {
    let drawings = picture::draw(&checkout().join("terraform")).unwrap();
    for ((name, _), drawing) in picture::FILES.iter().zip(drawings) {
        let committed = std::fs::read_to_string(checkout().join("screenshots").join(name)).unwrap();
        assert!(
            committed == drawing,
            "screenshots/{name} is not current: cargo run -p opsconsole --example architecture"
        );
    }
}

#[test]
fn readmes_show_the_picture_in_both_themes() {
    for (readme, folder) in [
        ("README.md", "screenshots"),
        ("terraform/README.md", "../screenshots"),
    ] {
        let text = std::fs::read_to_string(checkout().join(readme)).unwrap();
        let [light, dark] = picture::FILES.map(|(name, _)| format!("{folder}/{name}\""));
        let dark = format!("<source media=\"(prefers-color-scheme: dark)\" srcset=\"{dark}");
        assert!(text.contains(&dark), "{readme} has no {dark}");
        assert!(
            text.contains(&format!("src=\"{light}")),
            "{readme} has no {light}"
        );
    }
}

/// GitHub shows it as an image: nothing in it runs or is loaded, and it has a text for those who do not see it.
#[test]
fn picture_is_accessible_and_stands_alone() {
    for drawing in picture::draw(&checkout().join("terraform")).unwrap() {
        let mut reader = Reader::from_str(&drawing);
        let mut elements = Vec::new();
        loop {
            let event = reader.read_event().unwrap();
            if matches!(event, Event::Eof) {
                break;
            }
            let (Event::Start(element) | Event::Empty(element)) = event else {
                continue;
            };
            let name = String::from_utf8(element.name().as_ref().to_vec()).unwrap();
            for attribute in element.attributes() {
                let key = attribute.unwrap().key;
                let key = String::from_utf8(key.as_ref().to_vec()).unwrap();
                assert!(
                    !key.contains("href") && !key.starts_with("on"),
                    "{name} has {key}"
                );
            }
            elements.push(name);
        }
        let first: Vec<&str> = elements.iter().take(3).map(String::as_str).collect();
        assert_eq!(first, ["svg", "title", "desc"]);
        assert!(drawing.contains("role=\"img\" aria-labelledby=\"title description\""));
        let allowed = ["svg", "title", "desc", "rect", "path", "circle", "text"];
        for element in &elements {
            assert!(
                allowed.contains(&element.as_str()),
                "{element} is in the picture"
            );
        }
    }
}
