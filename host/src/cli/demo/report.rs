//! One delivery as text, and what is wrong with it.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::api::{Delivery, PluginUse, Request};
use super::columns::{Cell, width, wrap};
use super::events::Event;
use super::page::{Ink, Page, bytes, micros, shorten};
use super::receiver::Received;
use super::signature;
use super::webhooks::{Registered, Tool};

/// Lines of a column that say what people see in the tool.
const LINES: usize = 12;

/// Requests as they arrived, by their id.
pub(super) type Arrived = HashMap<String, Vec<Received>>;

pub(super) struct Report<'a> {
    pub(super) event: &'a Event,
    pub(super) webhook: &'a Registered,
    /// None if the event is not for this webhook.
    pub(super) delivery: Option<&'a Delivery>,
    pub(super) arrived: &'a Arrived,
}

impl Report<'_> {
    /// What the tool made of the event, for standing beside what the others made of it.
    pub(super) fn column(&self, tool: &Tool, columns: usize) -> (Vec<Cell>, Cell) {
        let mut cells = vec![Cell::inked(Ink::Name, tool.name)];
        let Some(delivery) = self.delivery else {
            cells.push(Cell::inked(Ink::Dim, "has not subscribed"));
            return (cells, Cell::plain(""));
        };
        cells.push(Cell::inked(Ink::Dim, made(delivery, tool)));
        let seen: Vec<String> = match &delivery.reason {
            Some(why) if delivery.requests.is_empty() => wrap(why, width(columns), 4),
            _ => {
                let texts = self.last_arrivals().flat_map(tool.shows);
                texts.flat_map(|text| wrap(&text, width(columns), 2)).collect()
            }
        };
        let shown = if seen.len() > LINES { LINES - 1 } else { seen.len() };
        let more = seen.len() - shown;
        cells.extend(seen.into_iter().take(shown).map(Cell::plain));
        if more > 0 {
            cells.push(Cell::inked(Ink::Dim, format!("… {more} more lines")));
        }
        (cells, self.verdict())
    }

    fn verdict(&self) -> Cell {
        let statuses: Vec<u16> = self.last_arrivals().map(|received| received.answer.status).collect();
        match statuses.as_slice() {
            _ if !self.problems().is_empty() => Cell::inked(Ink::Bad, "✗ see below"),
            [] => Cell::inked(Ink::Dim, "– nothing to send"),
            [status] => Cell::inked(Ink::Good, format!("✓ signed, {status}")),
            [status, ..] => Cell::inked(Ink::Good, format!("✓ signed, {} × {status}", statuses.len())),
        }
    }

    /// The same in one line, for a receiver that is no tool.
    pub(super) fn line(&self, page: Page) -> Option<String> {
        let delivery = self.delivery?;
        let through = match &delivery.plugin {
            None => "as it is".to_owned(),
            Some(plugin) => format!("plugin {}{}", plugin.name, cost(plugin)),
        };
        let name = page.ink(Ink::Name, &format!("{:<6}", self.webhook.wanted.name));
        let arrived = self.last_arrivals().map(|received| {
            let Received { method, path, answer, .. } = received;
            let good = self.verify(received).is_ok() && answer.is_success();
            let said = format!("signed, {} {}", answer.status, shorten(&answer.body, 30));
            format!("{method} {path}  {}", page.mark(good, &said))
        });
        Some(format!("  {name} {through} → {}", arrived.collect::<Vec<_>>().join(" · ")))
    }

    /// The first request that arrived, to the byte.
    pub(super) fn exactly(&self, page: Page) -> Option<String> {
        let received = self.last_arrivals().next()?;
        let size = bytes(received.body.len() as u64);
        let target = page.ink(Ink::Bold, &format!("{} {}", received.method, received.path));
        let name = page.ink(Ink::Name, &format!("{:<15}", self.webhook.wanted.name));
        let mut out = format!("  {name} {target}, {size}\n");
        if let Some(secret) = secret(received) {
            let _ = writeln!(out, "    {secret} …  filled in by the server: the plugin never saw it");
        }
        let _ = write!(out, "{}", page.body(4, &received.body));
        let _ = writeln!(out, "    {}, {}", signed(page, self.verify(received)), answer(page, received));
        Some(out)
    }

    fn verify(&self, received: &Received) -> Result<(), &'static str> {
        signature::verify(&self.webhook.secret, &received.headers, &received.body)
    }

    fn last_arrivals(&self) -> impl Iterator<Item = &Received> {
        self.delivery
            .into_iter()
            .flat_map(|delivery| &delivery.requests)
            .filter_map(|request| self.last_arrival(request))
    }

    fn last_arrival(&self, request: &Request) -> Option<&Received> {
        self.arrived.get(&request.id)?.last()
    }

    /// Everything that is not as it must be, in words for a person.
    pub(super) fn problems(&self) -> Vec<String> {
        let wanted = self.webhook.wanted.requests_for(self.event);
        let delivery = match (self.delivery, wanted) {
            (None, None) => return Vec::new(),
            (None, Some(_)) => return vec!["there is no delivery".to_owned()],
            (Some(delivery), None) => return vec![format!("there is a delivery that should not be: {}", delivery.id)],
            (Some(delivery), Some(_)) => delivery,
        };
        let wanted = wanted.unwrap_or(0);
        let mut problems = Vec::new();
        if delivery.status != if wanted == 0 { "skipped" } else { "succeeded" } {
            problems.push(format!("the delivery is {}{}", delivery.status, because(delivery)));
        } else if delivery.requests.len() != wanted {
            problems.push(format!("{} requests instead of {wanted}", delivery.requests.len()));
        }
        for request in &delivery.requests {
            let id = &request.id;
            let Some(received) = self.last_arrival(request) else {
                problems.push(format!("{id} did not arrive: it is {}{}", request.status, last_error(request)));
                continue;
            };
            if let Err(why) = self.verify(received) {
                problems.push(format!("{id} does not verify: {why}"));
            }
            if !received.answer.is_success() {
                let answer = &received.answer;
                problems.push(format!("{id} was not accepted: {} {}", answer.status, shorten(&answer.body, 60)));
            }
        }
        problems
    }
}

/// How many things, and what the plugin took for them.
fn made(delivery: &Delivery, tool: &Tool) -> String {
    let count = match delivery.requests.len() {
        0 => return "skipped by its plugin".to_owned(),
        1 => format!("1 {}", tool.thing),
        many => format!("{many} {}", tool.things),
    };
    match delivery.plugin.as_ref().and_then(|plugin| plugin.cpu_us) {
        Some(us) => format!("{count} in {}", micros(us)),
        None => count,
    }
}

fn cost(plugin: &PluginUse) -> String {
    plugin.cpu_us.map_or_else(String::new, |us| format!(" ({})", micros(us)))
}

fn because(delivery: &Delivery) -> String {
    let error = delivery.plugin.as_ref().and_then(|plugin| plugin.error.as_ref()).map(ToString::to_string);
    delivery.reason.clone().or(error).map_or_else(String::new, |why| format!(": {}", shorten(&why, 160)))
}

fn last_error(request: &Request) -> String {
    let Some(last) = request.attempts.last() else {
        return ", not tried yet".to_owned();
    };
    let status = last.status_code.map(|code| code.to_string());
    let words = [last.outcome.clone(), last.error_class.clone(), status];
    format!(" ({})", words.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// The beginning of the header that carries a secret; never the secret.
fn secret(received: &Received) -> Option<String> {
    if received.headers.contains_key("x-trackertoken") {
        return Some("X-TrackerToken:".to_owned());
    }
    let scheme = received.headers.get("authorization")?.to_str().ok()?.split(' ').next()?;
    Some(format!("Authorization: {scheme}"))
}

fn signed(page: Page, verified: Result<(), &'static str>) -> String {
    match verified {
        Ok(()) => page.mark(true, "the signature verifies over the bytes that arrived"),
        Err(why) => page.mark(false, why),
    }
}

fn answer(page: Page, received: &Received) -> String {
    let answer = &received.answer;
    page.mark(answer.is_success(), format!("{} {}", answer.status, shorten(&answer.body, 40)).trim_end())
}
