//! Points, rectangles and segments, in the units of the picture: 1 is a pixel where it is 1280 wide.

/// A point; y grows downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

pub(crate) const fn at(x: f64, y: f64) -> Point {
    Point { x, y }
}

/// A rectangle with its sides parallel to the axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rect {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

pub(crate) const fn rect(left: f64, top: f64, right: f64, bottom: f64) -> Rect {
    Rect {
        left,
        top,
        right,
        bottom,
    }
}

impl Rect {
    pub(crate) fn around(centre: Point, half_width: f64, half_height: f64) -> Self {
        rect(
            centre.x - half_width,
            centre.y - half_height,
            centre.x + half_width,
            centre.y + half_height,
        )
    }

    pub(crate) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// Larger on every side; smaller where `by` is negative.
    pub(crate) fn grown(&self, by: f64) -> Self {
        rect(
            self.left - by,
            self.top - by,
            self.right + by,
            self.bottom + by,
        )
    }

    pub(crate) fn contains(&self, other: &Self) -> bool {
        self.left <= other.left
            && self.top <= other.top
            && self.right >= other.right
            && self.bottom >= other.bottom
    }

    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    /// Whether a horizontal or vertical segment goes through the inside.
    pub(crate) fn is_crossed_by(&self, (from, to): (Point, Point)) -> bool {
        self.left < from.x.max(to.x)
            && from.x.min(to.x) < self.right
            && self.top < from.y.max(to.y)
            && from.y.min(to.y) < self.bottom
    }

    pub(crate) fn edges(&self) -> [(Point, Point); 4] {
        let Self {
            left,
            top,
            right,
            bottom,
        } = *self;
        [
            (at(left, top), at(right, top)),
            (at(left, bottom), at(right, bottom)),
            (at(left, top), at(left, bottom)),
            (at(right, top), at(right, bottom)),
        ]
    }
}
