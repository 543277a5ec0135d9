//! What each event looks like.

use hookwright_sdk::catalogue::{
    Action, Change, Known, LeadSubmitted, RetroCompleted, StoryEvent, TestRun, TicketEvent, WorkflowEvent,
};
use hookwright_sdk::{Event, Failure, json};

use crate::Config;
use crate::blocks::{MAX_SECTION, Message};
use crate::markup::{bold, bullets, code, dotted, line, link, paragraph, short};

pub(crate) fn message(event: &Event, config: &Config) -> Result<Message, Failure> {
    let titled = |title: &str| Message::new(title, config);
    Ok(match event.catalogue()? {
        Known::RetroCompleted(retro) => retro_completed(&retro, titled),
        Known::TicketCreated(it) => ticket(&it, titled(&format!("New ticket: {}", name(&it)))),
        Known::TicketUpdated(it) => ticket(&it, titled(&format!("Ticket updated: {}", name(&it)))),
        Known::TicketStatusChanged(it) => status_changed(&it, titled),
        Known::StoryCreated(it) => story(&it, titled(&format!("New story: {}", it.story.title))),
        Known::StoryUpdated(it) => story(&it, titled(&format!("Story updated: {}", it.story.title))),
        Known::LeadSubmitted(it) => lead(&it, titled),
        Known::WorkflowStarted(it) => workflow(&it, titled(&format!("Workflow started: {}", it.workflow.name))),
        Known::WorkflowStepCompleted(it) => workflow(&it, titled(&format!("Workflow step: {}", it.workflow.name))),
        Known::WorkflowCompleted(it) => {
            let how = if it.has_failed() { "failed" } else { "completed" };
            workflow(&it, titled(&format!("Workflow {how}: {}", it.workflow.name)))
        }
        Known::TestRunCreated(it) => test_run(&it.run, titled(&format!("Tests started: {}", it.run.suite))),
        Known::TestRunCompleted(it) => {
            let how = if it.run.has_failed() { "failed" } else { "passed" };
            test_run(&it.run, titled(&format!("Tests {how}: {}", it.run.suite)))
        }
        Known::Empty => titled(event.kind()).section(Some("Triggered without an event.".to_owned())),
        _ => titled(event.kind()).section(custom(event)),
    })
}

fn retro_completed(it: &RetroCompleted, titled: impl Fn(&str) -> Message) -> Message {
    let count = match it.actions.len() {
        0 => "No actions".to_owned(),
        1 => "1 action".to_owned(),
        many => format!("{many} actions"),
    };
    titled(&format!("Retro completed: {}", it.retro.name))
        .section(Some(dotted([Some(count), link(it.retro.url.as_deref(), "Open the retro")])))
        .list(&it.actions, action)
}

fn action(action: &Action) -> String {
    let details = dotted([
        action.owner.as_deref().map(line),
        action.due_on.as_deref().map(|due| format!("due {}", line(due))),
        link(action.url.as_deref(), "Open"),
    ]);
    let description = action.description.as_deref().map(line).unwrap_or_default();
    [bold(&action.title), details, description]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Key and title, or the title alone.
fn name(it: &TicketEvent) -> String {
    match &it.ticket.key {
        Some(key) => format!("{key} {}", it.ticket.title),
        None => it.ticket.title.clone(),
    }
}

fn ticket(it: &TicketEvent, message: Message) -> Message {
    let ticket = &it.ticket;
    let message = message
        .fields(&[
            ("Status", ticket.status.as_deref()),
            ("Priority", ticket.priority.as_deref()),
            ("Assignee", ticket.assignee.as_deref()),
            ("Labels", Some(&ticket.labels.join(", "))),
            ("By", it.actor.as_deref()),
        ])
        .section(bullets(it.changes.iter().map(change)));
    // Who sees an update knows the ticket.
    let description = if it.changes.is_empty() { ticket.description.as_deref().map(paragraph) } else { None };
    message.section(description).section(link(ticket.url.as_deref(), "Open the ticket"))
}

fn change(change: &Change) -> String {
    match (&change.from, &change.to) {
        (None, None) => bold(&change.field),
        (from, to) => {
            let side = |value: &Option<String>| value.as_deref().map_or_else(|| "nothing".to_owned(), short);
            format!("*{}*: {} → {}", short(&change.field), side(from), side(to))
        }
    }
}

fn status_changed(it: &TicketEvent, titled: impl Fn(&str) -> Message) -> Message {
    let to = it.to.as_deref().or(it.ticket.status.as_deref());
    let title = format!("{} is now {}", it.ticket.key.as_ref().unwrap_or(&it.ticket.title), to.unwrap_or("changed"));
    let step = match (&it.from, to) {
        (Some(from), Some(to)) => Some(format!("{} → {}", line(from), line(to))),
        _ => None,
    };
    let by = it.actor.as_deref().map(|actor| format!("by {}", line(actor)));
    titled(&title).section(Some(bold(&it.ticket.title))).section(Some(dotted([
        step,
        by,
        link(it.ticket.url.as_deref(), "Open the ticket"),
    ])))
}

fn story(it: &StoryEvent, message: Message) -> Message {
    let story = &it.story;
    let task = |task: &hookwright_sdk::catalogue::Task| {
        if task.done { format!("~{}~", line(&task.title)) } else { line(&task.title) }
    };
    message
        .fields(&[
            ("Points", story.points.as_deref()),
            ("State", story.state.as_deref()),
            ("Project", it.project.as_deref()),
            ("By", it.actor.as_deref()),
        ])
        .section(bullets(story.tasks.iter().map(task)))
        .section(link(story.url.as_deref(), "Open the story"))
}

fn lead(it: &LeadSubmitted, titled: impl Fn(&str) -> Message) -> Message {
    let lead = &it.lead;
    titled(&format!("New lead: {}", lead.name))
        .fields(&[
            ("Company", lead.company.as_deref()),
            ("E-mail", lead.email.as_deref()),
            ("Phone", lead.phone.as_deref()),
            ("Programs", Some(&it.programs.join(", "))),
        ])
        .section(lead.message.as_deref().map(paragraph))
}

fn workflow(it: &WorkflowEvent, message: Message) -> Message {
    message
        .fields(&[
            ("Step", it.step.as_deref()),
            ("Status", it.status.as_deref()),
            ("Started", it.started_at.as_deref()),
            ("Finished", it.finished_at.as_deref()),
        ])
        .section(link(it.workflow.url.as_deref(), "Open the workflow"))
}

fn test_run(run: &TestRun, message: Message) -> Message {
    let count = |count: Option<u64>| count.map(|count| count.to_string());
    message
        .fields(&[
            ("Passed", count(run.passed).as_deref()),
            ("Failed", count(run.failed).as_deref()),
            ("Skipped", count(run.skipped).as_deref()),
        ])
        .section(bullets(run.failures.iter().map(|test| match &test.message {
            Some(message) => format!("*{}*: {}", short(&test.name), short(message)),
            None => bold(&test.name),
        })))
        .section(link(run.url.as_deref(), "Open the test run"))
}

fn custom(event: &Event) -> Option<String> {
    match event.payload_text() {
        Some(text) => code(&json::pretty(text, MAX_SECTION).unwrap_or_else(|| text.to_owned())),
        None => Some(format!("{} bytes of {}", event.payload_bytes()?.len(), line(event.content_type()))),
    }
}
