//! Widths of texts: the advances of Helvetica, which Arial and Liberation Sans share. The picture fixes the length of
//! each text to the width computed here, so another font is condensed and no text leaves its place.

/// The fonts of macOS, Windows and Linux with these advances come first.
pub(crate) const FONTS: &str = "Helvetica, Arial, 'Liberation Sans', system-ui, sans-serif";

/// Above and below the baseline, as parts of the size.
pub(crate) const ASCENT: f64 = 0.74;
pub(crate) const DESCENT: f64 = 0.22;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

/// Advances in thousandths of the size, from the space to `~` (Adobe Font Metrics of Helvetica).
const REGULAR: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];
const BOLD: [u16; 95] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667,
    611, 778, 722, 278, 556, 722, 611, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556,
    278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584,
];

/// The width of a text; `None` where it has a character whose advance is not known.
pub(crate) fn width(text: &str, size: f64, weight: Weight) -> Option<f64> {
    let advances = match weight {
        Weight::Regular => &REGULAR,
        Weight::Bold => &BOLD,
    };
    let mut sum = 0.0;
    for character in text.chars() {
        sum += match character {
            // En dash.
            '\u{2013}' => 556.0,
            ' '..='~' => {
                let index = u32::from(character).checked_sub(u32::from(' '))?;
                f64::from(*advances.get(usize::try_from(index).ok()?)?)
            }
            _ => return None,
        };
    }
    Some(sum * size / 1000.0)
}

/// Breaks a text at spaces into lines; the first one begins after `indent`.
pub(crate) fn wrap(text: &str, size: f64, room: f64, indent: f64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut left = room - indent;
    for word in text.split(' ') {
        let longer = if line.is_empty() {
            word.to_owned()
        } else {
            format!("{line} {word}")
        };
        let fits = width(&longer, size, Weight::Regular).is_some_and(|width| width <= left);
        if fits {
            line = longer;
        } else {
            lines.push(std::mem::replace(&mut line, word.to_owned()));
            left = room;
        }
    }
    lines.push(line);
    lines
}
