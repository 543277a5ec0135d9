//! What a plugin said of its own end, which the trap behind it does not say.

/// How much of what stands on stderr is told.
const WRITTEN_CHARS: usize = 1000;

/// The last words of a plugin that gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LastWords {
    /// Of Rust: `panicked at PLACE: why`. The frames of the trap are the plugin's own.
    Panicked(String),
    /// Of a language that is interpreted: `threw ERROR, at PLACE`. The frames of the trap are the interpreter's.
    Threw(String),
    /// Of anything else: what it wrote to stderr last.
    Wrote(String),
}

impl LastWords {
    /// Finds them among the last lines of the level `error`, the oldest first: the line by which an SDK announces what
    /// happens, or else whatever there is.
    pub(super) fn among<'a>(errors: impl DoubleEndedIterator<Item = &'a str>) -> Option<Self> {
        let errors: Vec<&str> = errors.collect();
        let announced = errors.iter().rev().find_map(|line| {
            let kind = match line.split(' ').next()? {
                "panicked" if line.starts_with("panicked at ") => Self::Panicked,
                "threw" => Self::Threw,
                _ => return None,
            };
            Some(kind(one_line(line)))
        });
        announced.or_else(|| {
            let worth_telling = |line: &&str| !line.trim().is_empty() && !line.starts_with("note: run with `RUST_");
            let written = errors.into_iter().filter(worth_telling).map(one_line).collect::<Vec<_>>().join(" ");
            // What went wrong stands at the end.
            let beyond = written.chars().count().saturating_sub(WRITTEN_CHARS);
            let told: String = written.chars().skip(beyond).collect();
            (!told.is_empty()).then_some(Self::Wrote(told))
        })
    }
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(lines: &[&str]) -> Option<LastWords> {
        LastWords::among(lines.iter().copied())
    }

    #[test]
    fn the_line_of_an_sdk_counts_and_not_what_its_interpreter_adds() {
        let panicked = LastWords::Panicked("panicked at src/lib.rs:1:2: boom".to_owned());
        assert_eq!(among(&["an error before", "panicked at src/lib.rs:1:2:\nboom"]), Some(panicked));
        let threw = LastWords::Threw("threw TypeError: no, at f (a.js:1:2)".to_owned());
        let lines =
            ["threw up", "threw TypeError: no, at f (a.js:1:2)", "", "thread '<unnamed>' panicked at c.rs:1:1:", "x"];
        assert_eq!(among(&lines), Some(threw));
    }

    #[test]
    fn without_such_a_line_the_end_of_stderr_is_told() {
        let lines = ["Traceback:", "  File \"a.py\", line 1", "", "KeyError: 'a'", "note: run with `RUST_BACKTRACE=1`"];
        let wrote = "Traceback: File \"a.py\", line 1 KeyError: 'a'";
        assert_eq!(among(&lines), Some(LastWords::Wrote(wrote.to_owned())));
        let long = format!("{}end", "x".repeat(WRITTEN_CHARS));
        let told = format!("{}end", "x".repeat(WRITTEN_CHARS - 3));
        assert_eq!(among(&[&long]), Some(LastWords::Wrote(told)));
        assert_eq!((among(&[]), among(&["", " "])), (None, None));
    }
}
