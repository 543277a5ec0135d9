//! Colour for terminals, and text that a terminal cannot be commanded by.

use std::io::IsTerminal;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Bold,
    Dim,
    Good,
    Bad,
    Name,
}

/// Writes in colour, or plainly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pen {
    colour: bool,
}

impl Pen {
    /// Colour only for a terminal, and not where it is unwanted (no-color.org).
    pub(super) fn for_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { colour: std::io::stdout().is_terminal() && !unwanted && !dumb }
    }

    #[cfg(test)]
    pub(super) const fn plain() -> Self {
        Self { colour: false }
    }

    #[cfg(test)]
    pub(super) const fn coloured() -> Self {
        Self { colour: true }
    }

    pub(super) fn ink(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Good => "32",
            Ink::Bad => "31",
            Ink::Name => "36",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn mark(self, good: bool, text: &str) -> String {
        if good { self.ink(Ink::Good, &format!("✓ {text}")) } else { self.ink(Ink::Bad, &format!("✗ {text}")) }
    }

    /// A word that says how something stands, in the colour of that.
    pub(super) fn state(self, word: &str) -> String {
        match ink_of(word) {
            Some(ink) => self.ink(ink, word),
            None => word.to_owned(),
        }
    }
}

/// What colour a state has.
pub(super) fn ink_of(word: &str) -> Option<Ink> {
    match word.trim() {
        "succeeded" | "ready" | "enabled" => Some(Ink::Good),
        "failed" | "parked" | "uncertain" | "refused" => Some(Ink::Bad),
        "retrying" | "held" => Some(Ink::Name),
        "skipped" | "cancelled" | "disabled" => Some(Ink::Dim),
        _ => None,
    }
}

/// One line without anything that a terminal would obey.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The same of at most `width` characters.
pub(super) fn shorten(text: &str, width: usize) -> String {
    let text = clean(text);
    let mut rest = text.chars();
    let mut line: String = rest.by_ref().take(width).collect();
    if rest.next().is_some() {
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_cannot_command_the_terminal() {
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("abcdefg", 6), "abcde…");
        assert_eq!(shorten("a\x1b[2Jb", 10), "a [2Jb");
        assert_eq!(clean("a\nb"), "a b");
    }

    #[test]
    fn states_have_colours_where_there_may_be_any() {
        assert_eq!(Pen::plain().state("failed"), "failed");
        assert_eq!(Pen::coloured().state("failed"), "\x1b[31mfailed\x1b[0m");
        assert_eq!(Pen::coloured().state("pending"), "pending");
    }
}
