//! The command line of a bench, and its report.
//!
//! Invariant: an argument that a bench does not know is refused, so that no option is silently without effect.

use std::io;

use super::{Figure, table, write};

/// What `cargo bench` itself passes.
const OF_CARGO: &str = "--bench";
const QUICK: &str = "--quick";

/// A bench that was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bench {
    name: &'static str,
    /// One small round as a check, whose figures mean nothing.
    pub is_quick: bool,
    /// How often everything is measured.
    pub rounds: usize,
}

/// What this process of a bench is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Measure.
    Measure(Bench),
    /// Be one of the processes that are measured, with these arguments.
    Child(Vec<String>),
}

impl Role {
    /// Reads the command line of this process. `child` is the first argument of a process that the bench starts.
    ///
    /// # Errors
    /// Names the first argument that is unknown.
    pub fn of_process(name: &'static str, rounds: usize, child: &str) -> Result<Self, String> {
        let arguments = std::env::args().skip(1).collect();
        Self::of(arguments, name, rounds, child)
    }

    fn of(
        arguments: Vec<String>,
        name: &'static str,
        rounds: usize,
        child: &str,
    ) -> Result<Self, String> {
        if arguments.first().is_some_and(|first| first == child) {
            return Ok(Self::Child(arguments.into_iter().skip(1).collect()));
        }
        let mut bench = Bench {
            name,
            is_quick: false,
            rounds,
        };
        for argument in &arguments {
            match argument.as_str() {
                OF_CARGO => {}
                QUICK => {
                    bench.is_quick = true;
                    bench.rounds = 1;
                }
                other => return Err(format!("{other:?} is unknown; the only option is {QUICK}")),
            }
        }
        Ok(Self::Measure(bench))
    }
}

impl Bench {
    /// Prints the figures and writes `target/bench/NAME.json`, or `NAME-quick.json`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn report(&self, figures: &[Figure]) -> io::Result<()> {
        let suffix = if self.is_quick { "-quick" } else { "" };
        println!("{}", table(figures));
        let path = write(&format!("{}{suffix}", self.name), figures)?;
        println!("written to {}", path.display());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(arguments: &[&str]) -> Result<Role, String> {
        let arguments = arguments.iter().map(|&text| text.to_owned()).collect();
        Role::of(arguments, "x", 7, "x-child")
    }

    #[test]
    fn only_known_arguments_are_taken() {
        let bench = |is_quick, rounds| {
            Ok(Role::Measure(Bench {
                name: "x",
                is_quick,
                rounds,
            }))
        };
        assert_eq!(role(&[]), bench(false, 7));
        assert_eq!(role(&["--bench"]), bench(false, 7));
        assert_eq!(role(&["--quick", "--bench"]), bench(true, 1));
        assert_eq!(
            role(&["x-child", "--quick"]),
            Ok(Role::Child(vec!["--quick".to_owned()]))
        );
        let error = role(&["--quik"]).unwrap_err();
        assert!(error.contains("\"--quik\""), "{error}");
    }
}
