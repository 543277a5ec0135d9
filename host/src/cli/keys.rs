//! `hookwright keys …`: keys that seal what is secret in the database, replaced beside running servers.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Failure;
use super::settings::StoreSettings;
use crate::app;
use crate::domain::entropy::Entropy;
use crate::store::Store;

/// Values that are sealed anew in one transaction: few, so that a server beside it hardly notices.
const STEP: u32 = 100;

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Show which keys there are, and how many values each has sealed
    #[command(after_help = "Examples:
  hookwright keys list
  hookwright keys list --json --database postgres://hookwright@db/hookwright")]
    List(ListArgs),
    /// Make a new key that seals from now on, and seal everything anew with it
    #[command(
        long_about = "Make a new key that seals from now on, and seal everything anew with it.

Servers go on meanwhile: they notice the new key by themselves. The old key stays in the key file until `hookwright keys \
prune`. If sealing anew is interrupted, `hookwright keys reseal` goes on with it. Keep a copy of the key file of before for as \
long as you keep copies of the database of before.

Several nodes have copies of the key file. None may meet a value that is sealed by a key it does not have, so give each the \
new key before it is used: `--prepare` first, copy the file, then rotate and copy it again.",
        after_help = "Examples:
  hookwright keys rotate && hookwright keys prune      # one server
  hookwright keys rotate --no-reseal                   # seal anew later, by `keys reseal`

Several nodes:
  hookwright keys rotate --prepare                     # on one; then copy the key file to all others
  hookwright keys rotate                               # on the same one; then copy the key file again
  hookwright keys reseal && hookwright keys prune      # what was sealed in between; then copy it once more"
    )]
    Rotate(RotateArgs),
    /// Seal everything anew that an older key has sealed; goes on where it was interrupted
    #[command(after_help = "Examples:
  hookwright keys reseal
  hookwright keys reseal --config /etc/hookwright.toml")]
    Reseal(StoreSettings),
    /// Take keys out of the key file that have sealed nothing that is left
    #[command(after_help = "Examples:
  hookwright keys prune
  hookwright keys list && hookwright keys prune")]
    Prune(StoreSettings),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: StoreSettings,
}

#[derive(Debug, Args)]
pub(super) struct RotateArgs {
    /// Only make the key: it opens, and does not seal before the next `keys rotate`
    #[arg(long, conflicts_with = "no_reseal")]
    prepare: bool,
    /// Leave what is sealed as it is: the old key is needed until `keys reseal`
    #[arg(long)]
    no_reseal: bool,
    #[command(flatten)]
    settings: StoreSettings,
}

pub(super) async fn run(command: KeysCommand) -> Result<ExitCode, Failure> {
    let (KeysCommand::List(ListArgs { settings, .. })
    | KeysCommand::Rotate(RotateArgs { settings, .. })
    | KeysCommand::Reseal(settings)
    | KeysCommand::Prune(settings)) = &command;
    let store = app::open_store_beside(&settings.load()?, &Entropy::System).await?;
    let done = match command {
        KeysCommand::List(args) => list(&store, args.json).await,
        KeysCommand::Rotate(args) => rotate(&store, &args).await,
        KeysCommand::Reseal(_) => reseal(&store).await,
        KeysCommand::Prune(_) => prune(&store).await,
    };
    store.close().await;
    done
}

/// What a key is for.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Use {
    /// It seals, and opens what it has sealed.
    Seals,
    /// It opens what it has sealed.
    Opens,
    /// It seals from the next rotation on.
    Prepared,
    /// It is not in the key file, and something was sealed by it.
    Missing,
}

#[derive(Debug, Serialize)]
struct KeyRow {
    id: u32,
    r#use: Use,
    /// How many values it has sealed.
    values: u64,
}

async fn rows(store: &Store) -> Result<Vec<KeyRow>, Failure> {
    let mut sealed = store.sealed_by().await?;
    let ids = store.keys().ids();
    let sealing = ids.first().copied().unwrap_or_default();
    let mut rows: Vec<_> = ids
        .into_iter()
        .map(|id| {
            let r#use = match id.cmp(&sealing) {
                std::cmp::Ordering::Equal => Use::Seals,
                std::cmp::Ordering::Less => Use::Opens,
                std::cmp::Ordering::Greater => Use::Prepared,
            };
            KeyRow { id, r#use, values: sealed.remove(&id).unwrap_or(0) }
        })
        .collect();
    rows.extend(sealed.into_iter().map(|(id, values)| KeyRow { id, r#use: Use::Missing, values }));
    Ok(rows)
}

async fn list(store: &Store, json: bool) -> Result<ExitCode, Failure> {
    let rows = rows(store).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("{:>10}  {:>10}  use", "key", "values");
    for KeyRow { id, r#use, values } in rows {
        let r#use = match r#use {
            Use::Seals => "seals",
            Use::Opens if values == 0 => "opens nothing that is left: `keys prune` takes it away",
            Use::Opens => "opens; `keys reseal` seals anew what it has sealed",
            Use::Prepared => "is prepared: seals from the next `keys rotate` on",
            Use::Missing => "IS NOT IN THE KEY FILE: what it has sealed cannot be opened",
        };
        println!("{id:>10}  {values:>10}  {use}");
    }
    Ok(ExitCode::SUCCESS)
}

async fn rotate(store: &Store, args: &RotateArgs) -> Result<ExitCode, Failure> {
    if args.prepare {
        let id = store.keys().prepare(&Entropy::System)?;
        println!(
            "key {id} is in the key file and opens; copy the file to every node, then run `hookwright keys rotate`"
        );
        return Ok(ExitCode::SUCCESS);
    }
    let id = store.keys().rotate(&Entropy::System)?;
    println!("key {id} seals from now on");
    if args.no_reseal {
        println!("what older keys have sealed stays as it is until `hookwright keys reseal`");
        return Ok(ExitCode::SUCCESS);
    }
    reseal(store).await
}

async fn reseal(store: &Store) -> Result<ExitCode, Failure> {
    let total: u64 =
        rows(store).await?.iter().filter(|row| !matches!(row.r#use, Use::Seals)).map(|row| row.values).sum();
    let (mut resealed, mut unreadable, mut after) = (0, Vec::new(), None);
    loop {
        let step = store.reseal(after, STEP, &Entropy::System).await?;
        resealed += step.resealed;
        unreadable.extend(step.unreadable);
        if std::io::stderr().is_terminal() {
            eprint!("\rsealed anew: {resealed} of {total}");
        }
        after = step.next;
        if after.is_none() {
            break;
        }
    }
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    println!("sealed anew: {resealed} of {total}");
    if unreadable.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let shown = unreadable.iter().take(10).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Err(format!("{} cannot be opened with any key of the key file, among them {shown}", unreadable.len()).into())
}

async fn prune(store: &Store) -> Result<ExitCode, Failure> {
    let gone = store.prune_keys().await?;
    let names = gone.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match gone.len() {
        0 => println!("no key was taken away"),
        1 => println!("key {names} was taken away"),
        _ => println!("keys {names} were taken away"),
    }
    for KeyRow { id, values, .. } in
        rows(store).await?.iter().filter(|row| matches!(row.r#use, Use::Opens) && row.values > 0)
    {
        println!("key {id} stays: it has sealed {values} values; `hookwright keys reseal` seals them anew");
    }
    Ok(ExitCode::SUCCESS)
}
