use super::Brief;
use crate::text::{one_line, part};

/// What may stand in braces in a template: the first four, and every fact's id.
///
/// ```
/// assert!(hookwright_sdk::brief::PLACEHOLDERS.contains(&"headline"));
/// ```
pub const PLACEHOLDERS: [&str; 24] = [
    "headline", "title", "key", "type", "status", "priority", "owner", "labels", "by", "points", "state", "project",
    "company", "email", "phone", "programs", "step", "started", "finished", "passed", "failed", "skipped", "due",
    "retro",
];

/// The ids of all facts, for a configuration that chooses among them.
///
/// ```
/// use hookwright_sdk::{brief::FACTS, configuration};
///
/// #[configuration]
/// struct Config {
///     /// Which facts are shown, in this order. All when left out.
///     #[config(unique_items = true, items(choices = FACTS))]
///     fields: Option<Vec<String>>,
/// }
///
/// let schema = hookwright_sdk::config::schema::<Config>();
/// assert!(schema.contains(r#""enum":["status","priority","owner""#));
/// ```
pub const FACTS: [&str; 20] = {
    let (mut ids, mut at) = ([""; 20], 0);
    while at < ids.len() {
        ids[at] = PLACEHOLDERS[at + 4];
        at += 1;
    }
    ids
};

impl Brief {
    /// Fills in a template like `[{project}] {key} {title}`: one line, never empty. What the event does not
    /// say is left out; what is no placeholder stands as it is.
    ///
    /// ```
    /// use hookwright_sdk::{brief::Brief, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails", "key": "QA-42"}});
    /// let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
    /// assert_eq!(brief.fill("[{project}] {key} {title} {unknown}"), "[] QA-42 Export fails {unknown}");
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    #[must_use]
    pub fn fill(&self, template: &str) -> String {
        let mut out = String::with_capacity(template.len() + self.title.len());
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            out.push_str(part(rest, 0, open));
            rest = part(rest, open, rest.len());
            let name = rest.find('}').map(|end| part(rest, 1, end));
            if let Some(value) = name.and_then(|name| PLACEHOLDERS.contains(&name).then(|| self.value(name))) {
                out.push_str(value.unwrap_or_default());
                rest = part(rest, name.map_or(0, str::len) + 2, rest.len());
            } else {
                out.push('{');
                rest = part(rest, 1, rest.len());
            }
        }
        out.push_str(rest);
        match one_line(&out) {
            line if line.is_empty() => self.name(),
            line => line.into_owned(),
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        match name {
            "headline" => Some(&self.headline),
            "title" => Some(&self.title),
            "key" => self.key.as_deref(),
            "type" => Some(&self.event_type),
            // Also when there is no fact any more, because the destination has a place of its own for it.
            "owner" => self.owner.as_deref(),
            "priority" => self.priority.as_deref(),
            "points" => self.points.as_deref(),
            "due" => self.due.as_deref(),
            fact => self.fact(fact),
        }
    }
}
