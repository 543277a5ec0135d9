//! What a digest says: each of its events, briefly.

use super::read::{MAX_ITEMS, reading, text};
use super::{Brief, Kind};
use crate::catalogue::{self, Node, Wrong};
use crate::text::{join, separated};

/// Event types that the headline names.
const MAX_TYPES: usize = 3;

pub(super) fn digest(it: &Node<'_>, _event_type: &str) -> Result<Brief, Wrong> {
    let head = it.field("digest");
    let events = it.parts("events")?;
    let count = events.len();
    let title = if count == 1 { "1 event".to_owned() } else { join(&[&count.to_string(), " events"]) };
    let mut types = Vec::new();
    for it in head.and_then(|head| head.field("types")).map_or(&[][..], Node::items) {
        if types.len() == MAX_TYPES {
            types.push("others".to_owned());
            break;
        }
        if let (Some(name), Some(count)) = (it.optional("type"), it.number("count")) {
            types.push(join(&[&count.to_string(), " ", &name]));
        }
    }
    let headline = if types.is_empty() { title.clone() } else { join(&[&title, ": ", &separated(&types, ", ")]) };
    let mut items = Vec::new();
    for it in events.iter().take(MAX_ITEMS) {
        items.push(event(it.node)?);
    }
    if count > MAX_ITEMS {
        let headline = join(&[&(count - MAX_ITEMS).to_string(), " more events"]);
        items.push(Brief { kind: Kind::Custom, title: headline.clone(), headline, ..Brief::default() });
    }
    let more = head.and_then(|head| head.number("more")).filter(|more| *more > 0);
    let follows = more.map(|more| join(&[&more.to_string(), " more follow in the next digest."]));
    Ok(Brief { kind: Kind::Digest, headline, title, text: follows, items, ..Brief::default() })
}

/// One event that is not as it must be keeps nobody from the others; and a digest in a digest is none.
#[inline(never)]
fn event(it: &Node<'_>) -> Result<Brief, Wrong> {
    let event_type = it.text("type")?;
    let payload = it.field("payload");
    let read = reading(&event_type).filter(|_| event_type != catalogue::DIGEST);
    let known = read.zip(payload).and_then(|(read, payload)| read(payload, &event_type).ok());
    let mut brief = known.unwrap_or_else(|| {
        let label = || payload.and_then(Node::label).or_else(|| it.optional("payload_text"));
        let about = it.optional("subject").or_else(label).unwrap_or_default();
        let headline = if about.is_empty() { event_type.clone() } else { join(&[&event_type, ": ", &about]) };
        Brief { kind: Kind::Custom, headline, title: text(Some(about)).unwrap_or_default(), ..Brief::default() }
    });
    brief.tidy(&event_type);
    Ok(brief)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing;

    fn brief(events: &[Value], more: u64) -> Brief {
        let types = json!([{ "type": "ticket.created", "count": events.len() }]);
        let payload = json!({ "digest": { "count": events.len(), "more": more, "types": types }, "events": events });
        Brief::of(&testing::event("digest").payload(payload).build()).expect("a digest")
    }

    fn ticket(n: usize) -> Value {
        let payload = json!({ "ticket": { "id": n, "title": format!("Ticket {n}") } });
        json!({ "id": format!("evt_{n}"), "type": "ticket.created", "payload": payload })
    }

    #[test]
    fn each_event_says_what_it_would_say_alone() {
        let strange = json!({ "id": "evt_1", "type": "deploy.finished", "subject": "billing", "payload": [1] });
        let wrong = json!({ "id": "evt_2", "type": "ticket.created", "payload": { "ticket": [] } });
        let brief = brief(&[ticket(7), strange, wrong], 0);
        assert_eq!((brief.kind, brief.headline.as_str()), (Kind::Digest, "3 events: 3 ticket.created"));
        let headlines: Vec<&str> = brief.items.iter().map(|item| item.headline.as_str()).collect();
        assert_eq!(headlines, ["New ticket: Ticket 7", "deploy.finished: billing", "ticket.created"]);
        assert_eq!(brief.items[0].event_type, "ticket.created");
        assert_eq!(brief.text, None);
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let events: Vec<Value> = (0..MAX_ITEMS + 37).map(ticket).collect();
        let brief = brief(&events, 5);
        assert_eq!(brief.items.len(), MAX_ITEMS + 1);
        assert_eq!(brief.items[MAX_ITEMS].headline, "37 more events");
        assert_eq!(brief.text.as_deref(), Some("5 more follow in the next digest."));
    }

    #[test]
    fn what_is_to_be_done_is_told_event_by_event() {
        let news = json!({ "id": "evt_1", "type": "deploy.finished", "payload": {} });
        let tasks = brief(&[ticket(1), news.clone(), ticket(2)], 0).tasks(10).expect("two tickets");
        assert_eq!(tasks.iter().map(|task| task.title.as_str()).collect::<Vec<_>>(), ["Ticket 1", "Ticket 2"]);
        assert_eq!(brief(&(0..30).map(ticket).collect::<Vec<_>>(), 0).tasks(10).expect("some").len(), 10);
        assert!(brief(&[news], 0).tasks(10).is_err());
    }
}
