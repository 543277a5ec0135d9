//! From an event to what it says.

use std::borrow::Cow;

use super::digest::digest;
use super::{Brief, Fact, Kind, Line, Link, Tone, about};
use crate::catalogue::{
    Action, Change, Known, LeadSubmitted, Retro, RetroCompleted, StoryEvent, TestRunEvent, TicketEvent, WorkflowEvent,
};
use crate::text::{one_line, printable, web_link};
use crate::{Event, Failure, json};

/// Actions of a retro that are told one by one: a payload may hold so many tiny ones that memory would not do.
pub(super) const MAX_ITEMS: usize = 1000;
/// UTF-16 units of a payload that is not of the catalogue: more than any message shows.
const MAX_CODE: usize = 6000;

impl Brief {
    /// What this event says.
    ///
    /// # Errors
    /// `payload.invalid` when the payload is not what its event type promises; the message names the field.
    pub fn of(event: &Event) -> Result<Self, Failure> {
        let brief = match event.catalogue()? {
            Known::Empty => empty(),
            Known::Custom => custom(event),
            of_catalogue => known(of_catalogue),
        };
        Ok(brief.tidied(event.kind()))
    }

    /// Titles in one line, whatever the provider wrote.
    pub(super) fn tidied(mut self, event_type: &str) -> Self {
        event_type.clone_into(&mut self.event_type);
        if self.headline.is_empty() {
            event_type.clone_into(&mut self.headline);
        }
        tidy(&mut self.headline);
        tidy(&mut self.title);
        // The events of a digest have types of their own.
        if !self.items.is_empty() && self.kind != Kind::Digest {
            self.items = self.items.into_iter().map(|item| item.tidied(event_type)).collect();
        }
        self
    }
}

/// Nearly every title is one line already.
fn tidy(text: &mut String) {
    if let Cow::Owned(line) = one_line(text) {
        *text = line;
    }
}

/// What an event of the catalogue says, before its texts are in one line each.
pub(super) fn known(known: Known) -> Brief {
    match known {
        Known::RetroCompleted(it) => retro(it),
        Known::TicketCreated(it) => ticket(it, Kind::New, "New ticket"),
        Known::TicketUpdated(it) => ticket(it, Kind::Changed, "Ticket updated"),
        Known::TicketStatusChanged(it) => moved(it),
        Known::StoryCreated(it) => story(it, Kind::New, "New story"),
        Known::StoryUpdated(it) => story(it, Kind::Changed, "Story updated"),
        Known::LeadSubmitted(it) => lead(it),
        Known::WorkflowStarted(it) => workflow(it, "Workflow started"),
        Known::WorkflowStepCompleted(it) => workflow(it, "Workflow step"),
        Known::WorkflowCompleted(it) => workflow(it, "Workflow completed"),
        Known::TestRunCreated(it) => test_run(it, "Tests started"),
        Known::TestRunCompleted(it) => test_run(it, "Tests passed"),
        Known::Digest(it) => digest(it),
        Known::Custom | Known::Empty => Brief::default(),
    }
}

fn retro(it: RetroCompleted) -> Brief {
    let count = match it.actions.len() {
        0 => "No actions".to_owned(),
        1 => "1 action".to_owned(),
        many => format!("{many} actions"),
    };
    let Retro { id, name, url } = it.retro;
    let url = web(url);
    let from = Link { text: format!("retro {name}"), url: url.clone() };
    let more = it.actions.len().saturating_sub(MAX_ITEMS);
    let mut items: Vec<Brief> = it.actions.into_iter().take(MAX_ITEMS).map(|it| action(it, &name, &from)).collect();
    if more > 0 {
        let title = format!("{more} more actions");
        items.push(Brief { about: about("rest", &id), kind: Kind::New, title, from: Some(from), ..Brief::default() });
    }
    Brief {
        about: about("retro", &id),
        kind: Kind::Retro,
        headline: format!("Retro completed: {name}"),
        text: Some(count),
        url,
        link_label: "Open the retro",
        items,
        title: name,
        ..Brief::default()
    }
}

fn action(it: Action, retro: &str, from: &Link) -> Brief {
    let facts = facts([
        ("owner", "Owner", it.owner.as_deref()),
        ("due", "Due", it.due_on.as_deref()),
        ("retro", "Retro", Some(retro)),
    ]);
    Brief {
        about: about("action", &it.id),
        kind: Kind::New,
        headline: format!("New action: {}", it.title),
        title: it.title,
        text: text(it.description),
        facts,
        url: web(it.url),
        link_label: "Open the action",
        from: Some(from.clone()),
        due: it.due_on,
        owner: it.owner,
        ..Brief::default()
    }
}

fn ticket(it: TicketEvent, kind: Kind, what: &str) -> Brief {
    let ticket = it.ticket;
    let status = it.to.or(ticket.status);
    let labels = ticket.labels.join(", ");
    let mut changes: Vec<Line> = it.changes.into_iter().map(change).collect();
    if let (Kind::Moved, Some(from), Some(to)) = (kind, &it.from, &status) {
        changes.insert(0, Line { name: "Status".to_owned(), note: Some(format!("{from} → {to}")), done: None });
    }
    let facts = facts([
        ("status", "Status", status.as_deref()),
        ("priority", "Priority", ticket.priority.as_deref()),
        ("owner", "Assignee", ticket.assignee.as_deref()),
        ("labels", "Labels", Some(&labels)),
        ("by", "By", it.actor.as_deref()),
    ]);
    let brief = Brief {
        about: about("ticket", &ticket.id),
        kind,
        key: ticket.key.filter(|key| !key.trim().is_empty()),
        title: ticket.title,
        text: text(ticket.description),
        facts,
        changes,
        url: web(ticket.url),
        link_label: "Open the ticket",
        owner: ticket.assignee,
        labels: ticket.labels,
        status,
        priority: ticket.priority,
        ..Brief::default()
    };
    Brief { headline: format!("{what}: {}", brief.name()), ..brief }
}

fn moved(it: TicketEvent) -> Brief {
    let brief = ticket(it, Kind::Moved, "");
    let what = brief.key.as_ref().unwrap_or(&brief.title);
    let headline = format!("{what} is now {}", brief.status.as_deref().unwrap_or("changed"));
    Brief { headline, ..brief }
}

fn change(it: Change) -> Line {
    let side = |value: Option<String>| value.unwrap_or_else(|| "nothing".to_owned());
    let note = match (it.from, it.to) {
        (None, None) => None,
        (from, to) => Some(format!("{} → {}", side(from), side(to))),
    };
    Line { name: it.field, note, done: None }
}

fn story(it: StoryEvent, kind: Kind, what: &str) -> Brief {
    let story = it.story;
    let facts = facts([
        ("points", "Points", story.points.as_deref()),
        ("state", "State", story.state.as_deref()),
        ("project", "Project", it.project.as_deref()),
        ("by", "By", it.actor.as_deref()),
    ]);
    Brief {
        about: about("story", &story.id),
        kind,
        headline: format!("{what}: {}", story.title),
        title: story.title,
        facts,
        lines: story.tasks.into_iter().map(|it| Line { name: it.title, note: None, done: Some(it.done) }).collect(),
        url: web(story.url),
        link_label: "Open the story",
        status: story.state,
        points: story.points,
        ..Brief::default()
    }
}

fn lead(it: LeadSubmitted) -> Brief {
    let facts = facts([
        ("company", "Company", it.lead.company.as_deref()),
        ("email", "E-mail", it.lead.email.as_deref()),
        ("phone", "Phone", it.lead.phone.as_deref()),
        ("programs", "Programs", Some(&it.programs.join(", "))),
    ]);
    Brief {
        about: about("lead", &it.lead.id),
        kind: Kind::New,
        headline: format!("New lead: {}", it.lead.name),
        title: format!("Lead: {}", it.lead.name),
        text: text(it.lead.message),
        facts,
        labels: it.programs,
        ..Brief::default()
    }
}

fn workflow(it: WorkflowEvent, what: &str) -> Brief {
    let (failed, name) = (it.has_failed(), it.workflow.name);
    // A step that failed is not the end of its workflow.
    let what = if failed && what.ends_with("completed") { "Workflow failed" } else { what };
    let facts = facts([
        ("step", "Step", it.step.as_deref()),
        ("status", "Status", it.status.as_deref()),
        ("started", "Started", it.started_at.as_deref()),
        ("finished", "Finished", it.finished_at.as_deref()),
    ]);
    Brief {
        about: about("workflow", &it.workflow.id),
        kind: if failed { Kind::Failed } else { Kind::News },
        headline: format!("{what}: {name}"),
        title: if failed { format!("Workflow failed: {name}") } else { name },
        facts,
        url: web(it.workflow.url),
        link_label: "Open the workflow",
        status: it.status,
        tone: tone(failed, it.finished_at.is_some()),
        ..Brief::default()
    }
}

fn test_run(it: TestRunEvent, what: &str) -> Brief {
    let run = it.run;
    let (failed, ended) = (run.has_failed(), what.ends_with("passed"));
    let count = |count: Option<u64>| count.map(|count| count.to_string());
    let facts = facts([
        ("passed", "Passed", count(run.passed).as_deref()),
        ("failed", "Failed", count(run.failed).as_deref()),
        ("skipped", "Skipped", count(run.skipped).as_deref()),
    ]);
    let title = match run.failed {
        _ if !failed => run.suite.clone(),
        Some(1) => format!("1 test failed: {}", run.suite),
        Some(failed) if failed > 1 => format!("{failed} tests failed: {}", run.suite),
        _ => format!("Tests failed: {}", run.suite),
    };
    Brief {
        about: about("test-run", &run.id),
        kind: if failed { Kind::Failed } else { Kind::News },
        headline: format!("{}: {}", if failed && ended { "Tests failed" } else { what }, run.suite),
        title,
        facts,
        lines: run.failures.into_iter().map(|it| Line { name: it.name, note: it.message, done: None }).collect(),
        url: web(run.url),
        link_label: "Open the test run",
        tone: tone(failed, ended),
        ..Brief::default()
    }
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
        Brief { text: Some(format!("{size} bytes of {}", event.content_type())), ..brief }
    }
}

fn tone(failed: bool, ended: bool) -> Tone {
    match (failed, ended) {
        (true, _) => Tone::Bad,
        (false, true) => Tone::Good,
        (false, false) => Tone::Plain,
    }
}

pub(super) fn text(text: Option<String>) -> Option<String> {
    text.map(|text| printable(&text).trim().to_owned()).filter(|text| !text.is_empty())
}

fn web(url: Option<String>) -> Option<String> {
    url.filter(|url| web_link(url).is_some())
}

fn facts<const N: usize>(all: [(&'static str, &'static str, Option<&str>); N]) -> Vec<Fact> {
    let known = all.into_iter().filter_map(|(id, name, value)| {
        let value = one_line(value?);
        (!value.is_empty()).then(|| Fact { id, name, value: value.into_owned() })
    });
    known.collect()
}
