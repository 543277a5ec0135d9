//! Text for places with limits and with markup of their own.
//!
//! Lengths are in UTF-16 units, which are never fewer than code points: a text that fits so fits however the
//! receiver counts.

mod cluster;
pub mod escape;

use std::borrow::Cow;

use cluster::joins;
pub use escape::escape_within;

const ELLIPSIS: char = '…';

/// The text, cut to `max` UTF-16 units with `…` at its end if it is longer. Does not cut between a letter and
/// its accents, or inside an emoji of several parts.
///
/// ```
/// use hookwright_sdk::text::truncate;
///
/// assert_eq!(truncate("a build", 5), "a bu…");
/// assert_eq!(truncate("a build", 7), "a build");
/// ```
pub fn truncate(text: &str, max: usize) -> Cow<'_, str> {
    // No text has more units than bytes.
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    match cut(text, max) {
        None => Cow::Borrowed(text),
        Some(_) if max == 0 => Cow::Borrowed(""),
        Some(end) => Cow::Owned(join(&[part(text, 0, end).trim_end(), "…"])),
    }
}

/// Where to cut so that there is room for an ellipsis; none when all of the text fits.
fn cut(text: &str, max: usize) -> Option<usize> {
    let (mut spent, mut end) = (0, 0);
    let mut previous = '\0';
    for (index, letter) in text.char_indices() {
        if spent < max && !joins(previous, letter, part(text, 0, index)) {
            end = index;
        }
        spent += letter.len_utf16();
        if spent > max {
            return Some(end);
        }
        previous = letter;
    }
    None
}

/// All texts, one behind the other. Smaller than `format!` and `concat`, which are made anew for each use.
///
/// ```
/// assert_eq!(hookwright_sdk::text::join(&["New ticket: ", "Export fails"]), "New ticket: Export fails");
/// ```
pub fn join(texts: &[&str]) -> String {
    let mut out = String::with_capacity(texts.iter().map(|text| text.len()).sum());
    for text in texts {
        out.push_str(text);
    }
    out
}

/// A part of a text, from and to a boundary of characters. Not `text[from..to]`: to tell of a cut inside a character takes a
/// twentieth of a plugin.
pub(crate) fn part(text: &str, from: usize, to: usize) -> &str {
    text.get(from..to).unwrap_or_default()
}

/// All texts with this between them.
///
/// ```
/// assert_eq!(hookwright_sdk::text::separated(&["a".to_owned(), "b".to_owned()], ", "), "a, b");
/// ```
pub fn separated(texts: &[String], separator: &str) -> String {
    let mut out = String::new();
    for (index, text) in texts.iter().enumerate() {
        out.push_str(if index > 0 { separator } else { "" });
        out.push_str(text);
    }
    out
}

/// The text in one line: every run of white space and control characters becomes one space; none at the ends.
///
/// ```
/// assert_eq!(hookwright_sdk::text::one_line(" a\r\n\tb "), "a b");
/// ```
pub fn one_line(text: &str) -> Cow<'_, str> {
    if is_line(text) {
        return Cow::Borrowed(text);
    }
    let blank = |letter: char| letter.is_whitespace() || letter.is_control();
    let mut out = String::with_capacity(text.len());
    for word in text.split(blank).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    Cow::Owned(out)
}

/// The text without control characters, which many APIs refuse; line breaks and tabs stay, as `\n` and `\t`.
///
/// ```
/// assert_eq!(hookwright_sdk::text::printable("a\r\nb\0\tc\u{1b}"), "a\nb\tc");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    let fit = |letter: char| !letter.is_control() || letter == '\n' || letter == '\t';
    if text.chars().all(fit) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter(|letter| fit(*letter)).collect())
    }
}

/// The lines, one below the other, within `max` UTF-16 units. Of lines that do not fit, the last line says
/// how many there are. Takes no more of them than it shows.
///
/// ```
/// use hookwright_sdk::text::lines_within;
///
/// let lines = || ["- one", "- two and a half", "- three"].map(str::to_owned).into_iter();
/// assert_eq!(lines_within(lines(), 30), "- one\n- two and a half\n- three");
/// assert_eq!(lines_within(lines(), 29), "- one\n…and 2 more");
/// ```
pub fn lines_within(lines: impl ExactSizeIterator<Item = String>, max: usize) -> String {
    /// Room for `\n…and 1000000 more`.
    const MORE: usize = 18;
    let total = lines.len();
    let (mut out, mut used) = (String::new(), 0);
    // Up to where there is room for saying how many more there are.
    let (mut end, mut shown) = (0, 0);
    for (index, line) in lines.enumerate() {
        let units = line.encode_utf16().count() + usize::from(index > 0);
        if used + units > max {
            out.truncate(end);
            out.push_str(if shown > 0 { "\n" } else { "" });
            out.extend([&*ELLIPSIS.to_string(), "and ", &*(total - shown).to_string(), " more"]);
            break;
        }
        used += units;
        out.push_str(if index > 0 { "\n" } else { "" });
        out.push_str(&line);
        if used + MORE <= max {
            (end, shown) = (out.len(), index + 1);
        }
    }
    out
}

/// True for ASCII without anything to tidy: nearly every title, name and status.
fn is_line(text: &str) -> bool {
    let mut after_space = true;
    for byte in text.bytes() {
        if !(b' '..=b'~').contains(&byte) || (after_space && byte == b' ') {
            return false;
        }
        after_space = byte == b' ';
    }
    !after_space || text.is_empty()
}

/// The date that this is, or the date of this RFC 3339 time; none if it is neither.
///
/// ```
/// use hookwright_sdk::text::day;
///
/// assert_eq!(day("2026-02-06"), Some("2026-02-06"));
/// assert_eq!(day("2026-02-06T09:00:00+01:00"), Some("2026-02-06"));
/// assert_eq!(day("next week"), None);
/// ```
pub fn day(text: &str) -> Option<&str> {
    let day = text.get(..10)?;
    let fits = |(at, byte): (usize, u8)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() };
    let month = day.get(5..7).and_then(|month| month.parse().ok()).is_some_and(|month: u8| (1..=12).contains(&month));
    let date = day.get(8..).and_then(|date| date.parse().ok()).is_some_and(|date: u8| (1..=31).contains(&date));
    let ends = matches!(text.as_bytes().get(10), None | Some(b'T'));
    (day.bytes().enumerate().all(fits) && month && date && ends).then_some(day)
}

/// The address if a person may be sent there: http or https, and no space, control character, quote or
/// angle bracket that could end a link in some markup.
///
/// ```
/// use hookwright_sdk::text::web_link;
///
/// assert_eq!(web_link("https://example.com/1"), Some("https://example.com/1"));
/// assert_eq!(web_link("javascript:alert(1)"), None);
/// ```
pub fn web_link(url: &str) -> Option<&str> {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let fit = |letter: char| {
        !letter.is_whitespace() && !letter.is_control() && !matches!(letter, '<' | '>' | '"' | '`' | '|' | '\\')
    };
    (!host.is_empty() && url.chars().all(fit)).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::{one_line, truncate, web_link};

    #[test]
    fn a_cut_text_fits_in_both_counts() {
        for max in 0..12 {
            let cut = truncate("a\u{1f600}b\u{1f600}cdefghij", max);
            assert!(cut.encode_utf16().count() <= max && cut.chars().count() <= max, "{max}: {cut}");
        }
        assert_eq!(truncate("\u{1f600}\u{1f600}", 4), "\u{1f600}\u{1f600}");
        assert_eq!(truncate("\u{1f600}\u{1f600}", 3), "\u{1f600}…");
        assert_eq!(truncate("", 5), "");
        assert_eq!(truncate("abc", 1), "…");
        assert_eq!(truncate("ab cd", 4), "ab…");
    }

    #[test]
    fn a_cut_leaves_clusters_whole() {
        assert_eq!(truncate("xe\u{301}yz", 3), "x…");
        let family = "ab\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}c";
        assert_eq!(truncate(family, 9), "ab…");
        assert_eq!(truncate("a\u{1f1e9}\u{1f1ea}\u{1f1eb}\u{1f1f7}", 8), "a\u{1f1e9}\u{1f1ea}…");
        assert_eq!(truncate("a\u{1f44d}\u{1f3fd}bc", 5), "a…");
        assert_eq!(truncate("a\r\nbc", 3), "a…");
    }

    #[test]
    fn a_line_is_one_line() {
        assert!(matches!(one_line("as it is"), std::borrow::Cow::Borrowed("as it is")));
        assert_eq!(one_line("\n a \u{0}\u{2028} b"), "a b");
        assert_eq!(one_line(" \t "), "");
    }

    #[test]
    fn links_lead_to_the_web_only() {
        for bad in ["ftp://x", "https://", "https://a b", "https://a|b", "https://a>b", "//a", ""] {
            assert_eq!(web_link(bad), None, "{bad}");
        }
    }
}
