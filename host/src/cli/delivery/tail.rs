//! Deliveries as they are made, and each time that they come further.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::{Asking, Choice};
use crate::cli::Failure;
use crate::cli::asking::{print, text};
use crate::cli::following::Following;
use crate::cli::ink::{Pen, clean};

/// How often new ones are asked for.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(in crate::cli) struct TailArgs {
    #[command(flatten)]
    choice: Choice,
    /// Begin with the last so many
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=100))]
    last: u16,
    #[command(flatten)]
    asking: Asking,
}

fn line(pen: Pen, delivery: &Value) -> String {
    let reason = delivery["reason"].as_str().map_or_else(String::new, |reason| format!(": {}", clean(reason)));
    let counts = match (delivery["requests_succeeded"].as_u64(), delivery["requests_total"].as_u64()) {
        (Some(succeeded), Some(total)) if total > 1 => format!(" {succeeded} of {total}"),
        _ => String::new(),
    };
    format!(
        "{} {} {} {} {}{counts}{reason}",
        text(delivery, "created_at"),
        text(delivery, "id"),
        text(delivery, "event_type"),
        text(delivery, "webhook_id"),
        pen.state(text(delivery, "status")),
    )
}

pub(super) async fn run(args: &TailArgs) -> Result<(), Failure> {
    let client = args.asking.open()?;
    let pen = Pen::for_stdout();
    let show = |delivery: &Value| print(&if args.asking.json { delivery.to_string() } else { line(pen, delivery) });
    let mut following = Following::new("/deliveries".to_owned(), args.choice.parameters());
    for delivery in following.begin(&client, usize::from(args.last)).await? {
        show(&delivery)?;
    }
    loop {
        tokio::time::sleep(LOOK).await;
        for delivery in following.next(&client).await? {
            show(&delivery)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_delivery_is_a_line() {
        let delivery = json!({
            "id": "dlv_1", "created_at": "2026-01-31T12:00:00.000Z", "event_type": "a.b", "webhook_id": "whk_1",
            "status": "failed", "requests_total": 4, "requests_succeeded": 3, "reason": "no\nmore",
        });
        let told = line(Pen::plain(), &delivery);
        assert_eq!(told, "2026-01-31T12:00:00.000Z dlv_1 a.b whk_1 failed 3 of 4: no more");
    }
}
