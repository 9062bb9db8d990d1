//! Characters that join their neighbours: lines of boxes, blocks, dots of charts.
//!
//! Invariant: what touches the border of its cell goes a little beyond it, so that no gap is left between two cells,
//! whatever the scale of the picture.

/// Size of a cell.
pub(crate) const CELL_WIDTH: f64 = 8.0;
/// Size of a cell.
pub(crate) const CELL_HEIGHT: f64 = 17.0;
/// How far shapes go beyond the borders that they touch.
pub(crate) const OVERLAP: f64 = 0.25;
const LIGHT: f64 = 1.2;
const HEAVY: f64 = 2.6;
const DOT: f64 = 2.2;

/// A filled rectangle within a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

/// The shapes of a character; `None` where the font has to draw it.
pub(crate) fn shapes(character: char) -> Option<Vec<Shape>> {
    match character {
        '\u{2500}'..='\u{257f}' => arms(character).map(lines),
        '\u{2580}'..='\u{259f}' => block(character),
        '\u{2800}'..='\u{28ff}' => Some(dots(u32::from(character) - 0x2800)),
        _ => None,
    }
}

/// Thickness of the lines from the middle to the left, the top, the right and the bottom.
fn arms(character: char) -> Option<[f64; 4]> {
    const NO: f64 = 0.0;
    Some(match character {
        '─' => [LIGHT, NO, LIGHT, NO],
        '━' => [HEAVY, NO, HEAVY, NO],
        '│' => [NO, LIGHT, NO, LIGHT],
        '┃' => [NO, HEAVY, NO, HEAVY],
        '┌' | '╭' => [NO, NO, LIGHT, LIGHT],
        '┐' | '╮' => [LIGHT, NO, NO, LIGHT],
        '└' | '╰' => [NO, LIGHT, LIGHT, NO],
        '┘' | '╯' => [LIGHT, LIGHT, NO, NO],
        '├' => [NO, LIGHT, LIGHT, LIGHT],
        '┤' => [LIGHT, LIGHT, NO, LIGHT],
        '┬' => [LIGHT, NO, LIGHT, LIGHT],
        '┴' => [LIGHT, LIGHT, LIGHT, NO],
        '┼' => [LIGHT, LIGHT, LIGHT, LIGHT],
        '┏' => [NO, NO, HEAVY, HEAVY],
        '┓' => [HEAVY, NO, NO, HEAVY],
        '┗' => [NO, HEAVY, HEAVY, NO],
        '┛' => [HEAVY, HEAVY, NO, NO],
        '┣' => [NO, HEAVY, HEAVY, HEAVY],
        '┫' => [HEAVY, HEAVY, NO, HEAVY],
        '┳' => [HEAVY, NO, HEAVY, HEAVY],
        '┻' => [HEAVY, HEAVY, HEAVY, NO],
        '╋' => [HEAVY, HEAVY, HEAVY, HEAVY],
        '╴' => [LIGHT, NO, NO, NO],
        '╵' => [NO, LIGHT, NO, NO],
        '╶' => [NO, NO, LIGHT, NO],
        '╷' => [NO, NO, NO, LIGHT],
        '╸' => [HEAVY, NO, NO, NO],
        '╹' => [NO, HEAVY, NO, NO],
        '╺' => [NO, NO, HEAVY, NO],
        '╻' => [NO, NO, NO, HEAVY],
        '╼' => [LIGHT, NO, HEAVY, NO],
        '╾' => [HEAVY, NO, LIGHT, NO],
        _ => return None,
    })
}

/// A line across the cell is one shape, so that lines side by side can be joined.
fn lines([left, top, right, bottom]: [f64; 4]) -> Vec<Shape> {
    let (middle_x, middle_y) = (CELL_WIDTH / 2.0, CELL_HEIGHT / 2.0);
    let mut shapes = Vec::new();
    let mut across = |from: f64, to: f64, thickness: f64| {
        if thickness > 0.0 {
            shapes.push(Shape {
                left: from,
                top: middle_y - thickness / 2.0,
                right: to,
                bottom: middle_y + thickness / 2.0,
            });
        }
    };
    let joint = top.max(bottom) / 2.0;
    if left.total_cmp(&right).is_eq() {
        across(-OVERLAP, CELL_WIDTH + OVERLAP, left);
    } else {
        across(-OVERLAP, middle_x + joint, left);
        across(middle_x - joint, CELL_WIDTH + OVERLAP, right);
    }
    let mut down = |from: f64, to: f64, thickness: f64| {
        if thickness > 0.0 {
            shapes.push(Shape {
                left: middle_x - thickness / 2.0,
                top: from,
                right: middle_x + thickness / 2.0,
                bottom: to,
            });
        }
    };
    let joint = left.max(right) / 2.0;
    if top.total_cmp(&bottom).is_eq() {
        down(-OVERLAP, CELL_HEIGHT + OVERLAP, top);
    } else {
        down(-OVERLAP, middle_y + joint, top);
        down(middle_y - joint, CELL_HEIGHT + OVERLAP, bottom);
    }
    shapes
}

/// Parts of a cell; shades are left to the font.
fn block(character: char) -> Option<Vec<Shape>> {
    let part = |left: f64, top: f64, right: f64, bottom: f64| Shape {
        left: beyond(left * CELL_WIDTH, CELL_WIDTH),
        top: beyond(top * CELL_HEIGHT, CELL_HEIGHT),
        right: beyond(right * CELL_WIDTH, CELL_WIDTH),
        bottom: beyond(bottom * CELL_HEIGHT, CELL_HEIGHT),
    };
    let eighths = |above: char| f64::from(u32::from(character) - u32::from(above)) / 8.0;
    let quadrant = |bits: u8| {
        let places = [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5)];
        let chosen = places.into_iter().enumerate();
        let chosen = chosen.filter(|(place, _)| bits & (1 << place) != 0);
        chosen
            .map(|(_, (left, top))| part(left, top, left + 0.5, top + 0.5))
            .collect()
    };
    Some(match character {
        '▀' => vec![part(0.0, 0.0, 1.0, 0.5)],
        '▁'..='█' => vec![part(0.0, 1.0 - eighths('▀'), 1.0, 1.0)],
        '▉'..='▏' => vec![part(0.0, 0.0, 1.0 - eighths('█'), 1.0)],
        '▐' => vec![part(0.5, 0.0, 1.0, 1.0)],
        '▔' => vec![part(0.0, 0.0, 1.0, 0.125)],
        '▕' => vec![part(0.875, 0.0, 1.0, 1.0)],
        '▖' => quadrant(0b0100),
        '▗' => quadrant(0b1000),
        '▘' => quadrant(0b0001),
        '▙' => quadrant(0b1101),
        '▚' => quadrant(0b1001),
        '▛' => quadrant(0b0111),
        '▜' => quadrant(0b1011),
        '▝' => quadrant(0b0010),
        '▞' => quadrant(0b0110),
        '▟' => quadrant(0b1110),
        _ => return None,
    })
}

/// A border of the cell is crossed.
fn beyond(place: f64, size: f64) -> f64 {
    if place <= 0.0 {
        -OVERLAP
    } else if place >= size {
        size + OVERLAP
    } else {
        place
    }
}

/// Two columns of four dots, by the bits of a braille character.
fn dots(bits: u32) -> Vec<Shape> {
    const PLACES: [(u8, u8); 8] = [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (1, 2),
        (0, 3),
        (1, 3),
    ];
    let set = PLACES.iter().enumerate();
    let set = set.filter(|(bit, _)| bits & (1 << bit) != 0);
    set.map(|(_, (column, row))| {
        let x = CELL_WIDTH * (2.0 * f64::from(*column) + 1.0) / 4.0;
        let y = CELL_HEIGHT * (2.0 * f64::from(*row) + 1.0) / 8.0;
        Shape {
            left: x - DOT / 2.0,
            top: y - DOT / 2.0,
            right: x + DOT / 2.0,
            bottom: y + DOT / 2.0,
        }
    })
    .collect()
}
