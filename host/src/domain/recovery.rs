//! Whether an event that a webhook wants is to be sent to it after all, by what became of it so far.

use super::clock::Millis;
use super::delivery::DeliveryStatus;
use super::id::DeliveryId;

/// A delivery of the event to the webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// Which.
    pub id: DeliveryId,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// When it came to rest.
    pub settled_at: Option<Millis>,
    /// Whether its plugin was run.
    pub was_run: bool,
    /// Whether at least one of its requests arrived.
    pub arrived_in_part: bool,
}

/// What is done about the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// A new delivery, in place of this one if there was any.
    Make(Option<DeliveryId>),
    /// What did not arrive of this delivery is sent again, and nothing that did.
    Resend(DeliveryId),
    /// Nothing: it arrived, is on its way, or somebody decided about it.
    Leave,
}

/// Decides by what there was when the recovery was asked for (`asked_at`), oldest first. What came to rest later is another
/// story: so two recoveries that go on at the same time send nothing twice.
pub fn recovery(past: &[Past], asked_at: Millis) -> Recovery {
    use DeliveryStatus::{Cancelled, Collected, Collecting, Held, Pending, Retrying, Succeeded};
    let is_done = |past: &Past| matches!(past.status, Succeeded | Pending | Retrying | Held | Collecting | Collected);
    let is_later = |past: &Past| past.settled_at.is_some_and(|settled| settled > asked_at);
    if past.iter().any(|past| is_done(past) || is_later(past)) {
        return Recovery::Leave;
    }
    if let Some(partial) = past.iter().rev().find(|past| past.arrived_in_part) {
        return if partial.status == Cancelled { Recovery::Leave } else { Recovery::Resend(partial.id) };
    }
    match past.last() {
        None => Recovery::Make(None),
        // A person gave it up, or its plugin did not want it; skipped without a run is what was disabled.
        Some(Past { status: Cancelled, .. } | Past { status: DeliveryStatus::Skipped, was_run: true, .. }) => {
            Recovery::Leave
        }
        Some(last) => Recovery::Make(Some(last.id)),
    }
}

/// Before this time an event must have been received to be looked at: what came after the recovery was asked for (`asked_at`)
/// is none of its business, whatever end (`until`) was named.
pub fn received_before(until: Option<Millis>, asked_at: Millis) -> Millis {
    let latest = asked_at.plus(1);
    until.map_or(latest, |until| until.min(latest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Millis = Millis(100);

    #[test]
    fn what_comes_after_it_was_asked_for_is_not_recovered() {
        assert_eq!(received_before(None, ASKED), Millis(101), "those of the same millisecond are");
        assert_eq!(received_before(Some(Millis(50)), ASKED), Millis(50));
        assert_eq!(received_before(Some(Millis(500)), ASKED), Millis(101));
    }

    fn past(n: u128, status: DeliveryStatus) -> Past {
        let settled_at = (!status.is_open()).then_some(ASKED);
        Past { id: DeliveryId::with_room(Millis(1), n), status, settled_at, was_run: false, arrived_in_part: false }
    }

    #[test]
    fn what_did_not_arrive_is_sent_and_what_was_decided_is_left() {
        use DeliveryStatus::{
            Cancelled, Collected, Collecting, Failed, Held, Parked, Pending, Retrying, Skipped, Succeeded,
        };
        let first = past(1, Failed);
        assert_eq!(recovery(&[], ASKED), Recovery::Make(None), "missing");
        for status in [Failed, Skipped, Parked] {
            let past = past(2, status);
            assert_eq!(recovery(&[first, past], ASKED), Recovery::Make(Some(past.id)), "{status}");
        }
        for status in [Pending, Retrying, Succeeded, Held, Cancelled, Collecting, Collected] {
            assert_eq!(recovery(&[first, past(2, status)], ASKED), Recovery::Leave, "{status}");
        }
        for status in [Pending, Retrying, Succeeded, Held] {
            assert_eq!(
                recovery(&[past(1, status), past(2, Failed)], ASKED),
                Recovery::Leave,
                "{status}, whatever came later"
            );
        }
        let by_plugin = Past { was_run: true, ..past(1, Skipped) };
        assert_eq!(recovery(&[by_plugin], ASKED), Recovery::Leave);
        let parked = Past { was_run: true, ..past(1, Parked) };
        assert_eq!(recovery(&[parked], ASKED), Recovery::Make(Some(parked.id)));
    }

    #[test]
    fn of_what_arrived_in_part_only_the_rest_is_sent() {
        let part = Past { arrived_in_part: true, ..past(1, DeliveryStatus::Failed) };
        assert_eq!(recovery(&[part, past(2, DeliveryStatus::Failed)], ASKED), Recovery::Resend(part.id));
        let given_up = Past { status: DeliveryStatus::Cancelled, ..part };
        assert_eq!(recovery(&[given_up], ASKED), Recovery::Leave);
    }

    #[test]
    fn what_came_to_rest_after_it_was_asked_for_is_left() {
        let at = |settled| Past { settled_at: Some(settled), ..past(1, DeliveryStatus::Failed) };
        assert!(matches!(recovery(&[at(ASKED)], ASKED), Recovery::Make(_)));
        assert_eq!(recovery(&[at(ASKED.plus(1))], ASKED), Recovery::Leave);
    }
}
