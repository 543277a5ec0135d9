//! People, looked after through a server.

use std::process::ExitCode;

use clap::Args;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use super::{CreateArgs, DisableArgs, ListArgs, PasswordArgs, UserCommand, password, show};
use crate::cli::Failure;
use crate::cli::asking::{print, show_list, text};
use crate::cli::client::{Address, Client, path, with_query};
use crate::cli::ink::Pen;
use crate::cli::table::{Column, fields};
use crate::domain::id::ProjectId;

#[derive(Debug, Args)]
pub(in crate::cli) struct OneArgs {
    /// The address to log in with, or the user's id
    #[arg(value_name = "USER")]
    user: String,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    address: Address,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct EditArgs {
    /// The address to log in with, or the user's id
    #[arg(value_name = "USER")]
    user: String,
    /// Another address to log in with
    #[arg(long)]
    email: Option<String>,
    /// What the person is called
    #[arg(long)]
    name: Option<String>,
    /// All that they do from now on; may be given several times
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// In which project they do it; in all when none is given
    #[arg(long, value_name = "ID", requires = "role")]
    in_project: Option<ProjectId>,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    address: Address,
}

pub(super) async fn run(command: &UserCommand) -> Result<ExitCode, Failure> {
    match command {
        UserCommand::Create(args) => create(args).await?,
        UserCommand::List(args) => list(args).await?,
        UserCommand::Password(args) => change_password(args).await?,
        UserCommand::Disable(args) => disable(args).await?,
        UserCommand::Show(args) => {
            let client = args.address.open_anywhere()?;
            told(args.json, &found(&client, &args.user).await?)?;
        }
        UserCommand::Edit(args) => edit(args).await?,
        UserCommand::Delete(args) => {
            let client = args.address.open_anywhere()?;
            let user = found(&client, &args.user).await?;
            client.delete(&of(&user)).await?;
            let done = json!({ "id": user["id"], "deleted": true });
            if args.json { print(&done.to_string())? } else { print(&format!("{} is removed", text(&user, "email")))? }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn of(user: &Value) -> String {
    path(&["users", text(user, "id")])
}

/// Who has this id, or logs in with this address.
async fn found(client: &Client, user: &str) -> Result<Value, Failure> {
    if !user.contains('@') {
        return client.get(&path(&["users", user])).await;
    }
    let users: Value = client.get(&with_query("/users", [("email", Some(user.to_owned()))])).await?;
    users["items"].get(0).cloned().ok_or_else(|| format!("there is no user {user}").into())
}

fn told(as_json: bool, user: &Value) -> Result<(), Failure> {
    print(&if as_json { serde_json::to_string_pretty(user)? } else { fields(Pen::for_stdout(), user) })
}

fn roles(roles: &[String], project: Option<ProjectId>) -> Value {
    let role = |role: &String| match project {
        Some(project) => json!({ "role": role, "project": project }),
        None => json!({ "role": role }),
    };
    roles.iter().map(role).collect()
}

async fn create(args: &CreateArgs) -> Result<(), Failure> {
    let client = args.way.address.open_anywhere()?;
    let (password, is_new) = password(args.password_stdin)?;
    let form = json!({
        "email": args.email, "name": args.name, "roles": roles(&args.role, args.project),
        "password": password.expose_secret(),
    });
    let user: Value = client.post("/users", &form).await?;
    print(&format!("{} {}", text(&user, "id"), text(&user, "email")))?;
    show(&password, is_new);
    Ok(())
}

async fn list(args: &ListArgs) -> Result<(), Failure> {
    const COLUMNS: [Column; 5] = [
        Column("ID", "/id"),
        Column("EMAIL", "/email"),
        Column("NAME", "/name"),
        Column("ENABLED", "/enabled"),
        Column("ROLES", "/roles"),
    ];
    let client = args.way.address.open_anywhere()?;
    let (mut items, mut cursor) = (Vec::new(), None);
    loop {
        let mut page: Value =
            client.get(&with_query("/users", [("limit", Some("200".to_owned())), ("cursor", cursor)])).await?;
        items.extend(page["items"].as_array_mut().map(std::mem::take).unwrap_or_default());
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    // A line for each, as beside the database.
    if args.json {
        return items.iter().try_for_each(|user| print(&user.to_string()));
    }
    show_list(false, &json!({ "items": items }), &COLUMNS)
}

async fn change_password(args: &PasswordArgs) -> Result<(), Failure> {
    let client = args.way.address.open_anywhere()?;
    let user = found(&client, &args.email).await?;
    let (password, is_new) = password(args.password_stdin)?;
    let _: Value = client.patch(&of(&user), &json!({ "password": password.expose_secret() })).await?;
    print(&format!("{} has another password", text(&user, "email")))?;
    show(&password, is_new);
    Ok(())
}

async fn disable(args: &DisableArgs) -> Result<(), Failure> {
    let client = args.way.address.open_anywhere()?;
    let user = found(&client, &args.email).await?;
    let _: Value = client.patch(&of(&user), &json!({ "enabled": args.undo })).await?;
    print(&format!("{} {}", text(&user, "email"), if args.undo { "may log in again" } else { "is disabled" }))
}

async fn edit(args: &EditArgs) -> Result<(), Failure> {
    let client = args.address.open_anywhere()?;
    let fields = [
        ("email", args.email.clone().map(Value::from)),
        ("name", args.name.clone().map(Value::from)),
        ("roles", (!args.role.is_empty()).then(|| roles(&args.role, args.in_project))),
    ];
    let change: Map<String, Value> =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    if change.is_empty() {
        return Err("there is nothing to change; --help shows what can be".into());
    }
    let user = found(&client, &args.user).await?;
    let changed: Value = client.patch(&of(&user), &Value::Object(change)).await?;
    told(args.json, &changed)
}
