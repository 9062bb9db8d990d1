//! CloudWatch's metric math, as much of it as the alarms use, for one data point. A missing value makes what is computed
//! from it missing ("Using math expressions with CloudWatch metrics").

use libtest_mimic::Failed;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Math {
    Number(f64),
    Metric(String),
    Binary(char, Box<(Math, Math)>),
    Call(String, Vec<Math>),
}

impl Math {
    pub(super) fn parsed(text: &str) -> Result<Self, Failed> {
        let mut parser = Parser { rest: text };
        let math = parser.comparison()?;
        match parser.next() {
            None => Ok(math),
            Some(_) => Err(format!("{text}: not understood from {:?} on", parser.rest).into()),
        }
    }

    /// `None` where it has no value.
    pub(super) fn value(
        &self,
        metric: &dyn Fn(&str) -> Result<Option<f64>, Failed>,
    ) -> Result<Option<f64>, Failed> {
        match self {
            Self::Number(number) => Ok(Some(*number)),
            Self::Metric(id) => metric(id),
            Self::Binary(operator, sides) => {
                let (left, right) = (sides.0.value(metric)?, sides.1.value(metric)?);
                let (Some(left), Some(right)) = (left, right) else {
                    return Ok(None);
                };
                Ok(binary(*operator, left, right))
            }
            Self::Call(name, arguments) => match (name.as_str(), arguments.as_slice()) {
                ("FILL", [value, other]) => match value.value(metric)? {
                    None => other.value(metric),
                    value => Ok(value),
                },
                ("IF", [condition, then, otherwise]) => match condition.value(metric)? {
                    None => Ok(None),
                    Some(condition) if condition != 0.0 => then.value(metric),
                    Some(_) => otherwise.value(metric),
                },
                _ => Err(format!("{name} of {} is not known", arguments.len()).into()),
            },
        }
    }
}

fn binary(operator: char, left: f64, right: f64) -> Option<f64> {
    let truth = |is_true: bool| Some(f64::from(u8::from(is_true)));
    match operator {
        '+' => Some(left + right),
        '-' => Some(left - right),
        '*' => Some(left * right),
        '/' => (right != 0.0).then(|| left / right),
        '>' => truth(left > right),
        // `>=`, as one character.
        '≥' => truth(left >= right),
        _ => None,
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, token: &str) -> bool {
        self.next();
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn comparison(&mut self) -> Result<Math, Failed> {
        let left = self.sum()?;
        let operator = match (self.take(">="), self.take(">")) {
            (true, _) => '≥',
            (_, true) => '>',
            _ => return Ok(left),
        };
        Ok(Math::Binary(operator, Box::new((left, self.sum()?))))
    }

    fn sum(&mut self) -> Result<Math, Failed> {
        self.chain(&['+', '-'], Self::product)
    }

    fn product(&mut self) -> Result<Math, Failed> {
        self.chain(&['*', '/'], Self::atom)
    }

    fn chain(
        &mut self,
        operators: &[char],
        part: fn(&mut Self) -> Result<Math, Failed>,
    ) -> Result<Math, Failed> {
        let mut left = part(self)?;
        while let Some(operator) = self.next().filter(|next| operators.contains(next)) {
            self.take(&operator.to_string());
            left = Math::Binary(operator, Box::new((left, part(self)?)));
        }
        Ok(left)
    }

    fn atom(&mut self) -> Result<Math, Failed> {
        if self.take("(") {
            let inner = self.comparison()?;
            return self.closed(inner);
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if let Ok(number) = word.parse() {
            return Ok(Math::Number(number));
        }
        // Ids begin with a lower-case letter (CloudWatch API Reference, "MetricDataQuery").
        if word.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Ok(Math::Metric(word.to_owned()));
        }
        let name = word.to_owned();
        if name.is_empty() || !self.take("(") {
            return Err(format!("not understood: {word:?} before {:?}", self.rest).into());
        }
        let mut arguments = vec![self.comparison()?];
        while self.take(",") {
            arguments.push(self.comparison()?);
        }
        self.closed(Math::Call(name, arguments))
    }

    fn closed(&mut self, math: Math) -> Result<Math, Failed> {
        if self.take(")") {
            Ok(math)
        } else {
            Err(format!("no ) before {:?}", self.rest).into())
        }
    }
}

pub(super) async fn follows_cloudwatch() -> Result<(), Failed> {
    let metric = |id: &str| match id {
        "a" => Ok(Some(7.0)),
        "b" => Ok(Some(2.0)),
        "zero" => Ok(Some(0.0)),
        "missing" => Ok(None),
        _ => Err(Failed::from(format!("no metric {id}"))),
    };
    for (text, expected) in [
        ("a - b - 1", Some(4.0)),
        ("a - b * 2 / 4", Some(6.0)),
        ("(a - b) * 2", Some(10.0)),
        ("a >= 7", Some(1.0)),
        ("a > 7", Some(0.0)),
        ("a + missing", None),
        ("a / zero", None),
        ("FILL(missing, 3) + FILL(a, 3)", Some(10.0)),
        ("IF(a > b, a, b)", Some(7.0)),
        ("IF(b > a, missing, 0)", Some(0.0)),
        ("IF(missing >= 1, a / b, 0)", None),
    ] {
        assert_eq!(Math::parsed(text)?.value(&metric)?, expected, "{text}");
    }
    for text in ["a +", "IF(a", "a b", "RATE(a)", "unknown"] {
        let value = Math::parsed(text).and_then(|math| math.value(&metric));
        assert!(value.is_err(), "{text}");
    }
    Ok(())
}
