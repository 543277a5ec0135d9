//! Which characters stand as one on the screen. The common cases only: the full tables of Unicode would
//! be larger than most plugins.

/// True when a cut between the two would split what a reader sees as one character. `before` is all text
/// up to `next`.
pub(super) fn joins(previous: char, next: char, before: &str) -> bool {
    const JOINER: char = '\u{200d}';
    if next.is_ascii() && next != '\n' {
        return previous == JOINER;
    }
    previous == JOINER || extends(next) || (previous == '\r' && next == '\n') || (flag(next) && odd_flags(before))
}

fn extends(letter: char) -> bool {
    // ASCII and Latin first: nearly every letter.
    letter >= '\u{300}' && EXTENDING.iter().any(|(first, last)| (*first..=*last).contains(&letter))
}

/// Combining marks, vowel signs, joiners, variation selectors, skin tones and tags.
const EXTENDING: [(char, char); 19] = [
    ('\u{300}', '\u{36f}'),
    ('\u{483}', '\u{489}'),
    ('\u{591}', '\u{5bd}'),
    ('\u{610}', '\u{61a}'),
    ('\u{64b}', '\u{65f}'),
    ('\u{900}', '\u{903}'),
    ('\u{93a}', '\u{93c}'),
    ('\u{93e}', '\u{94f}'),
    ('\u{e31}', '\u{e31}'),
    ('\u{e34}', '\u{e3a}'),
    ('\u{e47}', '\u{e4e}'),
    ('\u{1160}', '\u{11ff}'),
    ('\u{1ab0}', '\u{1aff}'),
    ('\u{200c}', '\u{200d}'),
    ('\u{20d0}', '\u{20ff}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{fe20}', '\u{fe2f}'),
    ('\u{1f3fb}', '\u{1f3ff}'),
    ('\u{e0020}', '\u{e01ef}'),
];

fn flag(letter: char) -> bool {
    ('\u{1f1e6}'..='\u{1f1ff}').contains(&letter)
}

/// Two regional letters make a flag, so a third starts the next one.
fn odd_flags(before: &str) -> bool {
    before.chars().rev().take_while(|letter| flag(*letter)).count() % 2 == 1
}
