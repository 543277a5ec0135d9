//! The demo itself: set up, post, wait, show.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Failure;
use super::api::{Accepted, Api, Delivery, Plugin};
use super::columns::side_by_side;
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
        Page::print(&format!("  receiver   {}  plays the tools: it checks and answers as they do", receiver.url))?;

        let mut ready = Vec::new();
        for plugin in plugins {
            ready.push(guide.upload(plugin).await?);
        }
        let mut webhooks = Vec::new();
        for wanted in webhooks::all() {
            webhooks.push(guide.register(wanted, &receiver.url, &ready).await?);
        }

        let mut tally = Tally::default();
        for event in &events::all() {
            guide.post_and_show(event, &webhooks, receiver, &mut tally).await?;
        }
        let Tally { deliveries, requests, skipped, exactly, problems } = tally;
        Page::print(&format!("\n{}\n", page.rule("The first request to each tool, as it arrived")))?;
        Page::print(exactly.join("\n").trim_end_matches('\n'))?;
        Page::print(&format!("\n{}\n", page.rule("Result")))?;
        if problems.is_empty() {
            let skipped = if skipped > 0 { format!(" ({skipped} skipped, as it should be)") } else { String::new() };
            let all = format!(
                "{deliveries} deliveries{skipped}, {requests} requests: all arrived, verified, and were accepted"
            );
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
    skipped: usize,
    /// The first request to each tool, for whoever wants to see it.
    exactly: Vec<String>,
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
        let name = self.page.ink(Ink::Name, &format!("{:<15}", wanted.name));
        let events = wanted.events.join(", ");
        Page::print(&format!("  webhook    {name} {events:<41} → {}", wanted.path))?;
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
        Page::print(&format!("\n{}\n", self.page.rule(&format!("{}  {}", event.kind, event.subject))))?;
        let deliveries = self.settle(&accepted).await?;
        let arrived = by_id(receiver);
        tally.deliveries += deliveries.len();
        tally.requests += deliveries.iter().map(|(_, delivery)| delivery.requests.len()).sum::<usize>();
        tally.skipped += deliveries.iter().filter(|(_, delivery)| delivery.requests.is_empty()).count();

        let delivery = |webhook: &Registered| deliveries.iter().find(|(id, _)| *id == webhook.id).map(|(_, it)| it);
        let reports: Vec<Report<'_>> = webhooks
            .iter()
            .map(|webhook| Report { event, webhook, delivery: delivery(webhook), arrived: &arrived })
            .collect();
        let tools: Vec<_> =
            reports.iter().filter_map(|report| Some((report, report.webhook.wanted.tool.as_ref()?))).collect();
        let columns: Vec<_> = tools.iter().map(|(report, tool)| report.column(tool, tools.len())).collect();
        Page::print(&side_by_side(self.page, &columns))?;
        let others = reports.iter().filter(|report| report.webhook.wanted.tool.is_none());
        let lines: Vec<String> = others.filter_map(|report| report.line(self.page)).collect();
        Page::print(&format!("\n{}", lines.join("\n")))?;
        if tally.exactly.is_empty() {
            tally.exactly = tools.iter().filter_map(|(report, _)| report.exactly(self.page)).collect();
        }
        for report in reports {
            let place = format!("{} to {}", event.kind, report.webhook.wanted.name);
            tally.problems.extend(report.problems().into_iter().map(|problem| format!("{place}: {problem}")));
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
