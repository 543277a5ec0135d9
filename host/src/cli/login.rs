//! `hookwright login` and `hookwright profile …`: servers under names, so that they need not be told each time.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::Failure;
use super::asking::{print, show_list, text};
use super::client::{Client, Connection};
use super::input::secret_line;
use super::profiles::{Profile, Profiles, check_name, path};
use super::table::Column;

/// What a profile is called when nobody says.
const USUAL_NAME: &str = "default";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwright login --server https://hooks.example.com              # asks for the token
  hookwright login --profile prod --server https://hooks.example.com --token-file admin-token
  hookwright webhook list                                          # there, from now on")]
pub(super) struct LoginArgs {
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
pub(super) enum ProfileCommand {
    /// Note a server under a name, without asking it
    #[command(after_help = "Examples:
  hookwright profile add prod --server https://hooks.example.com --token-file admin-token
  hookwright profile add qa --server https://hooks.example.com --project qa < qa.token")]
    Add(AddArgs),
    /// The servers that are known, and which one is used
    #[command(after_help = "Examples:
  hookwright profile list
  hookwright profile list --json")]
    List(ListArgs),
    /// Use this server where none is named
    #[command(after_help = "Examples:
  hookwright profile use prod
  hookwright webhook list --profile qa      # another one, this once")]
    Use(NameArgs),
    /// Forget a server and its token; the token stays valid, `hookwright token revoke` ends it
    #[command(after_help = "Examples:
  hookwright profile remove qa")]
    Remove(NameArgs),
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// What to call it
    #[arg(value_name = "NAME", value_parser = check_name)]
    name: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct NameArgs {
    /// What it is called
    #[arg(value_name = "NAME", value_parser = check_name)]
    name: String,
}

/// The token that is given, or that somebody writes now.
fn token(connection: &Connection) -> Result<SecretString, Failure> {
    if let Some(token) = connection.given_token()? {
        return Ok(token);
    }
    let token = secret_line("the token")?;
    let token = SecretString::from(token.expose_secret().trim());
    if token.expose_secret().is_empty() { Err("a token is needed".into()) } else { Ok(token) }
}

fn note(name: &str, profile: Profile, is_current: bool) -> Result<(), Failure> {
    let path = path()?;
    let mut profiles = Profiles::load(&path)?;
    profiles.profiles.insert(name.to_owned(), profile);
    if is_current || profiles.current.is_none() {
        profiles.current = Some(name.to_owned());
    }
    profiles.save(&path)
}

pub(super) async fn login(args: &LoginArgs) -> Result<ExitCode, Failure> {
    let (name, project) = args.connection.names();
    let name = check_name(name.unwrap_or(USUAL_NAME)).map_err(|wrong| format!("--profile {wrong}"))?;
    let project = project.map(str::to_owned);
    let known = Profiles::load(&path()?)?.profiles.remove(&name).map(|profile| profile.url);
    let (url, token) = (args.connection.server(known)?, token(&args.connection)?);
    let me: Value = Client::new(&url, token.clone(), project.clone())?.get("/me").await?;
    note(&name, Profile { url: url.clone(), token, project }, true)?;
    print(&format!("{name}: {url} as {} ({})", text(&me, "name"), text(&me, "kind")))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn run(command: &ProfileCommand) -> Result<ExitCode, Failure> {
    match command {
        ProfileCommand::Add(args) => {
            let (_, project) = args.connection.names();
            let (url, token) = (args.connection.server(None)?, token(&args.connection)?);
            note(&args.name, Profile { url, token, project: project.map(str::to_owned) }, false)?;
            print(&format!("{} is noted", args.name))?;
        }
        ProfileCommand::List(args) => list(args)?,
        ProfileCommand::Use(args) => {
            let path = path()?;
            let mut profiles = Profiles::load(&path)?;
            let url = profiles.named(&args.name)?.url.clone();
            profiles.current = Some(args.name.clone());
            profiles.save(&path)?;
            print(&format!("{}: {url}", args.name))?;
        }
        ProfileCommand::Remove(args) => {
            let path = path()?;
            let mut profiles = Profiles::load(&path)?;
            profiles.named(&args.name)?;
            profiles.profiles.remove(&args.name);
            profiles.current = profiles.current.filter(|current| *current != args.name);
            profiles.save(&path)?;
            print(&format!("{} is forgotten; its token stays valid until it is revoked", args.name))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    const COLUMNS: [Column; 4] =
        [Column("NAME", "/name"), Column("URL", "/url"), Column("PROJECT", "/project"), Column("USED", "/current")];
    let profiles = Profiles::load(&path()?)?;
    let item = |(name, profile): (&String, &Profile)| {
        let is_current = profiles.current.as_ref() == Some(name);
        json!({ "name": name, "url": profile.url, "project": profile.project, "current": is_current })
    };
    let items: Vec<Value> = profiles.profiles.iter().map(item).collect();
    show_list(args.json, &json!({ "items": items }), &COLUMNS)
}
