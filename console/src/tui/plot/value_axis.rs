//! Units of values, and the round numbers at which a vertical axis ends.

use crate::tui::format::{latency, rate, short, span_secs, whole};

/// Unit of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Things that are counted.
    Count,
    PerSec,
    PerMinute,
    Millis,
    Secs,
    /// Aurora capacity units.
    Acu,
}

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3_600.0;
const DAY: f64 = 86_400.0;
/// Seconds at which an axis of ages ends.
const ROUND_SECS: [f64; 21] = [
    2.0,
    5.0,
    10.0,
    20.0,
    30.0,
    MINUTE,
    2.0 * MINUTE,
    5.0 * MINUTE,
    10.0 * MINUTE,
    20.0 * MINUTE,
    30.0 * MINUTE,
    HOUR,
    2.0 * HOUR,
    4.0 * HOUR,
    6.0 * HOUR,
    12.0 * HOUR,
    DAY,
    2.0 * DAY,
    4.0 * DAY,
    7.0 * DAY,
    14.0 * DAY,
];
const ROUND: [f64; 6] = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];

impl Unit {
    /// A value in full: `48,211`, `50.0/s`, `1.1 s`, `2 h 10 min`.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Self::Count => short(value),
            Self::PerSec => rate(value),
            // A few in a long period are not none.
            Self::PerMinute if value > 0.0 && value < 0.05 => "below 0.1 a minute".to_owned(),
            Self::PerMinute => format!("{} a minute", short(value)),
            Self::Millis => latency(millis(value)),
            Self::Secs => span_secs(whole(value)),
            Self::Acu => format!("{} ACU", short(value)),
        }
    }

    /// The round value at which an axis with this greatest value ends, so that it does not jump with every value.
    pub(crate) fn end(self, greatest: f64) -> f64 {
        if self == Self::Secs {
            let round = ROUND_SECS.into_iter().find(|end| *end >= greatest);
            return round.unwrap_or_else(|| decimal_end(greatest / DAY) * DAY);
        }
        if self == Self::Millis && greatest > 1_000.0 {
            return Self::Secs.end(greatest / 1_000.0) * 1_000.0;
        }
        // Nobody counts a half.
        decimal_end(greatest).max(if self == Self::Count { 2.0 } else { 1.0 })
    }

    /// A round value at an axis, in at most seven columns: `4k`, `50/s`, `1.5 s`, `5 min`.
    pub(crate) fn label(self, value: f64) -> String {
        match self {
            Self::Count => compact(value),
            Self::PerSec => format!("{}/s", compact(value)),
            Self::PerMinute if value < 1_000.0 => format!("{}/min", compact(value)),
            Self::PerMinute => compact(value),
            Self::Acu if value < 1_000.0 => format!("{} ACU", compact(value)),
            Self::Acu => compact(value),
            Self::Millis if value < 1_000.0 => format!("{} ms", compact(value)),
            Self::Millis => span_label(value / 1_000.0),
            Self::Secs => span_label(value),
        }
    }
}

fn millis(value: f64) -> std::time::Duration {
    std::time::Duration::from_micros(whole(value * 1_000.0))
}

/// The next round step × 10ⁿ.
fn decimal_end(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let magnitude = 10_f64.powf(value.log10().floor());
    let mut ends = ROUND.into_iter().map(|step| step * magnitude);
    ends.find(|end| *end >= value).unwrap_or(value)
}

fn compact(value: f64) -> String {
    for (unit, sign) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if value >= unit {
            return format!("{}{sign}", plain(value / unit));
        }
    }
    plain(value)
}

fn span_label(secs: f64) -> String {
    for (unit, name) in [(DAY, "d"), (HOUR, "h"), (MINUTE, "min")] {
        if secs >= unit {
            return format!("{} {name}", compact(secs / unit));
        }
    }
    format!("{} s", plain(secs))
}

/// As many digits as are worth reading.
fn plain(value: f64) -> String {
    if value >= 99.5 || value.fract() == 0.0 {
        whole(value).to_string()
    } else if value >= 0.995 {
        let text = format!("{value:.1}");
        text.trim_end_matches(".0").to_owned()
    } else {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr as _;

    use super::super::window::GUTTER;
    use super::*;

    const UNITS: [Unit; 6] = [
        Unit::Count,
        Unit::PerSec,
        Unit::PerMinute,
        Unit::Millis,
        Unit::Secs,
        Unit::Acu,
    ];

    #[test]
    fn axis_ends_at_a_round_number_of_its_unit() {
        for (unit, value, end, label) in [
            (Unit::Count, 0.0, 2.0, "2"),
            (Unit::Count, 3.0, 4.0, "4"),
            (Unit::Count, 48_211.0, 60_000.0, "60k"),
            (Unit::PerSec, 0.3, 1.0, "1/s"),
            (Unit::PerSec, 61.0, 80.0, "80/s"),
            (Unit::Millis, 900.0, 1_000.0, "1 s"),
            (Unit::Millis, 212.0, 400.0, "400 ms"),
            (Unit::Millis, 3_100.0, 5_000.0, "5 s"),
            (Unit::Secs, 1.0, 2.0, "2 s"),
            (Unit::Secs, 61.0, 120.0, "2 min"),
            (Unit::Secs, 1_300.0, 1_800.0, "30 min"),
            (Unit::Secs, 200_000.0, 345_600.0, "4 d"),
            (Unit::Acu, 0.5, 1.0, "1 ACU"),
        ] {
            assert!((unit.end(value) - end).abs() < 1e-9, "{unit:?} {value}");
            assert_eq!(unit.label(end), label, "{unit:?} {value}");
        }
    }

    #[test]
    fn values_carry_their_unit() {
        let texts = UNITS.map(|unit| unit.text(1_250.0));
        assert_eq!(
            texts,
            [
                "1,250",
                "1,250/s",
                "1,250 a minute",
                "1.2 s",
                "20 min 50 s",
                "1,250 ACU"
            ]
        );
    }

    proptest! {
        #[test]
        fn every_label_fits_and_the_axis_has_every_value(value in 0.0f64..1e9) {
            for unit in UNITS {
                let end = unit.end(value);
                prop_assert!(end >= value, "{:?} {} {}", unit, value, end);
                for label in [unit.label(end), unit.label(end / 2.0)] {
                    prop_assert!(label.width() < usize::from(GUTTER), "{:?} {:?}", unit, label);
                }
            }
        }
    }
}
