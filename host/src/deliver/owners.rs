//! Webhooks that one node at a time sends to: rates and breakers are kept in memory, so two nodes would send twice as much.
//! A node owns such a webhook for some seconds, by a row in the store, and renews that while it has use for it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::domain::clock::Millis;
use crate::domain::id::WebhookId;
use crate::domain::webhook::Webhook;
use crate::store::Ownership;

/// So long a webhook is owned, in milliseconds, when it is not renewed.
pub(super) const OWN_MS: u64 = 10_000;
/// It is renewed when less is left.
const RENEW_MS: u64 = 5_000;
/// What was not sent to for so long, in milliseconds, is left to others.
const UNUSED_MS: u64 = 60_000;
/// When to look again whether another node still has it, in milliseconds.
const LOOK_AGAIN_MS: u64 = 1000;

#[derive(Debug, Clone, Copy)]
struct Known {
    ownership: Ownership,
    /// When it was last sent to, if it has a rate limit.
    used_at: Millis,
}

#[derive(Debug)]
pub(super) struct Owners {
    /// Whether there can be other nodes.
    shared: bool,
    known: Mutex<HashMap<WebhookId, Known>>,
    /// How many are known: mostly none, and this is asked for every request.
    count: AtomicUsize,
}

/// What a node does about the webhooks it owns.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Upkeep {
    /// To be owned, or to be owned for longer; with each how long its breaker is open.
    pub(super) own: BTreeMap<WebhookId, Option<Millis>>,
    /// To be left to others.
    pub(super) disown: Vec<WebhookId>,
}

impl Owners {
    pub(super) fn new(shared: bool) -> Self {
        Self { shared, known: Mutex::default(), count: AtomicUsize::new(0) }
    }

    /// Whether this node may send to a webhook; an error says when to look again.
    pub(super) fn permit(&self, webhook: &Webhook, now: Millis) -> Result<(), Millis> {
        let must_own = webhook.rate_limit.is_some();
        if !self.shared || (!must_own && self.count.load(Ordering::Relaxed) == 0) {
            return Ok(());
        }
        match self.known.lock().get_mut(&webhook.id) {
            Some(known) if known.ownership.until > now => {
                if known.ownership.is_mine {
                    known.used_at = if must_own { now } else { known.used_at };
                    return Ok(());
                }
                Err(known.ownership.until.min(now.plus(LOOK_AGAIN_MS)))
            }
            _ if must_own => Err(now),
            _ => Ok(()),
        }
    }

    /// Whether this node should try to own a webhook before it sends to it.
    pub(super) fn wants(&self, webhook: &Webhook, now: Millis) -> bool {
        self.permit(webhook, now) == Err(now)
    }

    /// Takes note of who has which webhooks.
    pub(super) fn learn(&self, owners: impl IntoIterator<Item = (WebhookId, Ownership)>, now: Millis) {
        let mut known = self.known.lock();
        for (webhook, ownership) in owners {
            let used_at = known.get(&webhook).map_or(Millis(0), |known| known.used_at);
            known.insert(webhook, Known { ownership, used_at });
        }
        known.retain(|_, known| known.ownership.until > now);
        self.count.store(known.len(), Ordering::Relaxed);
    }

    /// Takes note of all that other nodes keep paused.
    pub(super) fn learn_paused(&self, owners: Vec<(WebhookId, Ownership)>, now: Millis) {
        let is_listed: HashSet<WebhookId> = owners.iter().map(|(webhook, _)| *webhook).collect();
        let ended = |webhook: &WebhookId, ownership: &Ownership| {
            !ownership.is_mine && ownership.paused_until.is_some() && !is_listed.contains(webhook)
        };
        self.known.lock().retain(|webhook, known| !ended(webhook, &known.ownership));
        self.learn(owners, now);
    }

    /// What is to be renewed, taken and left, given the webhooks whose breakers are open here.
    pub(super) fn upkeep(&self, paused: &HashMap<WebhookId, Millis>, now: Millis) -> Upkeep {
        let mut upkeep = Upkeep::default();
        if !self.shared {
            return upkeep;
        }
        let mut known = self.known.lock();
        for (webhook, Known { ownership, used_at }) in known.iter().filter(|(_, known)| known.ownership.is_mine) {
            let paused_until = paused.get(webhook).copied();
            let is_used = now.since(*used_at) < UNUSED_MS;
            if paused_until.is_none() && !is_used {
                upkeep.disown.push(*webhook);
            } else if ownership.until.since(now) < RENEW_MS || ownership.paused_until != paused_until {
                upkeep.own.insert(*webhook, paused_until);
            }
        }
        let mine_or_theirs = |webhook| known.get(webhook).is_some_and(|known| known.ownership.until > now);
        upkeep.own.extend(
            paused.iter().filter(|(id, _)| !mine_or_theirs(id)).map(|(webhook, until)| (*webhook, Some(*until))),
        );
        for webhook in &upkeep.disown {
            known.remove(webhook);
        }
        self.count.store(known.len(), Ordering::Relaxed);
        upkeep
    }

    /// When the breaker of a webhook that another node has lets a request pass again.
    pub(super) fn paused_until(&self, webhook: WebhookId) -> Option<Millis> {
        self.known.lock().get(&webhook).and_then(|known| known.ownership.paused_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_000_000);

    fn id(number: u128) -> WebhookId {
        WebhookId::new(Millis(1), number)
    }

    fn owned(is_mine: bool, paused_until: Option<Millis>) -> Ownership {
        Ownership { is_mine, until: NOW.plus(OWN_MS), paused_until }
    }

    fn keys(upkeep: &Upkeep) -> Vec<WebhookId> {
        upkeep.own.keys().copied().collect()
    }

    #[test]
    fn what_is_paused_here_is_taken_renewed_and_left_when_it_is_over() {
        let owners = Owners::new(true);
        let paused = HashMap::from([(id(1), NOW.plus(60_000))]);
        assert_eq!(owners.upkeep(&paused, NOW).own, BTreeMap::from([(id(1), Some(NOW.plus(60_000)))]));
        owners.learn([(id(1), owned(true, Some(NOW.plus(60_000))))], NOW);
        assert_eq!(owners.upkeep(&paused, NOW), Upkeep::default(), "it lasts for a while");
        assert_eq!(keys(&owners.upkeep(&paused, NOW.plus(OWN_MS - RENEW_MS + 1))), [id(1)]);
        let longer = HashMap::from([(id(1), NOW.plus(90_000))]);
        assert_eq!(keys(&owners.upkeep(&longer, NOW)), [id(1)], "others learn that the pause is longer");
        assert_eq!(owners.upkeep(&HashMap::new(), NOW).disown, [id(1)]);
        assert_eq!(owners.upkeep(&HashMap::new(), NOW), Upkeep::default());
    }

    #[test]
    fn what_another_node_has_is_not_taken_from_it_before_its_time() {
        let owners = Owners::new(true);
        owners.learn([(id(1), owned(false, Some(NOW.plus(60_000))))], NOW);
        let paused = HashMap::from([(id(1), NOW.plus(5))]);
        assert_eq!(owners.upkeep(&paused, NOW), Upkeep::default());
        assert_eq!(owners.paused_until(id(1)), Some(NOW.plus(60_000)));
        assert_eq!(keys(&owners.upkeep(&paused, NOW.plus(OWN_MS))), [id(1)]);
        owners.learn_paused(Vec::new(), NOW);
        assert_eq!(owners.paused_until(id(1)), None, "the other node has left it");
        assert_eq!(keys(&owners.upkeep(&paused, NOW)), [id(1)]);
    }

    #[test]
    fn where_no_other_node_can_be_nothing_is_owned() {
        let owners = Owners::new(false);
        assert_eq!(owners.upkeep(&HashMap::from([(id(1), NOW)]), NOW), Upkeep::default());
    }
}
