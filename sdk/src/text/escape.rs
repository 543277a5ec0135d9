//! Escaping for markup, within a limit.

use super::ELLIPSIS;
use super::cluster::joins;
use super::part;

/// Slack's mrkdwn: `&`, `<` and `>`. Unescaped, `<!channel>` in somebody's text pages a channel.
///
/// Source: Slack's "Formatting text for app surfaces".
///
/// ```
/// use hookwright_sdk::text::escape::mrkdwn;
///
/// assert_eq!((mrkdwn('<'), mrkdwn('a')), (Some("&lt;"), None));
/// ```
pub fn mrkdwn(letter: char) -> Option<&'static str> {
    match letter {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    }
}

/// HTML text and quoted attributes.
///
/// ```
/// use hookwright_sdk::text::escape::html;
///
/// assert_eq!((html('"'), html('<')), (Some("&quot;"), Some("&lt;")));
/// ```
pub fn html(letter: char) -> Option<&'static str> {
    match letter {
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => mrkdwn(letter),
    }
}

/// Markdown of every destination that has it (`CommonMark`, GitHub, Discord, Trello): what could make a link,
/// an image, code, HTML, or hide something. Emphasis by `_` and headings are left: escaping them would break
/// addresses, and they do no harm.
///
/// ```
/// use hookwright_sdk::text::escape::{escape_within, markdown};
///
/// assert_eq!(escape_within("*a* [b](c)", 100, markdown), r"\*a\* \[b\](c)");
/// ```
pub fn markdown(letter: char) -> Option<&'static str> {
    match letter {
        '\\' => Some("\\\\"),
        '`' => Some("\\`"),
        '*' => Some("\\*"),
        '[' => Some("\\["),
        ']' => Some("\\]"),
        '<' => Some("\\<"),
        '>' => Some("\\>"),
        '|' => Some("\\|"),
        _ => None,
    }
}

/// The text escaped, cut so that the *escaped* text has at most `max` UTF-16 units. Never cuts inside an
/// escape.
///
/// ```
/// use hookwright_sdk::text::escape::{escape_within, mrkdwn};
///
/// assert_eq!(escape_within("<!here> & now", 100, mrkdwn), "&lt;!here&gt; &amp; now");
/// assert_eq!(escape_within("a&b", 6, mrkdwn), "a…");
/// ```
///
/// `rule` gives what stands for a character that the markup would take as its own: [`mrkdwn`], [`html`].
pub fn escape_within(text: &str, max: usize, rule: impl Fn(char) -> Option<&'static str>) -> String {
    // Where the text may end if an ellipsis must follow.
    let (mut spent, mut end) = (0, 0);
    for (index, letter) in text.char_indices() {
        if spent < max {
            end = index;
        }
        spent += rule(letter).map_or_else(|| letter.len_utf16(), str::len);
        if spent > max {
            let mut out = escaped(before_joined(text, end), rule);
            out.truncate(out.trim_end().len());
            out.extend((max > 0).then_some(ELLIPSIS));
            return out;
        }
    }
    escaped(text, rule)
}

/// What is before `end`, without the beginning of a character that goes on behind it.
fn before_joined(text: &str, end: usize) -> &str {
    let mut end = end;
    while let (before, after) = (part(text, 0, end), part(text, end, text.len()))
        && let (Some(previous), Some(next)) = (before.chars().next_back(), after.chars().next())
        && joins(previous, next, before)
    {
        end -= previous.len_utf8();
    }
    part(text, 0, end)
}

/// The whole text; most of it is copied as it stands.
fn escaped(text: &str, rule: impl Fn(char) -> Option<&'static str>) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut copied = 0;
    for (index, letter) in text.char_indices() {
        if let Some(escape) = rule(letter) {
            out.push_str(part(text, copied, index));
            out.push_str(escape);
            copied = index + letter.len_utf8();
        }
    }
    out.push_str(part(text, copied, text.len()));
    out
}

#[cfg(test)]
mod tests {
    use super::{escape_within, html, mrkdwn};

    #[test]
    fn an_escape_is_never_cut() {
        let text = "&<>".repeat(10);
        for max in 0..60 {
            let escaped = escape_within(&text, max, mrkdwn);
            assert!(escaped.encode_utf16().count() <= max, "{max}: {escaped}");
            let plain = escaped.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            assert!(plain.is_empty() || plain == "…", "{max}: {escaped}");
        }
    }

    #[test]
    fn what_stands_as_one_character_is_never_cut() {
        // A letter with a mark, a flag, a family, an escape.
        let text = "e\u{301} \u{1f1eb}\u{1f1f7} \u{1f468}\u{200d}\u{1f469} & x";
        let whole = ["e\u{301}", " \u{1f1eb}\u{1f1f7}", " \u{1f468}\u{200d}\u{1f469}", " &amp;", " x"];
        let fit = |max: usize| {
            let mut shown = String::new();
            for part in whole {
                let longer = format!("{shown}{part}");
                if longer.encode_utf16().count() >= max {
                    return format!("{shown}…");
                }
                shown = longer;
            }
            unreachable!("the whole text is longer")
        };
        let all = whole.concat();
        let length = all.encode_utf16().count();
        for max in 1..length {
            assert_eq!(escape_within(text, max, mrkdwn), fit(max), "{max}");
        }
        assert_eq!(escape_within(text, length, mrkdwn), all);
        assert_eq!(escape_within(text, 0, mrkdwn), "");
    }

    #[test]
    fn html_also_escapes_quotes() {
        assert_eq!(escape_within("<a href='\"'>", 100, html), "&lt;a href=&#39;&quot;&#39;&gt;");
    }
}
