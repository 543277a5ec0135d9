//! From an event to what it says.
//!
//! Of the payload as a tree, and not by way of the catalogue's types: making these is more code than all that is done with them.

use std::borrow::Cow;

use super::digest::digest;
use super::{Brief, Fact, Kind, Line, Link, Tone, about};
use crate::catalogue::{self, Node, Wrong};
use crate::text::{join, one_line, printable, separated, web_link};
use crate::{Event, Failure, json};

/// Actions of a retro that are told one by one: a payload may hold so many tiny ones that memory would not do.
pub(super) const MAX_ITEMS: usize = 1000;
/// UTF-16 units of a payload that is not of the catalogue: more than any message shows.
const MAX_CODE: usize = 6000;

impl Brief {
    /// What this event says.
    ///
    /// ```
    /// use hookwright_sdk::{brief::Brief, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails"}});
    /// let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
    /// assert_eq!(brief.about, "ticket:42");
    /// assert!(Brief::of(&testing::event("ticket.created").payload(serde_json::json!({})).build()).is_err());
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    ///
    /// # Errors
    /// `payload.invalid` when the payload is not what its event type promises; the message names the field.
    pub fn of(event: &Event) -> Result<Self, Failure> {
        let kind = event.kind();
        let mut brief = if event.payload_bytes().is_none() {
            empty()
        } else if let Some(read) = reading(kind) {
            read(&event.tree()?, kind).map_err(|wrong| catalogue::failure(&wrong))?
        } else {
            custom(event)
        };
        brief.tidy(kind);
        Ok(brief)
    }

    /// Titles in one line, whatever the provider wrote.
    #[inline(never)]
    pub(super) fn tidy(&mut self, event_type: &str) {
        event_type.clone_into(&mut self.event_type);
        if self.headline.is_empty() {
            event_type.clone_into(&mut self.headline);
        }
        tidy(&mut self.headline);
        tidy(&mut self.title);
        // The events of a digest have types of their own.
        if self.kind != Kind::Digest {
            for item in &mut self.items {
                item.tidy(event_type);
            }
        }
    }
}

/// Nearly every title is one line already.
fn tidy(text: &mut String) {
    if let Cow::Owned(line) = one_line(text) {
        *text = line;
    }
}

/// Makes a brief of a payload of this event type.
pub(super) type Reading = fn(&Node<'_>, &str) -> Result<Brief, Wrong>;

/// How payloads of an event type of the catalogue are read; none for any other.
pub(super) fn reading(event_type: &str) -> Option<Reading> {
    Some(match event_type {
        "retro.completed" => retro,
        "ticket.created" | "ticket.updated" | "ticket.status_changed" => ticket,
        "story.created" | "story.updated" => story,
        "lead.submitted" => lead,
        "workflow.started" | "workflow.step_completed" | "workflow.completed" => workflow,
        "test.run_created" | "test.run_completed" => test_run,
        catalogue::DIGEST => digest,
        _ => return None,
    })
}

fn retro(it: &Node<'_>, _event_type: &str) -> Result<Brief, Wrong> {
    let retro = it.part("retro")?;
    let (id, name) = retro.known("name")?;
    let url = web(retro.node.optional("url"));
    let from = Link { text: join(&["retro ", &name]), url: url.clone() };
    let actions = it.parts("actions")?;
    let (mut items, mut count) = (Vec::new(), 0_usize);
    for it in actions {
        let (id, title) = it.known("title")?;
        count += 1;
        if count <= MAX_ITEMS {
            items.push(action(it.node, &id, title, &name, &from));
        }
    }
    if count > MAX_ITEMS {
        let title = join(&[&(count - MAX_ITEMS).to_string(), " more actions"]);
        items.push(Brief { about: about("rest", &id), kind: Kind::New, title, from: Some(from), ..Brief::default() });
    }
    let text = match count {
        0 => "No actions".to_owned(),
        1 => "1 action".to_owned(),
        many => join(&[&many.to_string(), " actions"]),
    };
    Ok(Brief {
        about: about("retro", &id),
        kind: Kind::Retro,
        headline: join(&["Retro completed: ", &name]),
        text: Some(text),
        url,
        link_label: "Open the retro",
        items,
        title: name,
        ..Brief::default()
    })
}

#[inline(never)]
fn action(it: &Node<'_>, id: &str, title: String, retro: &str, from: &Link) -> Brief {
    let (owner, due) = (it.optional("owner"), it.optional("due_on"));
    let facts =
        facts(&[("owner", "Owner", owner.as_deref()), ("due", "Due", due.as_deref()), ("retro", "Retro", Some(retro))]);
    Brief {
        about: about("action", id),
        kind: Kind::New,
        headline: join(&["New action: ", &title]),
        title,
        text: text(it.optional("description")),
        facts,
        url: web(it.optional("url")),
        link_label: "Open the action",
        from: Some(from.clone()),
        due,
        owner,
        ..Brief::default()
    }
}

fn ticket(it: &Node<'_>, event_type: &str) -> Result<Brief, Wrong> {
    let (kind, what) = match event_type {
        "ticket.created" => (Kind::New, "New ticket: "),
        "ticket.updated" => (Kind::Changed, "Ticket updated: "),
        _ => (Kind::Moved, ""),
    };
    let part = it.part("ticket")?;
    let (id, title) = part.known("title")?;
    let ticket = part.node;
    let status = it.optional("to").or_else(|| ticket.optional("status"));
    let (priority, owner, labels) = (ticket.optional("priority"), ticket.optional("assignee"), ticket.labels("labels"));
    let mut changes: Vec<Line> = it.field("changes").map(changes).unwrap_or_default();
    if let (Kind::Moved, Some(from), Some(to)) = (kind, it.optional("from"), &status) {
        changes.insert(0, Line { name: "Status".to_owned(), note: Some(join(&[&from, " → ", to])), done: None });
    }
    let facts = facts(&[
        ("status", "Status", status.as_deref()),
        ("priority", "Priority", priority.as_deref()),
        ("owner", "Assignee", owner.as_deref()),
        ("labels", "Labels", Some(&separated(&labels, ", "))),
        ("by", "By", it.optional("actor").as_deref()),
    ]);
    let brief = Brief {
        about: about("ticket", &id),
        kind,
        key: ticket.optional("key").filter(|key| !key.trim().is_empty()),
        title,
        text: text(ticket.optional("description")),
        facts,
        changes,
        url: web(ticket.optional("url")),
        link_label: "Open the ticket",
        owner,
        labels,
        status,
        priority,
        ..Brief::default()
    };
    let headline = if kind == Kind::Moved {
        let what = brief.key.as_ref().unwrap_or(&brief.title);
        join(&[what, " is now ", brief.status.as_deref().unwrap_or("changed")])
    } else {
        join(&[what, &brief.name()])
    };
    Ok(Brief { headline, ..brief })
}

/// What an update changed: `{"priority": {"from": "low", "to": "high"}}`, or a list of field names.
fn changes(node: &Node<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (field, value) in node.entries() {
        lines.push(change(field.to_owned(), Some(value)));
    }
    for item in node.items() {
        let parts = matches!(item, Node::Map(_)).then_some(item);
        if let Some(field) = item.optional("field").or_else(|| item.label()) {
            lines.push(change(field, parts));
        }
    }
    lines
}

fn change(name: String, value: Option<&Node<'_>>) -> Line {
    let from = value.and_then(|value| value.optional("from"));
    // A bare value instead of {from, to} is what the field has now.
    let to = value.and_then(|value| {
        if matches!(value, Node::Map(fields) if !fields.is_empty()) { value.optional("to") } else { value.label() }
    });
    let side = |value: Option<String>| value.unwrap_or_else(|| "nothing".to_owned());
    let note = match (from, to) {
        (None, None) => None,
        (from, to) => Some(join(&[&side(from), " → ", &side(to)])),
    };
    Line { name, note, done: None }
}

fn story(it: &Node<'_>, event_type: &str) -> Result<Brief, Wrong> {
    let (kind, what) =
        if event_type == "story.created" { (Kind::New, "New story: ") } else { (Kind::Changed, "Story updated: ") };
    let part = it.part("story")?;
    let (id, title) = part.known("title")?;
    let story = part.node;
    let (points, status) = (story.optional("points"), story.optional("state"));
    let mut lines = Vec::new();
    for it in part.parts("tasks")? {
        let done = it.node.optional("done").as_deref() == Some("true");
        lines.push(Line { name: it.node.label().unwrap_or_default(), note: None, done: Some(done) });
    }
    let facts = facts(&[
        ("points", "Points", points.as_deref()),
        ("state", "State", status.as_deref()),
        ("project", "Project", it.optional("project").as_deref()),
        ("by", "By", it.optional("actor").as_deref()),
    ]);
    Ok(Brief {
        about: about("story", &id),
        kind,
        headline: join(&[what, &title]),
        title,
        facts,
        lines,
        url: web(story.optional("url")),
        link_label: "Open the story",
        status,
        points,
        ..Brief::default()
    })
}

fn lead(it: &Node<'_>, _event_type: &str) -> Result<Brief, Wrong> {
    let part = it.part("lead")?;
    let (id, name) = part.known("name")?;
    let lead = part.node;
    let labels = it.labels("programs");
    let facts = facts(&[
        ("company", "Company", lead.optional("company").as_deref()),
        ("email", "E-mail", lead.optional("email").as_deref()),
        ("phone", "Phone", lead.optional("phone").as_deref()),
        ("programs", "Programs", Some(&separated(&labels, ", "))),
    ]);
    Ok(Brief {
        about: about("lead", &id),
        kind: Kind::New,
        headline: join(&["New lead: ", &name]),
        title: join(&["Lead: ", &name]),
        text: text(lead.optional("message")),
        facts,
        labels,
        ..Brief::default()
    })
}

fn workflow(it: &Node<'_>, event_type: &str) -> Result<Brief, Wrong> {
    let part = it.part("workflow")?;
    let (id, name) = part.known("name")?;
    let (status, finished) = (it.optional("status"), it.optional("finished_at"));
    let failed = status.as_deref().is_some_and(catalogue::is_bad);
    let what = match event_type {
        "workflow.started" => "Workflow started: ",
        // A step that failed is not the end of its workflow.
        "workflow.step_completed" => "Workflow step: ",
        _ if failed => "Workflow failed: ",
        _ => "Workflow completed: ",
    };
    let facts = facts(&[
        ("step", "Step", it.optional("step").as_deref()),
        ("status", "Status", status.as_deref()),
        ("started", "Started", it.optional("started_at").as_deref()),
        ("finished", "Finished", finished.as_deref()),
    ]);
    Ok(Brief {
        about: about("workflow", &id),
        kind: if failed { Kind::Failed } else { Kind::News },
        headline: join(&[what, &name]),
        title: if failed { join(&["Workflow failed: ", &name]) } else { name },
        facts,
        url: web(part.node.optional("url")),
        link_label: "Open the workflow",
        status,
        tone: tone(failed, finished.is_some()),
        ..Brief::default()
    })
}

fn test_run(it: &Node<'_>, event_type: &str) -> Result<Brief, Wrong> {
    let part = it.part("run")?;
    let (id, suite) = part.known("suite")?;
    let run = part.node;
    let count = |name: &str| run.number(name);
    let failures = part.parts("failures")?;
    let mut lines = Vec::new();
    for it in failures {
        lines.push(Line { name: it.node.label().unwrap_or_default(), note: it.node.optional("message"), done: None });
    }
    let counted = count("failed");
    let failed = counted.is_some_and(|count| count > 0) || !lines.is_empty();
    let ended = event_type == "test.run_completed";
    let shown = |count: Option<u64>| count.map(|count| count.to_string());
    let facts = facts(&[
        ("passed", "Passed", shown(count("passed")).as_deref()),
        ("failed", "Failed", shown(counted).as_deref()),
        ("skipped", "Skipped", shown(count("skipped")).as_deref()),
    ]);
    let title = match counted {
        _ if !failed => suite.clone(),
        Some(1) => join(&["1 test failed: ", &suite]),
        Some(count) if count > 1 => join(&[&count.to_string(), " tests failed: ", &suite]),
        _ => join(&["Tests failed: ", &suite]),
    };
    let what = match (ended, failed) {
        (false, _) => "Tests started: ",
        (true, true) => "Tests failed: ",
        (true, false) => "Tests passed: ",
    };
    Ok(Brief {
        about: about("test-run", &id),
        kind: if failed { Kind::Failed } else { Kind::News },
        headline: join(&[what, &suite]),
        title,
        facts,
        lines,
        url: web(run.optional("url")),
        link_label: "Open the test run",
        tone: tone(failed, ended),
        ..Brief::default()
    })
}

fn empty() -> Brief {
    Brief { text: Some("Triggered without an event.".to_owned()), ..Brief::default() }
}

fn custom(event: &Event) -> Brief {
    let brief = Brief { kind: Kind::Custom, ..Brief::default() };
    if let Some(text) = event.payload_text() {
        let laid_out = json::pretty(text, MAX_CODE);
        let code = printable(laid_out.as_deref().unwrap_or(text)).into_owned();
        Brief { code: Some(code).filter(|code| !code.trim().is_empty()), ..brief }
    } else {
        let size = event.payload_bytes().map_or(0, <[u8]>::len);
        Brief { text: Some(join(&[&size.to_string(), " bytes of ", event.content_type()])), ..brief }
    }
}

fn tone(failed: bool, ended: bool) -> Tone {
    match (failed, ended) {
        (true, _) => Tone::Bad,
        (false, true) => Tone::Good,
        (false, false) => Tone::Plain,
    }
}

#[inline(never)]
pub(super) fn text(text: Option<String>) -> Option<String> {
    text.map(|text| printable(&text).trim().to_owned()).filter(|text| !text.is_empty())
}

#[inline(never)]
fn web(url: Option<String>) -> Option<String> {
    url.filter(|url| web_link(url).is_some())
}

fn facts(all: &[(&'static str, &'static str, Option<&str>)]) -> Vec<Fact> {
    let mut facts = Vec::with_capacity(all.len());
    for (id, name, value) in all {
        let value = one_line(value.unwrap_or_default());
        if !value.is_empty() {
            facts.push(Fact { id, name, value: value.into_owned() });
        }
    }
    facts
}
