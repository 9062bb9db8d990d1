//! What a reader must never meet: texts on texts, lines through texts, texts outside of their place.

use super::geometry::{Rect, rect};
use super::scene::{BADGE_RADIUS, Scene, Text};

/// Between a line and a text.
const CLEARANCE: f64 = 2.0;

/// The faults of a picture, one sentence each.
pub(crate) fn faults(scene: &Scene) -> Vec<String> {
    let mut found = Vec::new();
    let canvas = rect(0.0, 0.0, scene.width, scene.height);
    for (number, text) in scene.texts.iter().enumerate() {
        let bounds = text.bounds();
        if !text.room.contains(&bounds) {
            found.push(format!("{:?} does not fit into its place", text.content));
        }
        if !canvas.contains(&bounds) {
            found.push(format!("{:?} is not on the picture", text.content));
        }
        for other in scene.texts.iter().skip(number + 1) {
            if bounds.overlaps(&other.bounds()) {
                found.push(format!("{:?} lies on {:?}", text.content, other.content));
            }
        }
        for arrow in &scene.arrows {
            if arrow
                .segments()
                .any(|line| bounds.grown(CLEARANCE).is_crossed_by(line))
            {
                found.push(format!("an arrow crosses {:?}", text.content));
            }
        }
        for tile in &scene.tiles {
            if bounds.overlaps(&tile.bounds()) {
                found.push(format!("{:?} lies on a tile", text.content));
            }
        }
        found.extend(borders(scene, text));
    }
    found.extend(tiles(scene, &canvas));
    found
}

/// Borders of groups that go through a text. A group that is filled hides those before it.
fn borders(scene: &Scene, text: &Text) -> Option<String> {
    let bounds = text.bounds();
    let hidden = scene
        .groups
        .iter()
        .rposition(|group| group.fill.is_some() && group.frame.contains(&bounds));
    let mut visible = scene.groups.iter().skip(hidden.unwrap_or_default());
    let crosses = |frame: &Rect| {
        let mut edges = frame.edges().into_iter();
        edges.any(|line| bounds.is_crossed_by(line))
    };
    visible
        .any(|group| crosses(&group.frame))
        .then(|| format!("a border crosses {:?}", text.content))
}

/// Tiles apart from each other, no line through one of them, badges apart from tiles.
fn tiles(scene: &Scene, canvas: &Rect) -> Vec<String> {
    let mut found = Vec::new();
    for (number, tile) in scene.tiles.iter().enumerate() {
        let bounds = tile.bounds();
        let name = tile.mark;
        if !canvas.contains(&bounds) {
            found.push(format!("the tile {name:?} is not on the picture"));
        }
        if scene
            .tiles
            .iter()
            .skip(number + 1)
            .any(|other| bounds.overlaps(&other.bounds()))
        {
            found.push(format!("a tile lies on the tile {name:?}"));
        }
        // Lines end at the edge.
        let inside = bounds.grown(-1.0);
        let mut arrows = scene.arrows.iter();
        if arrows.any(|arrow| arrow.segments().any(|line| inside.is_crossed_by(line))) {
            found.push(format!("an arrow crosses the tile {name:?}"));
        }
        let mut badges = scene.badges.iter();
        if badges
            .any(|(centre, _)| Rect::around(*centre, BADGE_RADIUS, BADGE_RADIUS).overlaps(&bounds))
        {
            found.push(format!("a badge lies on the tile {name:?}"));
        }
    }
    found
}
