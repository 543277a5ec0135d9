//! What plugins remember: written with the result of the attempt that taught it.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::Tx;
use super::super::record::Finish;
use super::super::rows::Rows;
use super::super::value::values;
use crate::domain::id::WebhookId;
use crate::domain::verdict::fact_id;

/// The last word on a fact.
struct Word<'a> {
    finish: &'a Finish,
    plugin: &'a str,
    key: &'a str,
    value: Option<&'a str>,
    /// Whoever holds the lease now knows better.
    late: bool,
}

/// Remembers and forgets what these results say. What a late one says counts only where nothing is known.
pub(super) async fn write<'a>(
    tx: &mut Tx,
    in_time: impl Iterator<Item = &'a Finish>,
    late: &[&'a Finish],
) -> Result<(), StoreError> {
    const INSERT: &str =
        "INSERT INTO facts (id, project_id, webhook_id, plugin, key, value, delivery_id, updated_at) {values}
        ON CONFLICT (id) DO NOTHING RETURNING id";
    const UPDATE: &str = "UPDATE facts SET value = {2}, delivery_id = {3}, updated_at = {4} {from} WHERE id = {1}";
    const DELETE: &str = "DELETE FROM facts {using} WHERE id = {1} RETURNING id";
    let mut words: BTreeMap<Uuid, Word<'_>> = BTreeMap::new();
    let mut most: BTreeMap<WebhookId, usize> = BTreeMap::new();
    let finishes = in_time.map(|finish| (finish, false)).chain(late.iter().map(|finish| (*finish, true)));
    for (finish, late) in finishes {
        let Some(learnt) = &finish.learnt else { continue };
        most.insert(finish.webhook_id, learnt.most);
        for fact in &learnt.facts {
            let id = fact_id(finish.webhook_id, &learnt.plugin, &fact.key);
            let word = Word { finish, plugin: &learnt.plugin, key: &fact.key, value: fact.value.as_deref(), late };
            if late {
                words.entry(id).or_insert(word);
            } else {
                words.insert(id, word);
            }
        }
    }
    if words.is_empty() {
        return Ok(());
    }
    let told = words.iter().filter_map(|(id, word)| word.value.map(|value| (*id, word, value)));
    let rows = Rows::of(INSERT, told.clone(), |(id, word, value)| {
        let Finish { project, webhook_id, request, now, .. } = word.finish;
        let delivery = request.delivery().uuid();
        values![id, project.uuid(), webhook_id.uuid(), word.plugin, word.key, value, delivery, now.0]
    });
    let new: Vec<(Uuid,)> = tx.fetch_rows(&rows).await?;
    let known = told.filter(|(_, word, _)| !word.late);
    let rows = Rows::of(UPDATE, known, |(id, word, value)| {
        values![id, value, word.finish.request.delivery().uuid(), word.finish.now.0]
    });
    tx.execute_rows(&rows).await?;
    let forgotten = words.iter().filter(|(_, word)| word.value.is_none() && !word.late).map(|(id, _)| *id);
    let gone: Vec<(Uuid,)> = tx.fetch_rows(&Rows::of(DELETE, forgotten, |id| values![id])).await?;
    let mut changes: HashMap<WebhookId, i64> = HashMap::new();
    let webhook = |id| words.get(id).map(|word| word.finish.webhook_id);
    for webhook in new.iter().filter_map(|(id,)| webhook(id)) {
        *changes.entry(webhook).or_default() += 1;
    }
    for webhook in gone.iter().filter_map(|(id,)| webhook(id)) {
        *changes.entry(webhook).or_default() -= 1;
    }
    bound(tx, &changes, &most).await
}

/// Keeps count, and forgets the oldest of what is too much.
async fn bound(
    tx: &mut Tx,
    changes: &HashMap<WebhookId, i64>,
    most: &BTreeMap<WebhookId, usize>,
) -> Result<(), StoreError> {
    const COUNT: &str = "INSERT INTO fact_counts (webhook_id, facts) {values}
        ON CONFLICT (webhook_id) DO UPDATE SET facts = fact_counts.facts + excluded.facts
        RETURNING webhook_id, facts";
    const FORGET: &str = "DELETE FROM facts WHERE id IN
        (SELECT id FROM facts WHERE webhook_id = $1 ORDER BY updated_at, id LIMIT $2)";
    const RECOUNT: &str = "UPDATE fact_counts SET facts = facts - $2 WHERE webhook_id = $1";
    // In the order of the ids, so that two nodes do not wait for each other.
    let changed = most.keys().filter_map(|webhook| Some((webhook, *changes.get(webhook)?)));
    let rows = Rows::of(COUNT, changed, |(webhook, change)| values![webhook.uuid(), change]);
    let counts: Vec<(Uuid, i64)> = tx.fetch_rows(&rows).await?;
    for (webhook, count) in counts {
        let most =
            most.get(&WebhookId::from_uuid(webhook)).map_or(i64::MAX, |most| i64::try_from(*most).unwrap_or(i64::MAX));
        if count > most {
            tx.execute(FORGET, &values![webhook, count - most]).await?;
            tx.execute(RECOUNT, &values![webhook, count - most]).await?;
        }
    }
    Ok(())
}
