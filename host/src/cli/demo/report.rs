//! One delivery as text, and what is wrong with it.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::api::{Delivery, PluginUse, Request};
use super::events::Event;
use super::page::{Ink, Page, bytes, micros, shorten};
use super::receiver::Received;
use super::signature;
use super::webhooks::Registered;

/// Requests as they arrived, by their id.
pub(super) type Arrived = HashMap<String, Vec<Received>>;

pub(super) struct Report<'a> {
    pub(super) event: &'a Event,
    pub(super) webhook: &'a Registered,
    pub(super) delivery: &'a Delivery,
    pub(super) arrived: &'a Arrived,
}

impl Report<'_> {
    pub(super) fn show(&self, page: Page) -> String {
        let requests = &self.delivery.requests;
        let mut out = format!("\n  {}\n", self.headline(page));
        for (index, request) in requests.iter().enumerate() {
            let count = if requests.len() > 1 { format!(" {}/{}", index + 1, requests.len()) } else { String::new() };
            match self.last_arrival(request) {
                None => {
                    let _ = writeln!(out, "    {:<10} {}", format!("out{count}"), page.mark(false, "never arrived"));
                }
                Some(received) if index == 0 => self.show_fully(page, &mut out, &count, received),
                Some(received) => self.show_shortly(page, &mut out, &count, received),
            }
        }
        for problem in self.problems() {
            let _ = writeln!(out, "    {:<10} {}", "problem", page.mark(false, &problem));
        }
        out
    }

    /// Event, what the plugin did with it, and what became of it.
    fn headline(&self, page: Page) -> String {
        let through = match &self.delivery.plugin {
            None => "as it is".to_owned(),
            Some(plugin) => format!("plugin {} {}{}", plugin.name, plugin.version, cost(plugin)),
        };
        let requests = match self.delivery.requests.len() {
            1 => "1 request".to_owned(),
            count => format!("{count} requests"),
        };
        let name = page.ink(Ink::Name, &format!("{:<8}", self.webhook.wanted.name));
        format!("{name}{} ({}) → {through} → {requests}", self.event.kind, self.event.subject)
    }

    fn show_fully(&self, page: Page, out: &mut String, count: &str, received: &Received) {
        let size = bytes(received.body.len() as u64);
        let target = page.ink(Ink::Bold, &format!("{} {}", received.method, received.path));
        let _ = writeln!(out, "    {:<10} {target}, {size}", format!("out{count}"));
        let _ = write!(out, "{}", page.body(15, &received.body));
        if let Some(scheme) = authorization(received) {
            let _ = writeln!(
                out,
                "    {:<10} Authorization: {scheme} …, filled in by the server: the plugin never saw it",
                "secret"
            );
        }
        let _ = writeln!(out, "    {:<10} {}", "signature", self.signature(page, received));
        let _ = writeln!(out, "    {:<10} {}", "answer", answer(page, received));
    }

    fn show_shortly(&self, page: Page, out: &mut String, count: &str, received: &Received) {
        let target = format!("{} {}", received.method, received.path);
        let body = shorten(&String::from_utf8_lossy(&received.body), 66);
        let signature = match self.verify(received) {
            Ok(()) => page.mark(true, "verifies"),
            Err(why) => page.mark(false, why),
        };
        let _ = writeln!(out, "    {:<10} {target}  {}", format!("out{count}"), page.ink(Ink::Dim, &body));
        let _ = writeln!(out, "    {:<10} {signature}  {}", "", answer(page, received));
    }

    fn signature(&self, page: Page, received: &Received) -> String {
        match self.verify(received) {
            Ok(()) => page.mark(true, "verifies over the bytes that arrived"),
            Err(why) => page.mark(false, why),
        }
    }

    fn verify(&self, received: &Received) -> Result<(), &'static str> {
        signature::verify(&self.webhook.secret, &received.headers, &received.body)
    }

    fn last_arrival(&self, request: &Request) -> Option<&Received> {
        self.arrived.get(&request.id)?.last()
    }

    /// Everything that is not as it must be, in words for a person.
    pub(super) fn problems(&self) -> Vec<String> {
        let Self { event, webhook, delivery, .. } = self;
        let mut problems = Vec::new();
        let wanted = webhook.wanted.requests_for(event.kind, &event.payload).unwrap_or(0);
        if delivery.status != "succeeded" {
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

fn cost(plugin: &PluginUse) -> String {
    let used = [plugin.cpu_us.map(micros), plugin.memory_bytes.map(bytes)];
    let used: Vec<String> = used.into_iter().flatten().collect();
    if used.is_empty() { String::new() } else { format!(" ({})", used.join(", ")) }
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

/// The scheme of the header that carries a secret; never the secret.
fn authorization(received: &Received) -> Option<&str> {
    received.headers.get("authorization")?.to_str().ok()?.split(' ').next()
}

fn answer(page: Page, received: &Received) -> String {
    let answer = &received.answer;
    page.mark(answer.is_success(), &format!("{} {}", answer.status, shorten(&answer.body, 70)))
}
