//! What the check of the places refuses, each in a scene that has this one fault.

use crate::picture::check::faults;
use crate::picture::geometry::{Point, at, rect};
use crate::picture::lettering::{Weight, width, wrap};
use crate::picture::marks::Mark;
use crate::picture::palette::Ink;
use crate::picture::scene::{Arrow, Group, Scene, Shape, Tile};

/// 100 by 100, with the word `queue` from 30 to 73.
fn scene() -> Scene {
    let mut scene = Scene {
        width: 100.0,
        height: 100.0,
        ..Scene::default()
    };
    word(&mut scene, (30.0, 50.0), 60.0);
    scene
}

fn word(scene: &mut Scene, (left, baseline): (f64, f64), room: f64) {
    let room = rect(left, baseline - 15.0, left + room, baseline + 5.0);
    scene.text(
        (left, baseline),
        "queue",
        (Weight::Regular, Ink::Text),
        room,
    );
}

fn arrow(points: &[Point]) -> Arrow {
    Arrow {
        points: points.to_vec(),
        ink: Ink::Text,
        is_dashed: false,
        has_head: true,
    }
}

fn group(left: f64, right: f64, fill: Option<Ink>) -> Group {
    Group {
        frame: rect(left, 20.0, right, 80.0),
        border: Ink::Teal,
        dash: None,
        fill,
        mark: None,
    }
}

#[test]
fn scene_without_a_fault_has_none() {
    let mut scene = scene();
    // Past the word, below it, and around it.
    scene.arrow(
        arrow(&[at(20.0, 10.0), at(20.0, 60.0), at(90.0, 60.0)]),
        &[],
    );
    scene.groups.push(group(25.0, 80.0, None));
    assert_eq!(faults(&scene), [""; 0]);
}

#[test]
fn text_on_a_text_is_a_fault() {
    let mut scene = scene();
    word(&mut scene, (38.0, 58.0), 60.0);
    assert_eq!(faults(&scene), ["\"queue\" lies on \"queue\""]);
}

#[test]
fn text_wider_than_its_place_is_a_fault() {
    let mut scene = scene();
    word(&mut scene, (30.0, 90.0), 40.0);
    assert_eq!(faults(&scene), ["\"queue\" does not fit into its place"]);
}

#[test]
fn text_beside_the_picture_is_a_fault() {
    let mut scene = scene();
    word(&mut scene, (70.0, 90.0), 60.0);
    assert_eq!(faults(&scene), ["\"queue\" is not on the picture"]);
}

#[test]
fn character_of_unknown_width_is_a_fault() {
    let mut scene = scene();
    let room = rect(0.0, 0.0, 100.0, 100.0);
    scene.text((0.0, 20.0), "\u{2192}", (Weight::Regular, Ink::Text), room);
    assert!(faults(&scene).contains(&"\"\u{2192}\" does not fit into its place".to_owned()));
}

#[test]
fn arrow_through_a_text_is_a_fault() {
    for line in [
        [at(50.0, 10.0), at(50.0, 90.0)],
        [at(10.0, 45.0), at(90.0, 45.0)],
        // It ends within the word.
        [at(10.0, 45.0), at(40.0, 45.0)],
    ] {
        let mut scene = scene();
        scene.arrow(arrow(&line), &[]);
        assert_eq!(faults(&scene), ["an arrow crosses \"queue\""]);
    }
}

/// The line leaves the number free, so the number is no text that it crosses.
#[test]
fn number_on_an_arrow_is_no_fault() {
    let mut scene = scene();
    scene.arrow(
        arrow(&[at(10.0, 20.0), at(90.0, 20.0)]),
        &[("1", at(50.0, 20.0))],
    );
    assert_eq!(faults(&scene), [""; 0]);
    let mut ends = scene
        .arrows
        .iter()
        .flat_map(|part| part.points.iter().map(|point| point.x));
    assert!(ends.by_ref().eq([10.0, 39.0, 61.0, 90.0]));
}

fn tile(x: f64, y: f64) -> Tile {
    Tile {
        centre: at(x, y),
        half: 10.0,
        mark: Mark::Queue,
        shape: Shape::Square,
        ink: Ink::Integration,
        is_dashed: false,
    }
}

#[test]
fn tile_has_its_place_for_itself() {
    let place = || {
        let mut scene = scene();
        scene.tiles.push(tile(50.0, 75.0));
        scene
    };
    let mut free = place();
    free.arrow(arrow(&[at(10.0, 75.0), at(40.0, 75.0)]), &[]);
    assert_eq!(faults(&free), [""; 0]);

    let mut crossed = place();
    crossed.arrow(arrow(&[at(10.0, 75.0), at(90.0, 75.0)]), &[]);
    assert_eq!(faults(&crossed), ["an arrow crosses the tile Queue"]);

    let mut covered = place();
    covered.tiles.push(tile(65.0, 75.0));
    assert_eq!(faults(&covered), ["a tile lies on the tile Queue"]);

    let mut numbered = place();
    numbered.badge(at(65.0, 75.0), "1", Ink::Text);
    assert_eq!(faults(&numbered), ["a badge lies on the tile Queue"]);

    let mut outside = scene();
    outside.tiles.push(tile(50.0, 95.0));
    assert_eq!(faults(&outside), ["the tile Queue is not on the picture"]);

    let mut written = scene();
    written.tiles.push(tile(50.0, 50.0));
    assert_eq!(faults(&written), ["\"queue\" lies on a tile"]);
}

#[test]
fn border_through_a_text_is_a_fault_unless_it_is_hidden() {
    let mut scene = scene();
    scene.groups.push(group(50.0, 90.0, None));
    assert_eq!(faults(&scene), ["a border crosses \"queue\""]);
    scene.groups.push(group(25.0, 95.0, Some(Ink::Panel)));
    assert_eq!(faults(&scene), [""; 0]);
}

/// By the advances of q, u, e, u, e; from them the places of all texts follow.
#[test]
fn width_is_the_sum_of_the_advances() {
    let advances = 556.0 * 5.0;
    assert_eq!(
        width("queue", 10.0, Weight::Regular),
        Some(advances / 100.0)
    );
    let bold = 611.0 * 3.0 + 556.0 * 2.0;
    assert_eq!(width("queue", 10.0, Weight::Bold), Some(bold / 100.0));
}

#[test]
fn wrapped_lines_fit_and_lose_no_word() {
    let text = "one statement a batch, each event once";
    let lines = wrap(text, 15.0, 120.0, 40.0);
    assert_eq!(lines.join(" "), text);
    assert!(lines.len() > 2);
    for (number, line) in lines.iter().enumerate() {
        let room = if number == 0 { 80.0 } else { 120.0 };
        assert!(
            width(line, 15.0, Weight::Regular).unwrap() <= room,
            "{line}"
        );
    }
}
