//! `hookwright user …`: people who may log in, looked after beside the database, or with `--api` through a server. The first is the
//! way back when nobody can log in any more; whoever can write to the database may do everything anyway.

mod remote;

use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::Failure;
use super::client::Address;
use super::input::secret_line;
use super::settings::StoreSettings;
use crate::app;
use crate::config::Config;
use crate::domain::account::{Membership, NAME_MAX_CHARS, User, checked_email};
use crate::domain::audit::{Actor, Entry, Origin, Target};
use crate::domain::clock::{Clock, Millis};
use crate::domain::entropy::Entropy;
use crate::domain::id::{AuditId, ProjectId, UserId};
use crate::domain::page::{Cursor, LIMIT_MAX, PageRequest};
use crate::domain::password::{self, PasswordHash};
use crate::store::{ChangedUser, Store, UserFilter};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Make a user, beside the database or through a server (--api)
    #[command(after_help = "Examples:
  hookwright user create --email ada@example.com --name Ada --role admin
  pass show hookwright | hookwright user create --email ada@example.com --name Ada --role viewer --password-stdin
  hookwright user create --email bob@example.com --name Bob --role developer --project prj_…
  hookwright user create --email eve@example.com --name Eve --role viewer --api")]
    Create(CreateArgs),
    /// Show who there is, beside the database or through a server (--api)
    #[command(after_help = "Examples:
  hookwright user list
  hookwright user list --json --database postgres://hookwright@db/hookwright
  hookwright user list --api --profile prod")]
    List(ListArgs),
    /// Give a user another password; all their sessions end
    #[command(after_help = "Examples:
  hookwright user password ada@example.com
  pass show hookwright | hookwright user password ada@example.com --password-stdin
  hookwright user password ada@example.com --api")]
    Password(PasswordArgs),
    /// Let a user do nothing any more; all their sessions end
    #[command(after_help = "Examples:
  hookwright user disable ada@example.com
  hookwright user disable ada@example.com --undo
  hookwright user disable ada@example.com --api --profile prod")]
    Disable(DisableArgs),
    /// One user, as a server knows them
    #[command(after_help = "Examples:
  hookwright user show ada@example.com
  hookwright user show usr_0199… --json")]
    Show(remote::OneArgs),
    /// Change a user's name, address or roles, through a server
    #[command(after_help = "Examples:
  hookwright user edit ada@example.com --name 'Ada Lovelace'
  hookwright user edit ada@example.com --role admin
  hookwright user edit ada@example.com --role developer --in-project prj_0199…")]
    Edit(remote::EditArgs),
    /// Remove a user, through a server; tokens that they made stay
    #[command(after_help = "Examples:
  hookwright user delete ada@example.com")]
    Delete(remote::OneArgs),
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// The address to log in with
    #[arg(long)]
    email: String,
    /// What the person is called
    #[arg(long)]
    name: String,
    /// What they do; may be given several times
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// In which project; in all when none is given
    #[arg(long, value_name = "ID")]
    project: Option<ProjectId>,
    /// Read the password from the first line of stdin instead of making one
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    way: Way,
    #[command(flatten)]
    settings: StoreSettings,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    way: Way,
    #[command(flatten)]
    settings: StoreSettings,
}

#[derive(Debug, Args)]
pub(super) struct PasswordArgs {
    /// The address to log in with
    email: String,
    /// Read the password from the first line of stdin instead of making one
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    way: Way,
    #[command(flatten)]
    settings: StoreSettings,
}

#[derive(Debug, Args)]
pub(super) struct DisableArgs {
    /// The address to log in with
    email: String,
    /// Let them in again
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    way: Way,
    #[command(flatten)]
    settings: StoreSettings,
}

/// Beside the database, or through a server.
#[derive(Debug, Args)]
struct Way {
    /// Through a server's API, as whoever the token is, instead of beside the database
    #[arg(long)]
    api: bool,
    #[command(flatten)]
    address: Address,
}

pub(super) async fn run(command: UserCommand) -> Result<ExitCode, Failure> {
    let (UserCommand::Create(CreateArgs { settings, way, .. })
    | UserCommand::List(ListArgs { settings, way, .. })
    | UserCommand::Password(PasswordArgs { settings, way, .. })
    | UserCommand::Disable(DisableArgs { settings, way, .. })) = &command
    else {
        return remote::run(&command).await;
    };
    if way.api {
        return remote::run(&command).await;
    }
    let config = settings.load()?;
    let store = app::open_store_beside(&config, &Entropy::System).await?;
    let done = match &command {
        UserCommand::Create(args) => create(&store, &config, args).await,
        UserCommand::List(args) => list(&store, args.json).await,
        UserCommand::Password(args) => change_password(&store, &config, args).await,
        UserCommand::Disable(args) => disable(&store, args).await,
        UserCommand::Show(_) | UserCommand::Edit(_) | UserCommand::Delete(_) => Ok(()),
    };
    store.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

fn entry(action: &'static str, id: UserId, now: Millis) -> Entry {
    Entry {
        id: AuditId::new(now, Entropy::System.id()),
        project: None,
        actor: Actor::system("command line"),
        origin: Origin::default(),
        action,
        target: Target::new("user", id),
        before: None,
        after: None,
    }
}

/// A password from stdin, or a new one, and whether it has to be shown.
fn password(from_stdin: bool) -> Result<(SecretString, bool), Failure> {
    if !from_stdin {
        let made = URL_SAFE_NO_PAD.encode(Entropy::System.bytes::<18>());
        return Ok((made.into(), true));
    }
    Ok((secret_line("the password")?, false))
}

fn hashed(config: &Config, password: &SecretString, user: &User) -> Result<PasswordHash, Failure> {
    password::check(password, config.accounts.password_min_chars, &user.email, &user.name)
        .map_err(|unfit| format!("the password: {unfit}"))?;
    Ok(PasswordHash::new(password, Entropy::System.bytes()))
}

fn show(password: &SecretString, is_new: bool) {
    if is_new {
        println!("password (shown once): {}", password.expose_secret());
    }
}

async fn create(store: &Store, config: &Config, args: &CreateArgs) -> Result<(), Failure> {
    let now = Clock::System.now();
    let email = checked_email(&args.email).map_err(|wrong| format!("--email {wrong}"))?;
    if !(1..=NAME_MAX_CHARS).contains(&args.name.chars().count()) {
        return Err(format!("--name is 1 to {NAME_MAX_CHARS} characters").into());
    }
    for role in &args.role {
        if store.role(role).await?.is_none() {
            let known: Vec<String> = store.roles().await?.into_iter().map(|role| role.name).collect();
            return Err(format!("there is no role `{role}`; there are {}", known.join(", ")).into());
        }
    }
    let membership = |role: &String| Membership { role: role.clone(), project: args.project };
    let user = User {
        id: UserId::new(now, Entropy::System.id()),
        email,
        name: args.name.clone(),
        memberships: args.role.iter().map(membership).collect(),
        has_password: true,
        disabled_at: None,
        last_login_at: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let (password, is_new) = password(args.password_stdin)?;
    let hash = hashed(config, &password, &user)?;
    let about = json!({ "email": &user.email, "name": &user.name, "roles": &user.memberships });
    let told = store.audited(entry("user.created", user.id, now).after(about));
    told.insert_user(&user, Some(&hash)).await.map_err(|error| match error {
        crate::store::StoreError::Constraint(_) => Failure::from(format!("{} is there already", user.email)),
        other => other.into(),
    })?;
    println!("{} {}", user.id, user.email);
    show(&password, is_new);
    Ok(())
}

async fn list(store: &Store, as_json: bool) -> Result<(), Failure> {
    let mut cursor = None;
    loop {
        let page = store.users(&UserFilter::default(), PageRequest { limit: LIMIT_MAX, cursor }).await?;
        for user in page.items {
            let is_enabled = user.disabled_at.is_none();
            if as_json {
                let line = json!({
                    "id": user.id, "email": user.email, "name": user.name, "roles": user.memberships,
                    "enabled": is_enabled, "has_password": user.has_password, "last_login_at": user.last_login_at,
                });
                println!("{line}");
                continue;
            }
            let role = |membership: &Membership| match membership.project {
                None => membership.role.clone(),
                Some(project) => format!("{} in {project}", membership.role),
            };
            let roles: Vec<String> = user.memberships.iter().map(role).collect();
            let state = if is_enabled { "" } else { " (disabled)" };
            println!("{} {} {}{state}: {}", user.id, user.email, user.name, roles.join(", "));
        }
        cursor = page.next_cursor.as_deref().and_then(Cursor::decode);
        if cursor.is_none() {
            return Ok(());
        }
    }
}

async fn find(store: &Store, email: &str) -> Result<User, Failure> {
    let email = checked_email(email)?;
    let found = store.user_called(&email).await?;
    Ok(found.ok_or_else(|| format!("there is no user {email}"))?.0)
}

async fn change_password(store: &Store, config: &Config, args: &PasswordArgs) -> Result<(), Failure> {
    let (now, user) = (Clock::System.now(), find(store, &args.email).await?);
    let (password, is_new) = password(args.password_stdin)?;
    let hash = hashed(config, &password, &user)?;
    let told = store.audited(entry("user.password_changed", user.id, now));
    if !told.set_password(user.id, &hash, None, now).await? {
        return Err("the user is gone".into());
    }
    println!("{} has another password", user.email);
    show(&password, is_new);
    Ok(())
}

async fn disable(store: &Store, args: &DisableArgs) -> Result<(), Failure> {
    let (now, current) = (Clock::System.now(), find(store, &args.email).await?);
    let changed = User {
        disabled_at: if args.undo { None } else { current.disabled_at.or(Some(now)) },
        version: current.version + 1,
        updated_at: now,
        ..current.clone()
    };
    let enabled = |user: &User| json!({ "enabled": user.disabled_at.is_none() });
    let told = entry("user.updated", current.id, now).change(enabled(&current), enabled(&changed));
    match store.audited(told).update_user(&changed, None, current.version).await? {
        ChangedUser::Yes => {}
        ChangedUser::Stale => return Err("somebody else has changed the user just now; try again".into()),
        ChangedUser::LastAdmin => {
            return Err("they are the last who can log in and look after users; make another admin first".into());
        }
    }
    println!("{} {}", changed.email, if args.undo { "may log in again" } else { "is disabled" });
    Ok(())
}
