//! The colours of the two themes.

use super::cells::Ink;

/// Which of a page's themes a picture is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
}

type Rgb = (u8, u8, u8);

/// Percent of its colour that a dim text keeps; the rest is the background's.
const DIM: u16 = 66;

/// The colours of a terminal and of its window.
#[derive(Debug)]
pub(crate) struct Palette {
    pub(crate) paper: Rgb,
    pub(crate) text: Rgb,
    /// Title bar and foot.
    pub(crate) bar: Rgb,
    /// Border of the window.
    pub(crate) border: Rgb,
    colours: [Rgb; 16],
}

const LIGHT: Palette = Palette {
    paper: (0xff, 0xff, 0xff),
    text: (0x1f, 0x23, 0x28),
    bar: (0xf3, 0xf5, 0xf8),
    border: (0xd0, 0xd7, 0xde),
    colours: [
        (0x24, 0x29, 0x2f),
        (0xc4, 0x1e, 0x2a),
        (0x11, 0x6d, 0x37),
        (0x8a, 0x55, 0x00),
        (0x09, 0x5b, 0xc6),
        (0x7c, 0x3a, 0xcf),
        (0x0c, 0x6f, 0x7c),
        (0x6e, 0x77, 0x81),
        (0x57, 0x60, 0x6a),
        (0xa4, 0x0e, 0x26),
        (0x1a, 0x7f, 0x37),
        (0x63, 0x3c, 0x01),
        (0x21, 0x8b, 0xff),
        (0xa4, 0x75, 0xf9),
        (0x31, 0x92, 0xaa),
        (0x1f, 0x23, 0x28),
    ],
};

const DARK: Palette = Palette {
    paper: (0x14, 0x18, 0x1f),
    text: (0xd7, 0xdd, 0xe5),
    bar: (0x1d, 0x23, 0x2c),
    border: (0x39, 0x41, 0x4d),
    colours: [
        (0x39, 0x41, 0x4d),
        (0xff, 0x7b, 0x72),
        (0x6c, 0xd0, 0x7c),
        (0xe8, 0xb3, 0x4b),
        (0x79, 0xb8, 0xff),
        (0xc9, 0xa2, 0xff),
        (0x55, 0xc7, 0xd6),
        (0xb1, 0xba, 0xc4),
        (0x7d, 0x87, 0x94),
        (0xff, 0xa1, 0x98),
        (0x8a, 0xe2, 0x99),
        (0xf6, 0xcf, 0x7a),
        (0xa5, 0xd0, 0xff),
        (0xdd, 0xc3, 0xff),
        (0x84, 0xdf, 0xea),
        (0xf0, 0xf4, 0xf8),
    ],
};

impl Theme {
    /// Both, as the pictures are written.
    pub(crate) const ALL: [Self; 2] = [Self::Light, Self::Dark];

    /// What the name of its file ends with, before the extension.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Light => "",
            Self::Dark => "-dark",
        }
    }

    pub(crate) const fn palette(self) -> &'static Palette {
        match self {
            Self::Light => &LIGHT,
            Self::Dark => &DARK,
        }
    }
}

impl Palette {
    /// The colour of an ink; a dim one is nearer to the background.
    pub(crate) fn colour(&self, ink: Ink, is_dim: bool) -> Rgb {
        let colour = match ink {
            Ink::Text => self.text,
            Ink::Paper => self.paper,
            Ink::Rgb(red, green, blue) => (red, green, blue),
            Ink::Indexed(index) => self.indexed(index),
        };
        if is_dim {
            mixed(colour, self.paper)
        } else {
            colour
        }
    }

    /// The 16 named colours, the cube of 216 and the 24 greys of xterm.
    fn indexed(&self, index: u8) -> Rgb {
        if let Some(colour) = self.colours.get(usize::from(index)) {
            return *colour;
        }
        if index >= 232 {
            let grey = 8 + 10 * (index - 232);
            return (grey, grey, grey);
        }
        let level = |part: u8| if part == 0 { 0 } else { 55 + 40 * part };
        let place = index - 16;
        (level(place / 36), level(place / 6 % 6), level(place % 6))
    }
}

fn mixed(ink: Rgb, paper: Rgb) -> Rgb {
    let mix = |ink: u8, paper: u8| {
        let mean = (u16::from(ink) * DIM + u16::from(paper) * (100 - DIM) + 50) / 100;
        u8::try_from(mean).unwrap_or(u8::MAX)
    };
    (
        mix(ink.0, paper.0),
        mix(ink.1, paper.1),
        mix(ink.2, paper.2),
    )
}

/// As SVG and CSS write it.
pub(crate) fn hex((red, green, blue): Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}
