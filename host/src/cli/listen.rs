//! `hookwright listen`: events on a developer's machine, which no server can reach.
//!
//! A temporary webhook is made whose requests are signed and recorded, but not sent. They are read from its log of deliveries
//! and sent from here: the same bytes, the same headers. The webhook goes when the command ends, and by itself when it does not
//! get to that.

mod forward;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use url::Url;

use self::forward::{Forwarded, Forwarder, local};
use super::Failure;
use super::asking::{Asking, print, text};
use super::client::{CallError, Client, path};
use super::following::Following;
use super::ink::{Ink, Pen, clean};
use super::input::{duration_ms, secret_of};
use super::webhook::plugin_form;
use crate::domain::signature::SigningSecret;
use crate::lifecycle;

/// How often new deliveries are asked for.
const LOOK: Duration = Duration::from_millis(300);
/// How long the webhook lasts, in milliseconds, unless it is said that it goes on, and how often that is said.
const LASTS_MS: u64 = 10 * 60 * 1000;
const RENEW: Duration = Duration::from_mins(3);
/// Requests on their way at once.
const AT_ONCE: usize = 16;
/// Requests that are remembered to have been forwarded.
const REMEMBERED: usize = 10_000;
/// How long the end of the webhook may take.
const GOODBYE: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwright listen --forward-to http://localhost:3000
  hookwright listen --forward-to http://localhost:3000/hooks --event 'ticket.*' --event story.created
  hookwright listen --forward-to http://localhost:3000 --plugin slack@0.2.0   # as the plugin would send it
  hookwright listen --forward-to http://localhost:3000 --json | jq 'select(.status != 200)'

Then, in another terminal: hookwright event send ticket.created --file ticket.json")]
pub(super) struct ListenArgs {
    /// Where requests go, from this machine
    #[arg(long, value_name = "URL", value_parser = local)]
    forward_to: Url,
    /// Which events: a type or a pattern such as ticket.*; may be given several times [default: *]
    #[arg(long = "event", value_name = "PATTERN")]
    events: Vec<String>,
    /// Which of those events after all: an expression, see docs/FILTERS.md
    #[arg(long, value_name = "EXPRESSION")]
    filter: Option<String>,
    /// What events pass through
    #[arg(long, value_name = "NAME@VERSION")]
    plugin: Option<String>,
    /// A file with the plugin's configuration: JSON
    #[arg(long, value_name = "FILE", requires = "plugin")]
    plugin_config: Option<String>,
    /// A secret of the plugin, in a file; requests that are forwarded hold its name in its place
    #[arg(long, value_name = "NAME=FILE", value_parser = super::input::pair, requires = "plugin")]
    secret: Vec<(String, String)>,
    /// json, or form as GitHub sends it
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// standard, or raw: the payload as it was posted
    #[arg(long)]
    envelope: Option<String>,
    /// Sign as GitHub does, too
    #[arg(long)]
    github_signature: bool,
    /// A file with the signing secret [default: a new one, which is shown]
    #[arg(long, value_name = "FILE")]
    signing_secret_file: Option<String>,
    /// How long an answer is waited for
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, default_value = "30s")]
    timeout: u64,
    #[command(flatten)]
    asking: Asking,
}

impl ListenArgs {
    /// The temporary webhook, as the API takes it.
    fn form(&self) -> Result<Value, Failure> {
        let events = if self.events.is_empty() { json!(["*"]) } else { json!(self.events) };
        let secret = self.signing_secret_file.as_deref().map(secret_of).transpose()?;
        let fields = [
            (
                "name",
                Some(Value::from(format!("hookwright listen, for {}", self.forward_to.origin().ascii_serialization()))),
            ),
            ("url", Some(Value::from(self.forward_to.origin().ascii_serialization()))),
            ("listener", Some(json!(true))),
            ("expires_in_ms", Some(json!(LASTS_MS))),
            ("events", Some(events)),
            ("filter", self.filter.clone().map(Value::from)),
            ("content_type", self.content_type.clone().map(Value::from)),
            ("envelope", self.envelope.clone().map(Value::from)),
            ("github_signature", self.github_signature.then_some(json!(true))),
            ("signing_secret", secret.map(Value::from)),
            ("plugin", plugin_form(self.plugin.as_deref(), self.plugin_config.as_deref(), &self.secret)?),
        ];
        let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok(Value::Object(given.collect::<Map<String, Value>>()))
    }
}

/// What is listened to.
struct Listener<'a> {
    client: &'a Client,
    args: &'a ListenArgs,
    pen: Pen,
    webhook: String,
    forwarder: Forwarder,
    /// How many attempts of each request were forwarded; ids sort by time.
    done: BTreeMap<String, u64>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    forwarded: usize,
    failed: usize,
}

pub(super) async fn run(args: &ListenArgs) -> Result<ExitCode, Failure> {
    let client = args.asking.open()?;
    // Heard from now on: whoever interrupts does not leave a webhook behind.
    let stop = lifecycle::stop_signal()?;
    let webhook: Value = client.post("/webhooks", &args.form()?).await?;
    let (id, secret) = (text(&webhook, "id").to_owned(), text(&webhook, "signing_secret"));
    let forwarder = Forwarder::new(
        args.forward_to.clone(),
        SigningSecret::parse(secret).map_err(|error| error.to_string())?,
        Duration::from_millis(args.timeout),
    )?;
    let mut listener = Listener {
        client: &client,
        args,
        pen: Pen::for_stdout(),
        webhook: path(&["webhooks", &id]),
        forwarder,
        done: BTreeMap::new(),
        counts: Counts::default(),
    };
    let listened = tokio::select! {
        listened = listener.listen(&id, secret) => listened,
        () = stop.cancelled() => Ok(()),
    };
    let deleted = tokio::time::timeout(GOODBYE, client.delete(&listener.webhook)).await;
    let is_gone = match deleted {
        Ok(Ok(())) => true,
        Ok(Err(error)) => CallError::is_status(&error, 404),
        Err(_) => false,
    };
    let Counts { forwarded, failed } = listener.counts;
    let left = if is_gone { "the webhook is gone" } else { "the webhook goes by itself within ten minutes" };
    eprintln!("{forwarded} forwarded, {failed} of them without success; {left}");
    listened.map(|()| ExitCode::SUCCESS)
}

impl Listener<'_> {
    fn say(&self, line: &Value, for_people: impl FnOnce(Pen) -> String) -> Result<(), Failure> {
        print(&if self.args.asking.json { line.to_string() } else { for_people(self.pen) })
    }

    async fn listen(&mut self, id: &str, secret: &str) -> Result<(), Failure> {
        let mut following = Following::new(format!("{}/deliveries", self.webhook), Vec::new());
        following.begin(self.client, 0).await?;
        let begun = json!({ "type": "listening", "webhook_id": id, "signing_secret": secret, "forward_to": self.args.forward_to });
        self.say(&begun, |pen| {
            let to = &self.args.forward_to;
            format!(
                "{} {id}, forwarding to {to}; Ctrl-C ends it\nsigning secret {secret}",
                pen.ink(Ink::Bold, "listening as")
            )
        })?;
        let mut on_their_way: JoinSet<Forwarded> = JoinSet::new();
        let mut renewed = Instant::now();
        loop {
            if renewed.elapsed() >= RENEW {
                self.renew().await?;
                renewed = Instant::now();
            }
            for delivery in following.next(self.client).await? {
                for (request, attempt, delivery) in self.news_of(&delivery).await? {
                    while on_their_way.len() >= AT_ONCE {
                        self.note(on_their_way.join_next().await)?;
                    }
                    let forwarder = self.forwarder.clone();
                    on_their_way.spawn(async move { forwarder.forward(&delivery, &request, &attempt).await });
                }
            }
            let pause = tokio::time::sleep(LOOK);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    Some(ended) = on_their_way.join_next() => self.note(Some(ended))?,
                }
            }
        }
    }

    /// Says that somebody still listens.
    async fn renew(&self) -> Result<(), Failure> {
        let renewed: Result<Value, Failure> =
            self.client.patch(&self.webhook, &json!({ "expires_in_ms": LASTS_MS })).await;
        match renewed {
            Err(error) if CallError::is_status(&error, 404) => Err("the webhook was deleted; listen again".into()),
            Err(error) if !CallError::is_passing(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Attempts of a delivery that were not forwarded yet; what there is to say of one that has none is said.
    async fn news_of(&mut self, summary: &Value) -> Result<Vec<(Value, Value, Value)>, Failure> {
        let id = text(summary, "id");
        if summary["requests_total"].as_u64() == Some(0) && !matches!(text(summary, "status"), "pending" | "retrying") {
            let line = json!({
                "type": "not_sent", "delivery_id": id, "event_id": summary["event_id"], "event_type": summary["event_type"],
                "status": summary["status"], "reason": summary["reason"],
            });
            self.say(&line, |pen| {
                let (status, reason) = (pen.state(text(summary, "status")), clean(text(summary, "reason")));
                format!("{} {id} {status}: {reason}", text(summary, "event_type"))
            })?;
            return Ok(Vec::new());
        }
        let delivery: Value = match self.client.get(&path(&["deliveries", id])).await {
            Err(error) if CallError::is_passing(&error) => return Ok(Vec::new()),
            read => read?,
        };
        let mut news = Vec::new();
        for request in delivery["requests"].as_array().into_iter().flatten() {
            let done = self.done.entry(text(request, "id").to_owned()).or_default();
            for attempt in request["attempts"].as_array().into_iter().flatten() {
                let number = attempt["number"].as_u64().unwrap_or(0);
                if number > *done {
                    *done = number;
                    news.push((request.clone(), attempt.clone(), summary.clone()));
                }
            }
        }
        while self.done.len() > REMEMBERED {
            self.done.pop_first();
        }
        Ok(news)
    }

    /// Tells what the developer's machine said.
    fn note(&mut self, ended: Option<Result<Forwarded, tokio::task::JoinError>>) -> Result<(), Failure> {
        let Some(Ok(forwarded)) = ended else { return Ok(()) };
        self.counts.forwarded += 1;
        self.counts.failed += usize::from(!forwarded.is_fine());
        self.say(&forwarded.json(), |pen| forwarded.line(pen))
    }
}
