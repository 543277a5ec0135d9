use super::Brief;
use crate::text::one_line;

/// What may stand in braces in a template: the first four, and every fact's id.
pub const PLACEHOLDERS: [&str; 24] = [
    "headline", "title", "key", "type", "status", "priority", "owner", "labels", "by", "points", "state", "project",
    "company", "email", "phone", "programs", "step", "started", "finished", "passed", "failed", "skipped", "due",
    "retro",
];

impl Brief {
    /// Fills in a template like `[{project}] {key} {title}`: one line, never empty. What the event does not
    /// say is left out; what is no placeholder stands as it is.
    #[must_use]
    pub fn fill(&self, template: &str) -> String {
        let mut out = String::with_capacity(template.len() + self.title.len());
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            out.push_str(&rest[..open]);
            rest = &rest[open..];
            let name = rest[1..].find('}').map(|length| &rest[1..=length]);
            if let Some(value) = name.and_then(|name| PLACEHOLDERS.contains(&name).then(|| self.value(name))) {
                out.push_str(value.unwrap_or_default());
                rest = &rest[name.map_or(0, str::len) + 2..];
            } else {
                out.push('{');
                rest = &rest[1..];
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
