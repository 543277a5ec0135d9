//! `hookwright plugin logs`: run by run, and as they come.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::shown::hint;
use crate::cli::Failure;
use crate::cli::client::{Client, Connection};

/// How often new runs are asked for.
const LOOK: Duration = Duration::from_secs(1);
/// Deliveries that are asked for at once.
const PAGE: usize = 200;
/// Pages that are looked back over for runs that were not seen yet.
const PAGES_MAX: usize = 10;
/// Deliveries whose plugin has not run yet that are kept in mind.
const WAITING_MAX: usize = 100;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct LogsArgs {
    /// Runs for this webhook [default: for all]
    #[arg(value_name = "WEBHOOK")]
    webhook: Option<String>,
    /// Runs of this plugin
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// The last so many deliveries, at most 200
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(0..=200))]
    last: u16,
    /// Go on with those to come, until interrupted
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    connection: Connection,
    /// One line of JSON for each run
    #[arg(long)]
    json: bool,
}

/// What was told already, and what is to be.
#[derive(Default)]
struct Seen {
    /// Deliveries that were there before, up to this one.
    newest: String,
    /// Deliveries whose plugin has yet to run, or to run again, with the run that was told of.
    waiting: BTreeMap<String, String>,
}

pub(super) async fn run(args: &LogsArgs) -> Result<ExitCode, Failure> {
    let client = args.connection.open()?;
    let mut seen = Seen::default();
    let mut first = page(&client, args, usize::from(args.last.max(1)), None).await?.0;
    if args.last == 0 {
        seen.newest = first.first().map(|newest| text(newest, "id").to_owned()).unwrap_or_default();
        first.clear();
    }
    first.reverse();
    for delivery in &first {
        seen.note(args, delivery);
    }
    if !args.follow {
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        tokio::time::sleep(LOOK).await;
        for id in seen.waiting.keys().cloned().collect::<Vec<_>>() {
            let delivery: Value = client.get(&format!("/deliveries/{id}")).await?;
            seen.note(args, &delivery);
        }
        for delivery in newer(&client, args, &seen.newest).await? {
            seen.note(args, &delivery);
        }
    }
}

/// A page of deliveries, newest first, and where to go on.
async fn page(
    client: &Client,
    args: &LogsArgs,
    limit: usize,
    cursor: Option<&str>,
) -> Result<(Vec<Value>, Option<String>), Failure> {
    let parameter =
        |name: &str, value: Option<&str>| value.map_or_else(String::new, |value| format!("&{name}={value}"));
    let chosen = parameter("webhook_id", args.webhook.as_deref()) + &parameter("plugin", args.plugin.as_deref());
    let path = format!("/deliveries?limit={limit}{chosen}{}", parameter("cursor", cursor));
    let mut page: Value = client.get(&path).await?;
    let next = page["next_cursor"].as_str().map(str::to_owned);
    Ok((page["items"].as_array_mut().map(std::mem::take).unwrap_or_default(), next))
}

/// Deliveries that are newer than this one, oldest first.
async fn newer(client: &Client, args: &LogsArgs, newest: &str) -> Result<Vec<Value>, Failure> {
    let (mut found, mut cursor) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let (items, next) = page(client, args, PAGE, cursor.as_deref()).await?;
        // Ids sort by time.
        let (is_newer, count) = (|delivery: &Value| text(delivery, "id") > newest, items.len());
        let before = found.len();
        found.extend(items.into_iter().filter(is_newer));
        cursor = next;
        if cursor.is_none() || found.len() - before < count {
            break;
        }
    }
    found.reverse();
    Ok(found)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

impl Seen {
    /// Tells of a delivery's run if there is one that was not told of.
    fn note(&mut self, args: &LogsArgs, delivery: &Value) {
        let id = text(delivery, "id");
        if id > self.newest.as_str() {
            id.clone_into(&mut self.newest);
        }
        let (plugin, status) = (&delivery["plugin"], text(delivery, "status"));
        if plugin.is_null() {
            return;
        }
        // Two runs of a delivery differ at least in the time that they took.
        let run = format!("{} {}", plugin["cpu_us"], plugin["error"]);
        let is_told = self.waiting.remove(id).is_some_and(|told| told == run);
        let is_open = matches!(status, "pending" | "retrying") && delivery["requests_total"].as_u64() == Some(0);
        if is_open && self.waiting.len() < WAITING_MAX {
            self.waiting.insert(id.to_owned(), run);
        }
        if plugin["cpu_us"].is_null() || is_told {
            return;
        }
        if args.json {
            println!("{}", line_of_json(delivery));
        } else {
            println!("{}", lines(delivery).join("\n"));
        }
    }
}

fn line_of_json(delivery: &Value) -> Value {
    json!({
        "delivery_id": delivery["id"],
        "event_id": delivery["event_id"],
        "event_type": delivery["event_type"],
        "webhook_id": delivery["webhook_id"],
        "created_at": delivery["created_at"],
        "status": delivery["status"],
        "reason": delivery["reason"],
        "plugin": delivery["plugin"],
    })
}

fn lines(delivery: &Value) -> Vec<String> {
    let plugin = &delivery["plugin"];
    let percent = |used: &Value, allowed: Option<u64>| {
        let share = used.as_u64().zip(allowed).and_then(|(used, allowed)| (used * 100).checked_div(allowed));
        share.map_or_else(String::new, |share| format!(" ({share} %)"))
    };
    let limits = &plugin["limits"];
    let cpu = percent(&plugin["cpu_us"], limits["cpu_ms"].as_u64().map(|ms| ms * 1000));
    let memory = percent(&plugin["memory_bytes"], limits["memory_bytes"].as_u64());
    let mut told = vec![format!(
        "{} {} {} {} {} {}: {} us{cpu}, {} KiB{memory}",
        text(delivery, "created_at"),
        text(delivery, "id"),
        text(delivery, "event_type"),
        text(plugin, "name"),
        text(plugin, "version"),
        text(delivery, "status"),
        plugin["cpu_us"],
        plugin["memory_bytes"].as_u64().unwrap_or(0) / 1024,
    )];
    for line in plugin["logs"].as_array().into_iter().flatten() {
        told.push(format!("  {}: {}", text(line, "level"), text(line, "message")));
    }
    if let Some(dropped) = plugin["logs_dropped"].as_u64().filter(|dropped| *dropped > 0) {
        told.push(format!("  {dropped} lines more were dropped"));
    }
    let error = &plugin["error"];
    if error.is_null() {
        told.extend(delivery["reason"].as_str().map(|reason| format!("  {reason}")));
    } else {
        told.push(format!("  failed: {} ({})", text(error, "message"), text(error, "code")));
        told.push(format!("  hint: {}", hint(text(error, "code"), text(error, "message"))));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_with_its_log_its_limits_and_its_failure() {
        let delivery = json!({
            "id": "dlv_1", "event_type": "ticket.created", "status": "parked", "created_at": "2026-01-31T12:00:00.000Z",
            "requests_total": 0,
            "plugin": {
                "name": "slack", "version": "0.1.0", "cpu_us": 500, "memory_bytes": 1_048_576,
                "limits": { "cpu_ms": 50, "memory_bytes": 33_554_432 }, "logs_dropped": 2,
                "logs": [{ "level": "warn", "message": "no title" }],
                "error": { "code": "plugin.failed", "message": "no title" },
            },
        });
        let told = lines(&delivery);
        assert_eq!(
            told[0],
            "2026-01-31T12:00:00.000Z dlv_1 ticket.created slack 0.1.0 parked: 500 us (1 %), 1024 KiB (3 %)"
        );
        assert_eq!(
            told[1..4],
            ["  warn: no title", "  2 lines more were dropped", "  failed: no title (plugin.failed)"]
        );
        assert!(told[4].starts_with("  hint: "), "{told:?}");
    }
}
