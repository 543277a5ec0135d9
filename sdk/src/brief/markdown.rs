use super::{Brief, Line};
use crate::text::escape::markdown;
use crate::text::{escape_within, lines_within, one_line, truncate, web_link};

const MAX_LINE: usize = 250;
const MAX_URL: usize = 1000;

/// How a [`Brief`] becomes a description in Markdown.
///
/// ```
/// use hookwright_sdk::{brief::{Brief, Markdown}, testing};
///
/// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails", "status": "open"}});
/// let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
/// assert_eq!(Markdown::within(500).description(&brief), "- **Status:** open");
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Markdown<'a> {
    /// Which facts are shown; all without a choice.
    pub fields: Option<&'a [String]>,
    /// Whether the provider's descriptions are Markdown already. Otherwise they are shown as they were written.
    pub is_markdown: bool,
    /// Whether its link is shown: not where the destination has a place for it.
    pub link: bool,
    /// Most UTF-16 units.
    pub max: usize,
    /// What stands for characters that the destination would take as its own: `text::escape::markdown` or a
    /// stricter rule.
    pub rule: fn(char) -> Option<&'static str>,
}

impl Markdown<'_> {
    /// Everything in this way, the link shown, text escaped.
    ///
    /// ```
    /// use hookwright_sdk::brief::Markdown;
    ///
    /// assert!(Markdown::within(500).link);
    /// ```
    #[must_use]
    pub fn within(max: usize) -> Self {
        Self { fields: None, is_markdown: false, link: true, max, rule: markdown }
    }

    /// Description, lines, facts and links, as much as fits; may be empty.
    ///
    /// ```
    /// use hookwright_sdk::{brief::{Brief, Markdown}, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails", "description": "It *fails*."}});
    /// let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
    /// assert_eq!(Markdown::within(500).description(&brief), r"It \*fails\*.");
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    #[must_use]
    pub fn description(&self, brief: &Brief) -> String {
        let from = brief.from.as_ref().map(|from| format!("From {}", self.link_to(from.url.as_deref(), &from.text)));
        let link = brief.url.as_deref().filter(|_| self.link).map(|url| self.link_to(Some(url), brief.link_label));
        let facts = brief.picked(self.fields);
        let facts: Vec<String> =
            facts.iter().map(|fact| format!("- **{}:** {}", fact.name, self.line(&fact.value))).collect();
        let lines = lines_within(brief.lines.iter().map(|line| self.bullet(line)), self.max / 4);
        let rest = [lines, facts.join("\n"), from.unwrap_or_default(), link.unwrap_or_default()];
        let rest = rest.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n");

        let room = self.max.saturating_sub(rest.encode_utf16().count() + 2);
        let text = brief.text.as_deref().unwrap_or_default().trim();
        let text =
            if self.is_markdown { truncate(text, room).into_owned() } else { escape_within(text, room, self.rule) };
        match (text.is_empty(), rest.is_empty()) {
            (true, _) => truncate(&rest, self.max).into_owned(),
            (false, true) => text,
            (false, false) => format!("{text}\n\n{rest}"),
        }
    }

    /// Text in one line, escaped and bounded.
    ///
    /// ```
    /// use hookwright_sdk::brief::Markdown;
    ///
    /// assert_eq!(Markdown::within(500).line("a\n*b*"), r"a \*b\*");
    /// ```
    #[must_use]
    pub fn line(&self, text: &str) -> String {
        escape_within(&one_line(text), MAX_LINE, self.rule)
    }

    /// A link; its text alone when there is no address that a person may be sent to.
    ///
    /// ```
    /// use hookwright_sdk::brief::Markdown;
    ///
    /// let markdown = Markdown::within(500);
    /// assert_eq!(markdown.link_to(Some("https://a.example"), "A"), "[A](https://a.example)");
    /// assert_eq!(markdown.link_to(Some("javascript:x"), "A"), "A");
    /// ```
    #[must_use]
    pub fn link_to(&self, url: Option<&str>, text: &str) -> String {
        match url.and_then(web_link).filter(|url| url.len() <= MAX_URL && !url.contains(['(', ')'])) {
            Some(url) => format!("[{}]({url})", self.line(text)),
            None => self.line(text),
        }
    }

    /// An item of a list.
    ///
    /// ```
    /// use hookwright_sdk::brief::{Line, Markdown};
    ///
    /// let line = Line { name: "Write it".to_owned(), note: None, done: Some(true) };
    /// assert_eq!(Markdown::within(500).bullet(&line), "- [x] Write it");
    /// ```
    #[must_use]
    pub fn bullet(&self, line: &Line) -> String {
        let name = self.line(&line.name);
        match (line.done, &line.note) {
            (Some(done), _) => format!("- [{}] {name}", if done { 'x' } else { ' ' }),
            (None, Some(note)) => format!("- **{name}**: {}", self.line(note)),
            (None, None) => format!("- {name}"),
        }
    }
}
