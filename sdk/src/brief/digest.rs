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
