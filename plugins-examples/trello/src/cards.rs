//! Which events make cards, and what the cards say.

use hookwright_sdk::catalogue::{
    Action, Known, LeadSubmitted, RetroCompleted, StoryEvent, TestRunEvent, TicketEvent, WorkflowEvent,
};
use hookwright_sdk::{Event, Failure};

use crate::card::Card;
use crate::{Config, Updates};

/// The host takes this many requests from one event.
const MAX_CARDS: usize = 100;

pub(crate) enum Plan {
    Cards(Vec<Card>),
    /// The card that was made for the same thing before, if there is one.
    Edit(Card),
    Skip(String),
}

pub(crate) fn plan(event: &Event, config: &Config) -> Result<Plan, Failure> {
    let update = |card: Card, what: &str| match config.updates {
        Updates::Edit => Plan::Edit(card),
        Updates::Card => one(card),
        Updates::Skip => skip(&format!("{what} changes no card, as `updates` is `skip`.")),
    };
    Ok(match event.catalogue()? {
        Known::RetroCompleted(retro) => retro_completed(&retro),
        Known::TicketCreated(it) => one(ticket(it)),
        Known::TicketUpdated(it) => update(ticket(it), "A changed ticket"),
        Known::TicketStatusChanged(it) => update(ticket(it), "A ticket's new status"),
        Known::StoryCreated(it) => one(story(it)),
        Known::StoryUpdated(it) => update(story(it), "A changed story"),
        Known::LeadSubmitted(it) => one(lead(it)),
        Known::WorkflowStarted(it) | Known::WorkflowStepCompleted(it) | Known::WorkflowCompleted(it) => {
            if it.has_failed() { one(workflow(it)) } else { skip("Only a workflow that failed makes a card.") }
        }
        Known::TestRunCreated(it) | Known::TestRunCompleted(it) => {
            if it.run.has_failed() {
                one(test_run(it))
            } else {
                skip("Only a test run that failed makes a card.")
            }
        }
        Known::Empty => skip("Without an event there is nothing to put on a card."),
        _ => skip(&format!("There is no card for `{}`; adapt the plugin for event types of your own.", event.kind())),
    })
}

fn skip(why: &str) -> Plan {
    Plan::Skip(why.to_owned())
}

fn one(card: Card) -> Plan {
    Plan::Cards(vec![card])
}

fn retro_completed(it: &RetroCompleted) -> Plan {
    if it.actions.is_empty() {
        return skip("The retro has no actions.");
    }
    let from = match &it.retro.url {
        Some(url) => format!("From the retro [{}]({url})", it.retro.name),
        None => format!("From the retro {}", it.retro.name),
    };
    // Of too many actions, the last card lists all that got none of their own.
    let own = if it.actions.len() > MAX_CARDS { MAX_CARDS - 1 } else { it.actions.len() };
    let (own, rest) = it.actions.split_at(own);
    let mut cards: Vec<Card> = own.iter().map(|it| action(it, &from)).collect();
    if !rest.is_empty() {
        let titles: Vec<String> = rest.iter().map(|action| format!("- {}", action.title)).collect();
        cards.push(Card {
            about: format!("retro:{}", it.retro.id),
            name: format!("{} more actions of {}", rest.len(), it.retro.name),
            description: vec![from, titles.join("\n")],
            ..Card::default()
        });
    }
    Plan::Cards(cards)
}

fn action(it: &Action, from: &str) -> Card {
    Card {
        about: format!("action:{}", it.id),
        name: it.title.clone(),
        description: vec![it.description.clone().unwrap_or_default(), from.to_owned()],
        due: it.due_on.clone(),
        owner: it.owner.clone(),
        url: it.url.clone(),
    }
}

fn ticket(it: TicketEvent) -> Card {
    let facts = facts(&[
        ("Status", it.to.or(it.ticket.status)),
        ("Priority", it.ticket.priority),
        ("Labels", Some(it.ticket.labels.join(", "))),
        ("Reported by", it.actor),
    ]);
    Card {
        about: format!("ticket:{}", it.ticket.id),
        name: match it.ticket.key {
            Some(key) => format!("{key} {}", it.ticket.title),
            None => it.ticket.title,
        },
        description: vec![it.ticket.description.unwrap_or_default(), facts],
        owner: it.ticket.assignee,
        url: it.ticket.url,
        ..Card::default()
    }
}

fn story(it: StoryEvent) -> Card {
    let box_of = |done| if done { 'x' } else { ' ' };
    let tasks = it.story.tasks.iter().map(|task| format!("- [{}] {}", box_of(task.done), task.title));
    Card {
        about: format!("story:{}", it.story.id),
        description: vec![
            tasks.collect::<Vec<_>>().join("\n"),
            facts(&[("Points", it.story.points), ("State", it.story.state), ("Project", it.project)]),
        ],
        name: it.story.title,
        url: it.story.url,
        ..Card::default()
    }
}

fn lead(it: LeadSubmitted) -> Card {
    let facts = facts(&[
        ("E-mail", it.lead.email),
        ("Phone", it.lead.phone),
        ("Company", it.lead.company),
        ("Programs", Some(it.programs.join(", "))),
    ]);
    Card {
        about: format!("lead:{}", it.lead.id),
        name: format!("Lead: {}", it.lead.name),
        description: vec![it.lead.message.unwrap_or_default(), facts],
        ..Card::default()
    }
}

fn workflow(it: WorkflowEvent) -> Card {
    Card {
        about: format!("workflow:{}", it.workflow.id),
        name: format!("Workflow failed: {}", it.workflow.name),
        description: vec![facts(&[("Step", it.step), ("Status", it.status), ("Finished", it.finished_at)])],
        url: it.workflow.url,
        ..Card::default()
    }
}

fn test_run(it: TestRunEvent) -> Card {
    let failures = it.run.failures.iter().map(|test| match &test.message {
        Some(message) => format!("- **{}**: {message}", test.name),
        None => format!("- **{}**", test.name),
    });
    Card {
        about: format!("test-run:{}", it.run.id),
        name: match it.run.failed {
            Some(failed) => format!("{failed} tests failed: {}", it.run.suite),
            None => format!("Tests failed: {}", it.run.suite),
        },
        description: vec![failures.collect::<Vec<_>>().join("\n")],
        url: it.run.url,
        ..Card::default()
    }
}

/// One line for each fact that there is.
fn facts(facts: &[(&str, Option<String>)]) -> String {
    let known =
        facts.iter().filter_map(|(name, value)| Some((name, value.as_ref().filter(|value| !value.is_empty())?)));
    known.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
}
