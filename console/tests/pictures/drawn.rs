//! A screen as a picture.

use crate::picture::glyphs::{CELL_HEIGHT, CELL_WIDTH, OVERLAP, shapes};
use crate::picture::palette::Theme;
use crate::picture::still;
use crate::{WINDOW, assert_stands_alone, cells, elements};

fn draw(size: (u16, u16), written: &str) -> String {
    still::draw(&cells(size, written), &WINDOW, Theme::Light)
}

/// The texts of the screen, without the title of the window.
fn texts(svg: &str) -> Vec<(f64, Option<f64>, String)> {
    elements(svg)
        .into_iter()
        .filter(|element| element.name == "text" && element.text != "title")
        .map(|element| {
            let length = element.attribute("textLength");
            let length = length.map(|length| length.parse().unwrap());
            (element.number("x"), length, element.text)
        })
        .collect()
}

#[test]
fn text_starts_at_its_column_and_has_the_length_of_its_cells() {
    let svg = draw((40, 1), "  one two   \u{1b}[1mthree\u{1b}[m x 日本");
    let at = |column: f64| column * CELL_WIDTH;
    let expected = [
        (at(2.0), Some(at(7.0)), "one two".to_owned()),
        (at(12.0), Some(at(5.0)), "three".to_owned()),
        (at(18.0), Some(at(6.0)), "x 日本".to_owned()),
    ];
    assert_eq!(texts(&svg), expected);
}

#[test]
fn hostile_text_stays_text() {
    let hostile = "</text><script>alert(1)</script>&amp;\"'";
    let svg = draw((60, 1), hostile);
    assert_eq!(texts(&svg)[0].2, hostile);
    assert_stands_alone(&svg);
    let window = crate::picture::window::Window {
        title: "<b>\u{1b}[2J\u{0}",
        description: "\"/><script>",
        foot: 0.0,
    };
    let svg = still::draw(&cells((4, 1), ""), &window, Theme::Dark);
    assert_stands_alone(&svg);
    let title = elements(&svg).into_iter().find(|one| one.name == "title");
    assert_eq!(title.unwrap().text, "<b>\u{fffd}[2J\u{fffd}");
}

/// All rectangles of the paths in a picture, in the coordinates of their row.
fn rectangles(svg: &str) -> Vec<[f64; 4]> {
    let paths = elements(svg).into_iter();
    let paths = paths.filter(|one| one.name == "path" && one.attribute("class").is_some());
    let parts: Vec<String> = paths
        .flat_map(|path| {
            let drawn = path.attribute("d").unwrap().to_owned();
            let parts: Vec<String> = drawn.split_terminator('z').map(str::to_owned).collect();
            parts
        })
        .collect();
    parts
        .iter()
        .map(|part| {
            let numbers = part.split(['M', ' ', 'h', 'v']);
            let numbers: Vec<f64> = numbers.filter_map(|number| number.parse().ok()).collect();
            let [x, y, width, height, _back] = numbers[..] else {
                unreachable!("{part}");
            };
            [x, y, width, height]
        })
        .collect()
}

#[test]
fn lines_join_across_cells_and_rows() {
    // One line across all columns, whatever the number of characters.
    let [line] = rectangles(&draw((10, 1), "──────────"))[..] else {
        unreachable!();
    };
    assert_eq!(line[0], -OVERLAP);
    assert_eq!(line[2], 10.0 * CELL_WIDTH + 2.0 * OVERLAP);
    // A line down goes beyond both borders of each row.
    for rectangle in rectangles(&draw((1, 2), "│\r\n│")) {
        assert_eq!(rectangle[1], -OVERLAP);
        assert_eq!(rectangle[3], CELL_HEIGHT + 2.0 * OVERLAP);
    }
    // A line beside a corner touches it.
    let rectangles = rectangles(&draw((2, 1), "└─"));
    let across: Vec<_> = rectangles.iter().filter(|one| one[2] > one[3]).collect();
    let [arm, line] = across[..] else {
        unreachable!("{rectangles:?}");
    };
    assert!(
        arm[0] < CELL_WIDTH / 2.0 && arm[0] + arm[2] > line[0],
        "{across:?}"
    );
    assert_eq!((arm[1], arm[3]), (line[1], line[3]));
}

#[test]
fn corner_has_its_arms_where_the_character_has_them() {
    let touches = |character: char| {
        let shapes = shapes(character).unwrap();
        [
            shapes.iter().any(|one| one.left < 0.0),
            shapes.iter().any(|one| one.top < 0.0),
            shapes.iter().any(|one| one.right > CELL_WIDTH),
            shapes.iter().any(|one| one.bottom > CELL_HEIGHT),
        ]
    };
    for (character, arms) in [
        ('┌', [false, false, true, true]),
        ('╮', [true, false, false, true]),
        ('└', [false, true, true, false]),
        ('┤', [true, true, false, true]),
        ('┼', [true, true, true, true]),
        ('█', [true, true, true, true]),
        ('▄', [true, false, true, true]),
        ('▏', [true, true, false, true]),
        ('▟', [true, true, true, true]),
    ] {
        assert_eq!(touches(character), arms, "{character}");
    }
    assert_eq!(shapes('a'), None);
    assert_eq!(shapes('░'), None, "the font draws shades");
}

#[test]
fn braille_has_a_dot_for_each_bit() {
    for (character, dots) in [('⠀', 0), ('⠁', 1), ('⢀', 1), ('⣿', 8)] {
        assert_eq!(shapes(character).unwrap().len(), dots, "{character}");
    }
    let [left_top] = shapes('⠁').unwrap()[..] else {
        unreachable!();
    };
    assert!(left_top.right < CELL_WIDTH / 2.0 && left_top.bottom < CELL_HEIGHT / 4.0);
    let [right_bottom] = shapes('⢀').unwrap()[..] else {
        unreachable!();
    };
    assert!(right_bottom.left > CELL_WIDTH / 2.0 && right_bottom.top > CELL_HEIGHT * 0.7);
}

#[test]
fn colours_are_those_of_the_theme() {
    let screen = cells((8, 1), "\u{1b}[36mab\u{1b}[7mcd\u{1b}[m\u{1b}[2mef");
    let [light, dark] = Theme::ALL.map(|theme| still::draw(&screen, &WINDOW, theme));
    for (svg, cyan, paper) in [
        (&light, "#0c6f7c", "#ffffff"),
        (&dark, "#55c7d6", "#14181f"),
    ] {
        assert!(svg.contains(&format!(".c0{{fill:{cyan}}}")), "{svg}");
        // Reversed: its colour is behind it.
        let behind = elements(svg)
            .into_iter()
            .find(|one| one.name == "rect" && one.attribute("class").is_some());
        let behind = behind.unwrap();
        assert_eq!(
            (behind.number("x"), behind.number("width")),
            (2.0 * CELL_WIDTH, 2.0 * CELL_WIDTH)
        );
        assert!(svg.contains(&format!("fill:{paper}")), "{svg}");
    }
}

/// The contrast of two colours, as WCAG 2 has it.
fn contrast(one: (u8, u8, u8), other: (u8, u8, u8)) -> f64 {
    let luminance = |(red, green, blue): (u8, u8, u8)| {
        let part = |byte: u8| {
            let part = f64::from(byte) / 255.0;
            if part <= 0.040_45 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue)
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_colour_of_a_text_is_legible_in_both_themes() {
    use crate::picture::cells::Ink;
    for theme in Theme::ALL {
        let palette = theme.palette();
        let colours = (1..7).map(Ink::Indexed).chain([Ink::Text]);
        for ink in colours {
            let found = contrast(palette.colour(ink, false), palette.paper);
            assert!(found >= 4.5, "{theme:?} {ink:?}: {found}");
        }
        let dim = contrast(palette.colour(Ink::Text, true), palette.paper);
        assert!(dim >= 4.5, "{theme:?}: {dim}");
    }
}
