//! What is on the picture, with the place of everything: built by the layout, examined by the check, written as SVG.

use std::collections::BTreeSet;

use super::geometry::{Point, Rect, at, rect};
use super::inventory::Component;
use super::lettering::{self, ASCENT, DESCENT, Weight};
use super::marks::Mark;
use super::model::Presence;
use super::palette::Ink;

/// Size of labels and notes.
pub(crate) const SIZE: f64 = 15.0;
const PILL_SIZE: f64 = 13.0;
pub(crate) const BADGE_RADIUS: f64 = 11.0;

/// Everything that is drawn.
#[derive(Default)]
pub(crate) struct Scene {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) groups: Vec<Group>,
    pub(crate) rules: Vec<(Point, Point)>,
    pub(crate) arrows: Vec<Arrow>,
    pub(crate) tiles: Vec<Tile>,
    pub(crate) badges: Vec<(Point, Ink)>,
    pub(crate) pills: Vec<Pill>,
    pub(crate) texts: Vec<Text>,
    pub(crate) drawn: BTreeSet<Component>,
}

/// A frame around parts.
pub(crate) struct Group {
    pub(crate) frame: Rect,
    pub(crate) border: Ink,
    pub(crate) dash: Option<&'static str>,
    pub(crate) fill: Option<Ink>,
    /// In the corner, on a square in the colour of the border.
    pub(crate) mark: Option<Mark>,
}

/// One line of text.
pub(crate) struct Text {
    pub(crate) left: f64,
    pub(crate) baseline: f64,
    pub(crate) size: f64,
    pub(crate) weight: Weight,
    pub(crate) ink: Ink,
    pub(crate) content: String,
    /// What it has to fit into.
    pub(crate) room: Rect,
}

impl Text {
    /// Without end where the width of a character is not known, and so in no room.
    pub(crate) fn width(&self) -> f64 {
        lettering::width(&self.content, self.size, self.weight).unwrap_or(f64::INFINITY)
    }

    pub(crate) fn bounds(&self) -> Rect {
        rect(
            self.left,
            self.baseline - ASCENT * self.size,
            self.left + self.width(),
            self.baseline + DESCENT * self.size,
        )
    }
}

/// Horizontal and vertical segments, with a head at the last point.
pub(crate) struct Arrow {
    pub(crate) points: Vec<Point>,
    pub(crate) ink: Ink,
    pub(crate) is_dashed: bool,
    pub(crate) has_head: bool,
}

impl Arrow {
    pub(crate) fn segments(&self) -> impl Iterator<Item = (Point, Point)> {
        let next = self.points.iter().skip(1);
        self.points.iter().zip(next).map(|(from, to)| (*from, *to))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A service.
    Square,
    /// A part of the network.
    Round,
    /// Not of AWS: the mark alone.
    Plain,
}

/// A mark in the colour of its category.
pub(crate) struct Tile {
    pub(crate) centre: Point,
    pub(crate) half: f64,
    pub(crate) mark: Mark,
    pub(crate) shape: Shape,
    pub(crate) ink: Ink,
    pub(crate) is_dashed: bool,
}

impl Tile {
    pub(crate) fn bounds(&self) -> Rect {
        Rect::around(self.centre, self.half, self.half)
    }
}

/// The name of an environment, beside what only that one has.
pub(crate) struct Pill {
    pub(crate) frame: Rect,
    pub(crate) ink: Ink,
    pub(crate) fill: Option<Ink>,
}

/// Where the label of a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Below,
    Above,
    Right,
}

/// A tile with its label.
pub(crate) struct Node {
    pub(crate) component: Option<Component>,
    pub(crate) centre: Point,
    pub(crate) half: f64,
    pub(crate) mark: Mark,
    pub(crate) shape: Shape,
    pub(crate) ink: Ink,
    pub(crate) presence: Presence,
    pub(crate) side: Side,
    /// The width that the label may have.
    pub(crate) room: f64,
    pub(crate) label: Vec<String>,
    pub(crate) notes: Vec<String>,
}

const LINE: f64 = 18.0;
const PILL_HEIGHT: f64 = 18.0;
const PILL_PADDING: f64 = 6.0;

impl Scene {
    pub(crate) fn text(
        &mut self,
        (left, baseline): (f64, f64),
        content: &str,
        (weight, ink): (Weight, Ink),
        room: Rect,
    ) {
        self.texts.push(Text {
            left,
            baseline,
            size: SIZE,
            weight,
            ink,
            content: content.to_owned(),
            room,
        });
    }

    /// A text whose middle is at `x`.
    pub(crate) fn centred(
        &mut self,
        (x, baseline): (f64, f64),
        content: &str,
        (weight, ink): (Weight, Ink),
        room: Rect,
    ) {
        let width = lettering::width(content, SIZE, weight).unwrap_or_default();
        self.text((x - width / 2.0, baseline), content, (weight, ink), room);
    }

    /// A line with an optional head and badges on it: the line leaves each badge free.
    pub(crate) fn arrow(&mut self, arrow: Arrow, badges: &[(&str, Point)]) {
        let ink = arrow.ink;
        let (is_dashed, has_head) = (arrow.is_dashed, arrow.has_head);
        let mut points: Vec<Point> = Vec::new();
        let mut parts: Vec<Vec<Point>> = Vec::new();
        for point in arrow.points {
            if let Some(&from) = points.last() {
                let on = badges
                    .iter()
                    .find(|(_, centre)| is_between(from, *centre, point));
                if let Some((_, centre)) = on {
                    points.push(towards(*centre, from, BADGE_RADIUS));
                    parts.push(std::mem::take(&mut points));
                    points.push(towards(*centre, point, BADGE_RADIUS));
                }
            }
            points.push(point);
        }
        parts.push(points);
        let last = parts.len() - 1;
        for (number, points) in parts.into_iter().enumerate() {
            self.arrows.push(Arrow {
                points,
                ink,
                is_dashed,
                has_head: has_head && number == last,
            });
        }
        for (name, centre) in badges {
            self.badge(*centre, name, ink);
        }
    }

    /// A number or letter on a disc.
    pub(crate) fn badge(&mut self, centre: Point, name: &str, ink: Ink) {
        self.badges.push((centre, ink));
        let room = Rect::around(centre, BADGE_RADIUS, BADGE_RADIUS);
        self.centred(
            (centre.x, centre.y + 5.4),
            name,
            (Weight::Bold, Ink::Ground),
            room,
        );
    }

    /// Its left end at `left`; returns its right end.
    pub(crate) fn pill(&mut self, (left, middle): (f64, f64), presence: Presence) -> f64 {
        let Some((name, ink, fill)) = pill_of(presence) else {
            return left;
        };
        let width = pill_width(presence);
        let top = middle - PILL_HEIGHT / 2.0;
        let frame = rect(left, top, left + width, top + PILL_HEIGHT);
        self.pills.push(Pill { frame, ink, fill });
        self.texts.push(Text {
            left: left + PILL_PADDING,
            baseline: middle + 4.6,
            size: PILL_SIZE,
            weight: Weight::Bold,
            ink,
            content: name.to_owned(),
            room: frame,
        });
        frame.right
    }

    pub(crate) fn node(&mut self, node: Node) {
        self.drawn.extend(node.component);
        let is_dashed = node.presence == Presence::Optional;
        let pill_width = pill_width(node.presence);
        let lines: Vec<(&str, Weight, Ink)> = node
            .label
            .iter()
            .map(|line| (line.as_str(), Weight::Bold, Ink::Text))
            .chain(
                node.notes
                    .iter()
                    .map(|line| (line.as_str(), Weight::Regular, Ink::Muted)),
            )
            .collect();
        // A pill is at the end of the last note, or has a line of its own.
        let has_own_line = pill_width > 0.0 && node.notes.is_empty();
        let count = lines.len() + usize::from(has_own_line);
        let height = count as f64 * LINE;
        let (x, half) = (node.centre.x, node.half);
        let first = match node.side {
            Side::Below => node.centre.y + half + 18.0,
            Side::Above => node.centre.y - half - 8.0 - height + LINE,
            Side::Right => node.centre.y - height / 2.0 + 14.0,
        };
        let left = x + half + 10.0;
        let (top, bottom) = (first - 14.0, first + height - LINE + 5.0);
        let room = match node.side {
            Side::Below | Side::Above => {
                rect(x - node.room / 2.0, top, x + node.room / 2.0, bottom)
            }
            Side::Right => rect(left, top, left + node.room, bottom),
        };
        let mut baseline = first;
        for (number, (line, weight, ink)) in lines.iter().enumerate() {
            let width = lettering::width(line, SIZE, *weight).unwrap_or_default();
            let has_pill = !has_own_line && number + 1 == lines.len() && pill_width > 0.0;
            let total = width + if has_pill { pill_width + 6.0 } else { 0.0 };
            let start = match node.side {
                Side::Below | Side::Above => x - total / 2.0,
                Side::Right => left,
            };
            self.text((start, baseline), line, (*weight, *ink), room);
            if has_pill {
                self.pill((start + width + 6.0, baseline - 5.0), node.presence);
            }
            baseline += LINE;
        }
        if has_own_line {
            let start = match node.side {
                Side::Below | Side::Above => x - pill_width / 2.0,
                Side::Right => left,
            };
            self.pill((start, baseline - 4.0), node.presence);
        }
        self.tiles.push(Tile {
            centre: node.centre,
            half,
            mark: node.mark,
            shape: node.shape,
            ink: node.ink,
            is_dashed,
        });
    }
}

fn pill_of(presence: Presence) -> Option<(&'static str, Ink, Option<Ink>)> {
    match presence {
        Presence::Both => None,
        Presence::Pilot => Some(("pilot", Ink::Pilot, Some(Ink::PilotGround))),
        Presence::Production => Some(("production", Ink::Production, Some(Ink::ProductionGround))),
        Presence::Optional => Some(("optional", Ink::Muted, None)),
    }
}

/// The width of the pill of a presence; nothing where there is none.
pub(crate) fn pill_width(presence: Presence) -> f64 {
    pill_of(presence).map_or(0.0, |(name, ..)| {
        lettering::width(name, PILL_SIZE, Weight::Bold).unwrap_or_default() + 2.0 * PILL_PADDING
    })
}

/// Whether a point is on a horizontal or vertical segment.
fn is_between(from: Point, point: Point, to: Point) -> bool {
    let within = |a: f64, b: f64, c: f64| a.min(c) <= b && b <= a.max(c);
    within(from.x, point.x, to.x) && within(from.y, point.y, to.y)
}

/// A point at a distance from another one, in the direction of a third.
fn towards(from: Point, to: Point, distance: f64) -> Point {
    let step = |from: f64, to: f64| from + (to - from).clamp(-distance, distance);
    at(step(from.x, to.x), step(from.y, to.y))
}
