//! What a webhook's plugins remember, and what it was before.

use clap::Args;
use serde_json::json;

use super::{Asking, Column, Paging, of};
use crate::cli::Failure;
use crate::cli::client::with_query;

#[derive(Debug, Args)]
pub(in crate::cli) struct FactsArgs {
    /// The webhook
    #[arg(value_name = "WEBHOOK")]
    id: String,
    /// Only what is under this key
    #[arg(long)]
    key: Option<String>,
    /// Have its plugins forget it: the key, or everything
    #[arg(long)]
    erase: bool,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RevisionsArgs {
    /// The webhook
    #[arg(value_name = "WEBHOOK")]
    id: String,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    asking: Asking,
}

pub(super) async fn facts(args: &FactsArgs) -> Result<(), Failure> {
    let address = format!("{}/facts", of(&args.id));
    if args.erase {
        args.asking.open()?.delete(&with_query(&address, [("key", args.key.clone())])).await?;
        let what = args.key.as_deref().unwrap_or("everything");
        return args.asking.done(&json!({ "id": args.id, "erased": what }), &format!("{what} is forgotten"));
    }
    let columns = [
        Column("PLUGIN", "/plugin"),
        Column("KEY", "/key"),
        Column("UPDATED", "/updated_at"),
        Column("VALUE", "/value"),
    ];
    args.paging.show(&args.asking, &address, vec![("key", args.key.clone())], &columns).await
}

pub(super) async fn revisions(args: &RevisionsArgs) -> Result<(), Failure> {
    let columns = [
        Column("REVISION", "/revision"),
        Column("SINCE", "/created_at"),
        Column("CONTENT TYPE", "/content_type"),
        Column("ENVELOPE", "/envelope"),
        Column("PLUGIN", "/plugin/name"),
        Column("VERSION", "/plugin/version"),
    ];
    args.paging.show(&args.asking, &format!("{}/revisions", of(&args.id)), Vec::new(), &columns).await
}
