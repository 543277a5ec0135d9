//! What a digest says: each of its events, briefly.

use super::read::{MAX_ITEMS, known, text};
use super::{Brief, Kind};
use crate::catalogue::{Digest, Known, Part};

/// Event types that the headline names.
const MAX_TYPES: usize = 3;

pub(super) fn digest(it: Digest) -> Brief {
    let count = it.events.len();
    let title = if count == 1 { "1 event".to_owned() } else { format!("{count} events") };
    let mut types: Vec<String> =
        it.types.iter().take(MAX_TYPES).map(|(event_type, count)| format!("{count} {event_type}")).collect();
    if it.types.len() > MAX_TYPES {
        types.push("others".to_owned());
    }
    let headline = if types.is_empty() { title.clone() } else { format!("{title}: {}", types.join(", ")) };
    let left_out = count.saturating_sub(MAX_ITEMS);
    let mut items: Vec<Brief> = it.events.into_iter().take(MAX_ITEMS).map(part).collect();
    if left_out > 0 {
        let headline = format!("{left_out} more events");
        items.push(Brief { kind: Kind::Custom, title: headline.clone(), headline, ..Brief::default() });
    }
    let follows = (it.more > 0).then(|| format!("{} more follow in the next digest.", it.more));
    Brief { kind: Kind::Digest, headline, title, text: follows, items, ..Brief::default() }
}

fn part(it: Part) -> Brief {
    let brief = match it.known {
        Known::Custom | Known::Empty | Known::Digest(_) => {
            let about = it.subject.or(it.label).unwrap_or_default();
            let headline = if about.is_empty() { it.kind.clone() } else { format!("{}: {about}", it.kind) };
            Brief { kind: Kind::Custom, headline, title: text(Some(about)).unwrap_or_default(), ..Brief::default() }
        }
        of_catalogue => known(of_catalogue),
    };
    brief.tidied(&it.kind)
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
