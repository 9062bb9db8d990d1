//! A scene as SVG: no script, no style sheet, nothing from elsewhere.

use std::io;

use quick_xml::Writer;
use quick_xml::events::BytesText;

use super::geometry::{Point, at};
use super::lettering::{FONTS, Weight};
use super::palette::{Ink, Theme};
use super::scene::{Arrow, BADGE_RADIUS, Group, Scene, Shape, Text, Tile};

/// Marks are drawn in a square of this size.
const MARK: f64 = 48.0;
const CORNER: f64 = 24.0;

type Out = Writer<Vec<u8>>;

/// Writes a scene.
///
/// # Errors
/// Memory is exhausted, or a text is no Unicode: neither happens.
pub(crate) fn write(
    scene: &Scene,
    theme: Theme,
    title: &str,
    description: &str,
) -> io::Result<String> {
    let mut out = Writer::new_with_indent(Vec::new(), b' ', 1);
    let (width, height) = (number(scene.width), number(scene.height));
    let view = format!("0 0 {width} {height}");
    out.create_element("svg")
        .with_attributes([
            ("xmlns", "http://www.w3.org/2000/svg"),
            ("width", width.as_str()),
            ("height", height.as_str()),
            ("viewBox", view.as_str()),
            ("role", "img"),
            ("aria-labelledby", "title description"),
            ("font-family", FONTS),
        ])
        .write_inner_content(|out| {
            out.create_element("title")
                .with_attribute(("id", "title"))
                .write_text_content(BytesText::new(title))?;
            out.create_element("desc")
                .with_attribute(("id", "description"))
                .write_text_content(BytesText::new(description))?;
            draw(out, scene, theme)
        })?;
    let mut bytes = out.into_inner();
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn draw(out: &mut Out, scene: &Scene, theme: Theme) -> io::Result<()> {
    let colour = |ink: Ink| ink.colour(theme);
    let (width, height) = (number(scene.width), number(scene.height));
    element(
        out,
        "rect",
        &[
            ("width", &width),
            ("height", &height),
            ("rx", "12"),
            ("fill", colour(Ink::Ground)),
        ],
    )?;
    for group in &scene.groups {
        frame(out, group, theme)?;
    }
    for (from, to) in &scene.rules {
        let data = path(&[*from, *to]);
        element(out, "path", &[("d", &data), ("stroke", colour(Ink::Rule))])?;
    }
    for arrow in &scene.arrows {
        line(out, arrow, theme)?;
    }
    for tile in &scene.tiles {
        self::tile(out, tile, theme)?;
    }
    for (centre, ink) in &scene.badges {
        let (x, y) = (number(centre.x), number(centre.y));
        let radius = number(BADGE_RADIUS);
        element(
            out,
            "circle",
            &[
                ("cx", &x),
                ("cy", &y),
                ("r", &radius),
                ("fill", colour(*ink)),
            ],
        )?;
    }
    for pill in &scene.pills {
        let frame = pill.frame;
        let dash = if pill.fill.is_none() { "3 2" } else { "none" };
        element(
            out,
            "rect",
            &[
                ("x", &number(frame.left)),
                ("y", &number(frame.top)),
                ("width", &number(frame.width())),
                ("height", &number(frame.height())),
                ("rx", &number(frame.height() / 2.0)),
                ("fill", pill.fill.map_or("none", colour)),
                ("stroke", colour(pill.ink)),
                ("stroke-dasharray", dash),
            ],
        )?;
    }
    for text in &scene.texts {
        label(out, text, theme)?;
    }
    Ok(())
}

fn frame(out: &mut Out, group: &Group, theme: Theme) -> io::Result<()> {
    let frame = group.frame;
    let border = group.border.colour(theme);
    element(
        out,
        "rect",
        &[
            ("x", &number(frame.left)),
            ("y", &number(frame.top)),
            ("width", &number(frame.width())),
            ("height", &number(frame.height())),
            ("fill", group.fill.map_or("none", |fill| fill.colour(theme))),
            ("stroke", border),
            ("stroke-width", "1.5"),
            ("stroke-dasharray", group.dash.unwrap_or("none")),
        ],
    )?;
    let Some(mark) = group.mark else {
        return Ok(());
    };
    let (x, y, size) = (number(frame.left), number(frame.top), number(CORNER));
    element(
        out,
        "rect",
        &[
            ("x", &x),
            ("y", &y),
            ("width", &size),
            ("height", &size),
            ("fill", border),
        ],
    )?;
    // The cloud's frame has the colour of texts.
    let ink = if group.border == Ink::Text {
        Ink::Ground
    } else {
        Ink::OnTile
    };
    let centre = at(frame.left + CORNER / 2.0, frame.top + CORNER / 2.0);
    stroke(out, mark.path(), (centre, CORNER * 0.9), ink.colour(theme))
}

fn tile(out: &mut Out, tile: &Tile, theme: Theme) -> io::Result<()> {
    let colour = tile.ink.colour(theme);
    let ground = Ink::Panel.colour(theme);
    let is_outlined = tile.is_dashed || tile.shape == Shape::Round;
    let fill = if is_outlined { ground } else { colour };
    let dash = if tile.is_dashed { "4 3" } else { "none" };
    let bounds = tile.bounds().grown(-1.0);
    let rounding = match tile.shape {
        Shape::Square => 5.0,
        Shape::Round => tile.half,
        Shape::Plain => 0.0,
    };
    if tile.shape != Shape::Plain {
        element(
            out,
            "rect",
            &[
                ("x", &number(bounds.left)),
                ("y", &number(bounds.top)),
                ("width", &number(bounds.width())),
                ("height", &number(bounds.height())),
                ("rx", &number(rounding)),
                ("fill", fill),
                ("stroke", colour),
                ("stroke-width", "2"),
                ("stroke-dasharray", dash),
            ],
        )?;
    }
    let ink = if is_outlined || tile.shape == Shape::Plain {
        colour
    } else {
        Ink::OnTile.colour(theme)
    };
    stroke(out, tile.mark.path(), (tile.centre, 2.0 * tile.half), ink)
}

/// A mark around a point, its square as large as `size`, with a stroke of 2.
fn stroke(out: &mut Out, data: &str, (centre, size): (Point, f64), colour: &str) -> io::Result<()> {
    let scale = size / MARK;
    let (x, y) = (number(centre.x - size / 2.0), number(centre.y - size / 2.0));
    element(
        out,
        "path",
        &[
            (
                "transform",
                &format!("translate({x} {y}) scale({})", number(scale)),
            ),
            ("d", data),
            ("fill", "none"),
            ("stroke", colour),
            ("stroke-width", &number((2.0 / scale).min(3.2))),
            ("stroke-linecap", "round"),
            ("stroke-linejoin", "round"),
        ],
    )
}

fn line(out: &mut Out, arrow: &Arrow, theme: Theme) -> io::Result<()> {
    let colour = arrow.ink.colour(theme);
    let mut points = arrow.points.clone();
    let end = arrow.segments().last();
    let head = end
        .filter(|_| arrow.has_head)
        .map(|(from, to)| head(from, to));
    if let (Some((_, neck)), Some(last)) = (head, points.last_mut()) {
        *last = neck;
    }
    element(
        out,
        "path",
        &[
            ("d", &path(&points)),
            ("fill", "none"),
            ("stroke", colour),
            ("stroke-width", "2"),
            ("stroke-linejoin", "round"),
            (
                "stroke-dasharray",
                if arrow.is_dashed { "6 4" } else { "none" },
            ),
        ],
    )?;
    match head {
        Some((corners, _)) => {
            let data = format!("{}Z", path(&corners));
            element(out, "path", &[("d", &data), ("fill", colour)])
        }
        None => Ok(()),
    }
}

/// The triangle at the end of a line, and where the line itself ends.
fn head(from: Point, to: Point) -> ([Point; 3], Point) {
    const LENGTH: f64 = 10.0;
    const HALF: f64 = 5.0;
    let sign = |value: f64| if value == 0.0 { 0.0 } else { value.signum() };
    let (x, y) = (sign(to.x - from.x), sign(to.y - from.y));
    let base = at(to.x - x * LENGTH, to.y - y * LENGTH);
    let left = at(base.x - y * HALF, base.y + x * HALF);
    let right = at(base.x + y * HALF, base.y - x * HALF);
    ([to, left, right], at(base.x + x, base.y + y))
}

fn label(out: &mut Out, text: &Text, theme: Theme) -> io::Result<()> {
    let weight = match text.weight {
        Weight::Regular => "400",
        Weight::Bold => "700",
    };
    out.create_element("text")
        .with_attributes([
            ("x", number(text.left).as_str()),
            ("y", number(text.baseline).as_str()),
            ("font-size", number(text.size).as_str()),
            ("font-weight", weight),
            ("fill", text.ink.colour(theme)),
            ("textLength", number(text.width()).as_str()),
            ("lengthAdjust", "spacingAndGlyphs"),
        ])
        .write_text_content(BytesText::new(&text.content))?;
    Ok(())
}

fn element(out: &mut Out, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
    let given = attributes.iter().copied();
    out.create_element(name)
        .with_attributes(given.filter(|attribute| *attribute != ("stroke-dasharray", "none")))
        .write_empty()?;
    Ok(())
}

fn path(points: &[Point]) -> String {
    let mut data = String::new();
    for (number, point) in points.iter().enumerate() {
        let command = if number == 0 { 'M' } else { 'L' };
        data.push_str(&format!(
            "{command}{} {}",
            self::number(point.x),
            self::number(point.y)
        ));
    }
    data
}

/// At most two decimals.
fn number(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    format!("{rounded}")
}
