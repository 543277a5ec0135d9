//! What people have a webhook do: a test, a trigger, another secret, an explanation.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Asking, of, text, with_secret};
use crate::cli::Failure;
use crate::cli::delivery::told;
use crate::cli::input::{duration_ms, json_of, secret_of};
use crate::cli::settling::exit_code_of;
use crate::cli::table::cell;

#[derive(Debug, Args)]
pub(in crate::cli) struct TestArgs {
    /// The webhook
    #[arg(value_name = "WEBHOOK")]
    id: String,
    /// The type of the test event [default: webhook.test]
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// A file with its payload: JSON; `-` is stdin
    #[arg(long, value_name = "FILE")]
    payload: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TriggerArgs {
    /// The webhook
    #[arg(value_name = "WEBHOOK")]
    id: String,
    /// The event that is sent [default: none, the body is empty]
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RotateArgs {
    /// The webhook
    #[arg(value_name = "WEBHOOK")]
    id: String,
    /// How long the old secrets sign too [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = duration_ms)]
    overlap: Option<u64>,
    /// A file with the secret, to bring one's own; `-` is stdin
    #[arg(long, value_name = "FILE")]
    signing_secret_file: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainArgs {
    /// The webhook
    #[arg(value_name = "WEBHOOK")]
    id: String,
    /// An event that is stored
    #[arg(long, value_name = "EVENT", required_unless_present = "kind")]
    event: Option<String>,
    /// The type of an event that is not
    #[arg(long = "type", value_name = "TYPE", id = "kind", conflicts_with = "event", requires = "payload")]
    kind: Option<String>,
    /// A file with its payload: JSON; `-` is stdin
    #[arg(long, value_name = "FILE", requires = "kind")]
    payload: Option<String>,
    /// What it is about
    #[arg(long, requires = "kind")]
    subject: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

/// What is given, by its name.
fn form<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let given: Map<String, Value> =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    Value::Object(given)
}

fn shown(asking: &Asking, delivery: &Value) -> Result<ExitCode, Failure> {
    asking.show(delivery, told)?;
    Ok(exit_code_of(delivery))
}

pub(super) async fn test(args: &TestArgs) -> Result<ExitCode, Failure> {
    let payload = args.payload.as_deref().map(json_of).transpose()?;
    let form = form([("type", args.kind.clone().map(Value::from)), ("payload", payload)]);
    let delivery: Value = args.asking.open()?.post(&format!("{}/test", of(&args.id)), &form).await?;
    shown(&args.asking, &delivery)
}

pub(super) async fn trigger(args: &TriggerArgs) -> Result<ExitCode, Failure> {
    let form = match &args.event {
        Some(event) => json!({ "mode": "event", "event_id": event }),
        None => json!({ "mode": "default" }),
    };
    let delivery: Value = args.asking.open()?.post(&format!("{}/trigger", of(&args.id)), &form).await?;
    shown(&args.asking, &delivery)
}

pub(super) async fn rotate(args: &RotateArgs) -> Result<(), Failure> {
    let secret = args.signing_secret_file.as_deref().map(secret_of).transpose()?.map(Value::from);
    let form = form([("overlap_ms", args.overlap.map(Value::from)), ("signing_secret", secret)]);
    let webhook: Value = args.asking.open()?.post(&format!("{}/rotate-secret", of(&args.id)), &form).await?;
    args.asking.show(&webhook, with_secret)
}

pub(super) async fn explain(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    let form = form([
        ("event_id", args.event.clone().map(Value::from)),
        ("type", args.kind.clone().map(Value::from)),
        ("payload", args.payload.as_deref().map(json_of).transpose()?),
        ("subject", args.subject.clone().map(Value::from)),
    ]);
    let explanation: Value = args.asking.open()?.post(&format!("{}/explain", of(&args.id)), &form).await?;
    args.asking.show(&explanation, |pen, explanation| {
        let is_wanted = explanation["matches"] == true;
        let head = pen.mark(is_wanted, if is_wanted { "it gets the event" } else { "it does not get the event" });
        let checks = explanation["checks"].as_array().into_iter().flatten().map(|check| {
            let told = format!("{}: {}", text(check, "check"), cell(check.get("detail")));
            format!("\n  {}", pen.mark(check["passed"] == true, &told))
        });
        let made = explanation["deliveries"].as_array().into_iter().flatten().map(|delivery| {
            format!(
                "\n{} {} {}",
                text(delivery, "id"),
                pen.state(text(delivery, "status")),
                cell(delivery.get("reason"))
            )
        });
        head + &checks.chain(made).collect::<String>()
    })?;
    Ok(ExitCode::SUCCESS)
}
