//! What a webhook has collected, in one event.

use super::Known;
use super::node::Node;
use super::read::{Read, Wrong};

/// `digest`: the events that the webhook has collected, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Digest {
    /// How many more were waiting already, for the digest that follows.
    pub more: u64,
    /// How many there are of each event type.
    pub types: Vec<(String, u64)>,
    /// The events.
    pub events: Vec<Part>,
}

/// An event in a digest.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
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
        let counted = |it: &Node<'_>| Some((it.text("type").ok()?, it.number("count")?));
        Ok(Self {
            more: head.and_then(|head| head.number("more")).unwrap_or(0),
            types: head
                .and_then(|head| head.field("types"))
                .map_or(&[][..], Node::items)
                .iter()
                .filter_map(counted)
                .collect(),
            events: node.parts("events")?,
        })
    }
}

impl Read for Part {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        let kind = node.text("type")?;
        let payload = node.field("payload");
        // One event that is not as it must be keeps nobody from the others; and a digest in a digest is none.
        let known = payload.filter(|_| kind != super::DIGEST).and_then(|payload| Known::read(&kind, payload).ok());
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
