//! Escaping for markup, within a limit.

use super::ELLIPSIS;
use super::cluster::joins;

/// Slack's mrkdwn: `&`, `<` and `>`. Unescaped, `<!channel>` in somebody's text pages a channel.
///
/// Source: Slack's "Formatting text for app surfaces".
pub fn mrkdwn(letter: char) -> Option<&'static str> {
    match letter {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    }
}

/// HTML text and quoted attributes.
pub fn html(letter: char) -> Option<&'static str> {
    match letter {
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => mrkdwn(letter),
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
    let mut out = String::with_capacity(text.len().min(max) + 8);
    // How much of `out` may stay if an ellipsis must follow.
    let (mut spent, mut safe) = (0, 0);
    let mut previous = '\0';
    for (index, letter) in text.char_indices() {
        if spent < max && !joins(previous, letter, &text[..index]) {
            safe = out.len();
        }
        if let Some(escape) = rule(letter) {
            out.push_str(escape);
            spent += escape.len();
        } else {
            out.push(letter);
            spent += letter.len_utf16();
        }
        if spent > max {
            out.truncate(safe);
            out.truncate(out.trim_end().len());
            out.extend((max > 0).then_some(ELLIPSIS));
            return out;
        }
        previous = letter;
    }
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
    fn html_also_escapes_quotes() {
        assert_eq!(escape_within("<a href='\"'>", 100, html), "&lt;a href=&#39;&quot;&#39;&gt;");
    }
}
