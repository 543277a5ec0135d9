//! Which webhooks get the room that there is: those with the least in hand come first, and none more than its share.

use super::lanes::{Bounds, InHand};
use crate::domain::clock::Millis;
use crate::domain::id::WebhookId;
use crate::domain::webhook::Target;
use crate::store::{Outlook, WorkHead};

/// A webhook that is not known yet is looked at again after this.
const UNKNOWN_WAIT_MS: u64 = 1000;

/// How much of each webhook to claim, and when to look again for the others. `webhook` tells of each its target, and how
/// much its pace allows or when to look again; `in_hand` is what is in hand already.
pub(super) fn plan(
    heads: &[WorkHead],
    webhook: impl Fn(WebhookId) -> Option<(Target, Result<usize, Millis>)>,
    mut in_hand: InHand,
    bounds: Bounds,
    now: Millis,
) -> (Vec<(WebhookId, usize)>, Outlook) {
    let mut outlook = Outlook::NOTHING;
    let mut due = Vec::new();
    for head in heads {
        if head.due > now {
            outlook.note(head.due);
            continue;
        }
        match webhook(head.webhook) {
            Some((target, Ok(room))) => {
                due.push((in_hand.of_webhook(head.webhook), head.due, head.webhook, target, room));
            }
            Some((_, Err(later))) => outlook.note(later),
            None => outlook.note(now.plus(UNKNOWN_WAIT_MS)),
        }
    }
    due.sort_unstable_by_key(|(own, since, webhook, ..)| (*own, *since, *webhook));
    let share = bounds.total.div_ceil(due.len().max(1));
    let mut wanted = Vec::with_capacity(due.len());
    for (_, _, webhook, target, room) in due {
        let room = room.min(share).min(in_hand.room(webhook, target, bounds));
        if room == 0 {
            outlook.left = true;
            continue;
        }
        in_hand.add(webhook, target, room);
        wanted.push((webhook, room));
    }
    (wanted, outlook)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_000_000);
    const BOUNDS: Bounds = Bounds { total: 12, per_webhook: 8, per_target: 10 };

    /// What a webhook of a test is: its target, and what its pace says.
    type Known = (u64, Result<usize, Millis>);

    fn id(number: usize) -> WebhookId {
        WebhookId::new(Millis(1), number as u128)
    }

    /// The room that each webhook gets when all have work that is due; the second number is what it has in hand.
    fn planned(webhooks: &[(Known, usize)]) -> (Vec<usize>, Outlook) {
        let mut in_hand = InHand::default();
        for (number, ((target, _), own)) in webhooks.iter().enumerate() {
            in_hand.add(id(number), Target::from(*target), *own);
        }
        let head = |number| WorkHead { webhook: id(number), due: NOW, by_hand: None };
        let heads: Vec<_> = (0..webhooks.len()).map(head).collect();
        let known = |wanted| {
            let number = (0..webhooks.len()).find(|number| id(*number) == wanted)?;
            let (target, pace) = webhooks[number].0;
            Some((Target::from(target), pace))
        };
        let (wanted, outlook) = plan(&heads, known, in_hand, BOUNDS, NOW);
        let of = |number| wanted.iter().find(|(webhook, _)| *webhook == id(number)).map_or(0, |(_, room)| *room);
        ((0..webhooks.len()).map(of).collect(), outlook)
    }

    const ANY: Result<usize, Millis> = Ok(usize::MAX);

    #[test]
    fn the_room_is_shared_and_who_has_the_least_in_hand_comes_first() {
        assert_eq!(planned(&[((1, ANY), 0)]).0, [8]);
        assert_eq!(planned(&[((1, ANY), 0), ((2, ANY), 0)]).0, [6, 6]);
        let (rooms, outlook) = planned(&[((1, ANY), 7), ((2, ANY), 0)]);
        assert_eq!((rooms, outlook.left), (vec![0, 5], true));
    }

    #[test]
    fn webhooks_of_one_target_share_its_room() {
        assert_eq!(planned(&[((1, ANY), 4), ((1, ANY), 4), ((2, ANY), 0)]).0, [0, 0, 4]);
        let (rooms, outlook) = planned(&[((1, ANY), 0), ((1, ANY), 5), ((1, ANY), 5)]);
        assert_eq!((rooms, outlook.left), (vec![0, 0, 0], true));
    }

    #[test]
    fn what_its_pace_does_not_allow_stays_where_it_is() {
        let later = NOW.plus(10_000);
        let (rooms, outlook) = planned(&[((1, Err(later)), 0), ((2, Ok(1)), 0), ((3, ANY), 0)]);
        assert_eq!((rooms, outlook), (vec![0, 1, 6], Outlook { next_due: Some(later), left: false }));
    }

    #[test]
    fn what_is_not_due_and_what_is_not_known_is_looked_at_again() {
        let heads = [NOW.plus(5), NOW, Millis::NEVER];
        let heads: Vec<_> = heads.into_iter().map(|due| WorkHead { webhook: id(1), due, by_hand: None }).collect();
        let (wanted, outlook) = plan(&heads[..1], |_| None, InHand::default(), BOUNDS, NOW);
        assert_eq!((wanted.len(), outlook.next_due), (0, Some(NOW.plus(5))));
        let (wanted, outlook) = plan(&heads[1..], |_| None, InHand::default(), BOUNDS, NOW);
        assert_eq!((wanted.len(), outlook.next_due), (0, Some(NOW.plus(UNKNOWN_WAIT_MS))));
    }
}
