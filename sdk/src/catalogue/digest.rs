//! What a webhook has collected, in one event.

use super::node::Node;
use super::read::{Read, Wrong};
use super::{Known, reader};

/// `digest`: the events that the webhook has collected, in the order in which they came.
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"digest": {"count": 1, "more": 37}, "events": [{"id": "evt_1", "type": "deploy.finished"}]});
/// let Known::Digest(it) = testing::event("digest").payload(payload).build().catalogue()? else { panic!("digest") };
/// assert_eq!((it.events.len(), it.more), (1, 37));
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Digest {
    /// How many more were waiting already, for the digest that follows.
    pub more: u64,
    /// How many there are of each event type.
    pub types: Vec<(String, u64)>,
    /// The events.
    pub events: Vec<Collected>,
}

/// An event in a digest.
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let ticket = serde_json::json!({"id": "evt_1", "type": "ticket.created", "payload": {"ticket": {"id": 1, "title": "Fix it"}}});
/// let event = testing::event("digest").payload(serde_json::json!({"events": [ticket]})).build();
/// let Known::Digest(it) = event.catalogue()? else { panic!("digest") };
/// assert!(matches!(&it.events[0].known, Known::TicketCreated(it) if it.ticket.title == "Fix it"));
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Collected {
    /// `evt_…`.
    pub id: String,
    /// The event type.
    pub kind: String,
    /// What it is about.
    pub subject: Option<String>,
    /// When it happened: RFC 3339.
    pub occurred_at: Option<String>,
    /// What its payload says, if that is of the catalogue and as it must be.
    pub known: Known,
    /// What names its payload otherwise.
    pub label: Option<String>,
}

impl Read for Digest {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        let head = node.field("digest");
        let counted = |it: &Node<'_>| Some((it.optional("type")?, it.number("count")?));
        let types = head.and_then(|head| head.field("types")).map_or(&[][..], Node::items);
        Ok(Self {
            more: head.and_then(|head| head.number("more")).unwrap_or(0),
            types: types.iter().filter_map(counted).collect(),
            events: node.all("events")?,
        })
    }
}

impl Read for Collected {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        let kind = node.text("type")?;
        let payload = node.field("payload");
        // One event that is not as it must be keeps nobody from the others; and a digest in a digest is none.
        let read = reader(&kind).filter(|_| kind != super::DIGEST);
        let known = read.zip(payload).and_then(|(read, payload)| read(payload).ok());
        Ok(Self {
            id: node.text("id")?,
            subject: node.optional("subject"),
            occurred_at: node.optional("occurred_at"),
            known: known.unwrap_or(Known::Custom),
            label: payload.and_then(Node::label).or_else(|| node.optional("payload_text")),
            kind,
        })
    }
}
