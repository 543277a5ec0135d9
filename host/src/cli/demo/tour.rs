//! The demo itself: set up, post, wait, show.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Failure;
use super::api::{Accepted, Api, Delivery, Plugin};
use super::events::{self, Event};
use super::page::{Ink, Page, bytes};
use super::receiver::Receiver;
use super::report::{Arrived, Report};
use super::server::Server;
use super::webhooks::{self, PluginFile, Registered};

const POLL: Duration = Duration::from_millis(50);

/// What is left when all has been shown.
pub(super) struct Tour {
    pub(super) webhooks: Vec<Registered>,
    /// What did not go as it must; empty if all went well.
    pub(super) problems: Vec<String>,
}

impl Tour {
    pub(super) async fn take(
        page: Page,
        server: &Server,
        receiver: &mut Receiver,
        plugins: Vec<PluginFile>,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let guide = Guide { page, api: Api::new(&server.url, &server.token)?, deadline };
        Page::print(&page.rule("Hookwright demo"))?;
        Page::print(&format!("\n  server     {}", server.url))?;
        Page::print(&format!("  receiver   {}  plays a plain consumer, Slack, Trello and a department", receiver.url))?;

        let mut ready = Vec::new();
        for plugin in plugins {
            ready.push(guide.upload(plugin).await?);
        }
        let mut webhooks = Vec::new();
        for wanted in webhooks::all() {
            webhooks.push(guide.register(wanted, &receiver.url, &ready).await?);
        }

        let mut tally = Tally::default();
        for event in events::all() {
            guide.post_and_show(&event, &webhooks, receiver, &mut tally).await?;
        }
        Page::print(&format!("\n{}\n", page.rule("Result")))?;
        let Tally { deliveries, requests, problems } = tally;
        if problems.is_empty() {
            let all = format!("{deliveries} deliveries, {requests} requests: all arrived, verified, and were accepted");
            Page::print(&format!("  {}", page.mark(true, &all)))?;
        }
        for problem in &problems {
            Page::print(&format!("  {}", page.mark(false, problem)))?;
        }
        Ok(Self { webhooks, problems })
    }
}

#[derive(Default)]
struct Tally {
    deliveries: usize,
    requests: usize,
    problems: Vec<String>,
}

struct Guide {
    page: Page,
    api: Api,
    deadline: Instant,
}

impl Guide {
    async fn upload(&self, file: PluginFile) -> Result<Plugin, Failure> {
        let size = bytes(file.wasm.len() as u64);
        let mut plugin = self.api.upload(file.wasm).await?;
        while plugin.status == "checking" && Instant::now() < self.deadline {
            sleep(POLL).await;
            plugin = self.api.plugin(&plugin.name, &plugin.version).await?;
        }
        if plugin.status != "ready" {
            return Err(format!("the plugin {} is not ready but {}", file.name, plugin.status).into());
        }
        Page::print(&format!("  plugin     {} {}, {size}: checked, compiled, ready", plugin.name, plugin.version))?;
        Ok(plugin)
    }

    async fn register(
        &self,
        wanted: webhooks::Wanted,
        receiver_url: &str,
        plugins: &[Plugin],
    ) -> Result<Registered, Failure> {
        let version = plugins.iter().find(|plugin| Some(plugin.name.as_str()) == wanted.plugin);
        let body = wanted.to_json(receiver_url, version.map(|plugin| plugin.version.as_str()));
        let made = self.api.register(&body).await?;
        let name = self.page.ink(Ink::Name, &format!("{:<7}", wanted.name));
        let events = wanted.events.join(", ");
        Page::print(&format!("  webhook    {name} {events:<42} → {}", wanted.path))?;
        Ok(Registered { id: made.id, secret: made.signing_secret, wanted })
    }

    async fn post_and_show(
        &self,
        event: &Event,
        webhooks: &[Registered],
        receiver: &mut Receiver,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let accepted = self.api.publish(&event.to_json()).await?;
        Page::print(&format!("\n{}", self.page.rule(&format!("{}  {}", event.kind, event.subject))))?;
        let deliveries = self.settle(&accepted).await?;
        let arrived = by_id(receiver);
        tally.deliveries += deliveries.len();

        for webhook in webhooks {
            let wanted = webhook.wanted.requests_for(event.kind, &event.payload).is_some();
            let found = deliveries.iter().find(|(webhook_id, _)| *webhook_id == webhook.id);
            let problems = match found {
                Some((_, delivery)) if wanted => {
                    let report = Report { event, webhook, delivery, arrived: &arrived };
                    Page::print(report.show(self.page).trim_end_matches('\n'))?;
                    tally.requests += delivery.requests.len();
                    report.problems()
                }
                Some((_, delivery)) => vec![format!("there is a delivery that should not be: {}", delivery.id)],
                None if wanted => vec!["there is no delivery".to_owned()],
                None => Vec::new(),
            };
            let place = format!("{} to {}", event.kind, webhook.wanted.name);
            tally.problems.extend(problems.into_iter().map(|problem| format!("{place}: {problem}")));
        }
        Ok(())
    }

    /// Each delivery with its webhook's id, once none is open any more or the time is over.
    async fn settle(&self, accepted: &Accepted) -> Result<Vec<(String, Delivery)>, Failure> {
        loop {
            let mut deliveries = Vec::new();
            for accepted in &accepted.deliveries {
                deliveries.push((accepted.webhook_id.clone(), self.api.delivery(&accepted.id).await?));
            }
            let settled = deliveries.iter().all(|(_, delivery)| delivery.is_settled());
            if settled || Instant::now() >= self.deadline {
                return Ok(deliveries);
            }
            sleep(POLL).await;
        }
    }
}

fn by_id(receiver: &mut Receiver) -> Arrived {
    let mut arrived = Arrived::new();
    for received in receiver.take() {
        if let Some(id) = received.id().map(str::to_owned) {
            arrived.entry(id).or_default().push(received);
        }
    }
    arrived
}
