//! Sent again, or given up: one, or many as a job.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Asking, Choice, path, told};
use crate::cli::Failure;
use crate::cli::settling::{Settling, show_job};

#[derive(Debug, Args)]
pub(in crate::cli) struct RetryArgs {
    /// The delivery
    #[arg(value_name = "DELIVERY")]
    id: String,
    /// Only this request of it; may be given several times
    #[arg(long = "request", value_name = "REQUEST")]
    requests: Vec<String>,
    /// Also what has arrived
    #[arg(long, requires = "requests")]
    include_succeeded: bool,
    #[command(flatten)]
    settling: Settling,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ManyArgs {
    #[command(flatten)]
    choice: Choice,
    /// Only say how many there are
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    #[command(flatten)]
    settling: Settling,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CancelArgs {
    /// The delivery [default: many, as they are chosen]
    #[arg(value_name = "DELIVERY")]
    id: Option<String>,
    /// Only this request of it; may be given several times
    #[arg(long = "request", value_name = "REQUEST", requires = "id")]
    requests: Vec<String>,
    /// Why
    #[arg(long, requires = "id")]
    reason: Option<String>,
    #[command(flatten)]
    many: ManyArgs,
}

pub(super) async fn retry(args: &RetryArgs) -> Result<ExitCode, Failure> {
    let client = args.asking.open()?;
    let form = json!({ "requests": args.requests, "include_succeeded": args.include_succeeded });
    let delivery: Value = client.post(&path(&["deliveries", &args.id, "retry"]), &form).await?;
    match args.settling.wait(&client, std::slice::from_ref(&args.id)).await? {
        None => {
            args.asking.done(&delivery, &format!("{} is sent again; --wait shows what comes of it", args.id))?;
            Ok(ExitCode::SUCCESS)
        }
        Some(settled) => {
            args.asking.show(&settled.deliveries[0], told)?;
            Ok(settled.exit_code())
        }
    }
}

impl ManyArgs {
    async fn begin(&self, address: &str) -> Result<ExitCode, Failure> {
        let mut form = self.choice.form();
        form.insert("dry_run".to_owned(), json!(self.dry_run));
        let client = self.asking.open()?;
        let job: Value = client.post(address, &Value::Object(form)).await?;
        let job = self.settling.wait_for_job(&client, job).await?;
        show_job(&self.asking, &job)?;
        Ok(self.settling.exit_code_of_job(&job))
    }
}

pub(super) async fn resend(args: &ManyArgs) -> Result<ExitCode, Failure> {
    args.begin("/deliveries/resend").await
}

pub(super) async fn cancel(args: &CancelArgs) -> Result<ExitCode, Failure> {
    let Some(id) = &args.id else {
        return args.many.begin("/deliveries/cancel").await;
    };
    if !args.many.choice.is_empty() || args.many.dry_run {
        return Err("a delivery is named, or many are chosen, not both".into());
    }
    let mut form = Map::from_iter([("requests".to_owned(), json!(args.requests))]);
    form.extend(args.reason.clone().map(|reason| ("reason".to_owned(), Value::from(reason))));
    let address = path(&["deliveries", id, "cancel"]);
    let delivery: Value = args.many.asking.open()?.post(&address, &Value::Object(form)).await?;
    args.many.asking.done(&delivery, &format!("{id} is given up"))?;
    Ok(ExitCode::SUCCESS)
}
