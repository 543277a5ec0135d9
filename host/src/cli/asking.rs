//! What the commands that ask a server have in common.

use std::io::{IsTerminal as _, Write as _};

use serde_json::{Value, json};

use super::Failure;
use super::client::{Client, Connection, with_query};
use super::ink::Pen;
use super::table::{Column, fields, table};

/// Most that the API gives in one page.
const PAGE_MAX: u64 = 200;

/// Which server is asked, and how its answer is shown.
#[derive(Debug, clap::Args)]
pub(super) struct Asking {
    /// As JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) connection: Connection,
}

impl Asking {
    pub(super) fn open(&self) -> Result<Client, Failure> {
        self.connection.open()
    }

    /// Shows an answer: all of it as JSON, or what people want to know.
    pub(super) fn show(&self, answer: &Value, for_people: impl FnOnce(Pen, &Value) -> String) -> Result<(), Failure> {
        if self.json {
            print(&serde_json::to_string_pretty(answer)?)
        } else {
            print(&for_people(Pen::for_stdout(), answer))
        }
    }

    /// Shows all fields of one thing.
    pub(super) fn show_fields(&self, answer: &Value) -> Result<(), Failure> {
        self.show(answer, fields)
    }

    /// Says in a line what was done; programs get what is there now.
    pub(super) fn done(&self, answer: &Value, told: &str) -> Result<(), Failure> {
        self.show(answer, |_, _| told.to_owned())
    }
}

/// A line, at once. Whoever reads may have gone away, as `head` does: that ends the command, and is no mistake.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => Ok(written?),
    }
}

/// How much of a list is wanted.
#[derive(Debug, clap::Args)]
pub(super) struct Paging {
    /// At most so many, newest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// All there are
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Go on where a list ended that had more
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

/// Parameters of a list.
pub(super) type Parameters<'a> = Vec<(&'a str, Option<String>)>;

impl Paging {
    /// As much of a list as is wanted, from as many pages as that takes.
    pub(super) async fn read(
        &self,
        client: &Client,
        path: &str,
        parameters: &Parameters<'_>,
    ) -> Result<Value, Failure> {
        let most = if self.all { u64::MAX } else { self.limit };
        let (mut items, mut cursor) = (Vec::new(), self.cursor.clone());
        let progress = Progress::new();
        loop {
            let left = most - items.len() as u64;
            let own = [("limit", Some(left.min(PAGE_MAX).to_string())), ("cursor", cursor)];
            let mut page: Value = client.get(&with_query(path, parameters.iter().cloned().chain(own))).await?;
            items.extend(page["items"].as_array_mut().map(std::mem::take).unwrap_or_default());
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            // A page of the log may be empty and have another one after it.
            if cursor.is_none() || items.len() as u64 >= most {
                progress.end();
                return Ok(json!({ "items": items, "next_cursor": cursor }));
            }
            progress.tell(&format!("{} so far", items.len()));
        }
    }

    /// Shows a list: all of it as JSON, or these columns.
    pub(super) async fn show(
        &self,
        asking: &Asking,
        path: &str,
        parameters: Parameters<'_>,
        columns: &[Column],
    ) -> Result<(), Failure> {
        show_list(asking.json, &self.read(&asking.open()?, path, &parameters).await?, columns)
    }
}

/// Shows a list: all of it as JSON, or these columns.
pub(super) fn show_list(as_json: bool, list: &Value, columns: &[Column]) -> Result<(), Failure> {
    if as_json {
        return print(&serde_json::to_string_pretty(list)?);
    }
    let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        eprintln!("there are none");
        return Ok(());
    }
    print(&table(Pen::for_stdout(), columns, items))?;
    if let Some(cursor) = list["next_cursor"].as_str() {
        eprintln!("there are more: --all, or --cursor {cursor}");
    }
    Ok(())
}

/// How far long work is, on stderr: one line that changes, if somebody watches.
#[derive(Debug)]
pub(super) struct Progress {
    is_watched: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { is_watched: std::io::stderr().is_terminal() }
    }

    pub(super) fn tell(&self, text: &str) {
        if self.is_watched {
            eprint!("\r\x1b[K{text}");
        }
    }

    pub(super) fn end(&self) {
        if self.is_watched {
            eprint!("\r\x1b[K");
        }
    }
}

/// A text field of an answer.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}
