//! Deliveries as they come: what is new, and what has changed since it was looked at.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Failure;
use super::asking::{Parameters, text};
use super::client::{CallError, Client, with_query};

/// Deliveries that are asked for at once.
const PAGE: usize = 100;
/// Pages that are looked back over for deliveries that were not seen yet.
const PAGES_MAX: usize = 20;
/// Deliveries that are kept in mind.
const KNOWN_MAX: usize = 4 * PAGE;

/// What was seen of a list of deliveries.
#[derive(Debug)]
pub(super) struct Following {
    path: String,
    parameters: Parameters<'static>,
    /// How each of the newest stood; ids sort by time.
    known: BTreeMap<String, String>,
    /// Up to this one they are not looked at any more.
    begun: String,
    /// Whether the server could not be asked the last time.
    is_away: bool,
}

/// What changes whenever a delivery comes further.
fn state(delivery: &Value) -> String {
    format!("{} {} {}", text(delivery, "status"), delivery["settled_at"], delivery["requests_succeeded"])
}

impl Following {
    /// Follows a list from now on.
    pub(super) fn new(path: String, parameters: Parameters<'static>) -> Self {
        Self { path, parameters, known: BTreeMap::new(), begun: String::new(), is_away: false }
    }

    async fn page(&self, client: &Client, cursor: Option<String>) -> Result<(Vec<Value>, Option<String>), Failure> {
        let own = [("limit", Some(PAGE.to_string())), ("cursor", cursor)];
        let mut page: Value = client.get(&with_query(&self.path, self.parameters.iter().cloned().chain(own))).await?;
        let next = page["next_cursor"].as_str().map(str::to_owned);
        Ok((page["items"].as_array_mut().map(std::mem::take).unwrap_or_default(), next))
    }

    /// Takes note of what is there, and gives the last so many of it, oldest first.
    pub(super) async fn begin(&mut self, client: &Client, last: usize) -> Result<Vec<Value>, Failure> {
        let (mut items, _) = self.page(client, None).await?;
        for item in &items {
            self.known.insert(text(item, "id").to_owned(), state(item));
        }
        self.begun = items.last().map(|oldest| text(oldest, "id").to_owned()).unwrap_or_default();
        items.truncate(last);
        items.reverse();
        Ok(items)
    }

    /// The same as [`Following::looked`]; a server that is away for a while is told of once, and asked again.
    pub(super) async fn next(&mut self, client: &Client) -> Result<Vec<Value>, Failure> {
        match self.looked(client).await {
            Err(error) if CallError::is_passing(&error) => {
                if !std::mem::replace(&mut self.is_away, true) {
                    eprintln!("{error}; trying again");
                }
                Ok(Vec::new())
            }
            Ok(found) => {
                if std::mem::take(&mut self.is_away) {
                    eprintln!("{} is back", client.server());
                }
                Ok(found)
            }
            Err(error) => Err(error),
        }
    }

    /// What is new or stands otherwise than before, oldest first.
    async fn looked(&mut self, client: &Client) -> Result<Vec<Value>, Failure> {
        let (mut changed, mut cursor) = (Vec::new(), None);
        let mut seen = BTreeSet::new();
        for _ in 0..PAGES_MAX {
            let (items, next) = self.page(client, cursor).await?;
            let mut is_all_new = !items.is_empty();
            for item in items {
                let id = text(&item, "id").to_owned();
                if id <= self.begun || !seen.insert(id.clone()) {
                    is_all_new = false;
                    continue;
                }
                let state = state(&item);
                let before = self.known.insert(id, state.clone());
                is_all_new &= before.is_none();
                if before.as_ref() != Some(&state) {
                    changed.push(item);
                }
            }
            cursor = next;
            if cursor.is_none() || !is_all_new {
                break;
            }
        }
        while self.known.len() > KNOWN_MAX
            && let Some((oldest, _)) = self.known.pop_first()
        {
            self.begun = oldest;
        }
        changed.reverse();
        Ok(changed)
    }
}
