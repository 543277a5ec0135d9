//! How long pages take when a million deliveries are stored, and what a browser costs that has one open.

use std::{
    fmt, fs,
    time::{Duration, Instant},
};

use reqwest::{
    Client, Response,
    header::{ACCEPT, COOKIE, SET_COOKIE},
};
use serde::Serialize;
use serde_json::json;
use tokio::time::sleep;

use super::{
    Failure,
    database::Database,
    process::Process,
    row::{Row, Store, with_pages},
    setting::Setting,
    stock::Stock,
    subject::{ADMIN_TOKEN, start_server},
};
use crate::api::Api;

/// How often each page is asked for; the first few answers are not counted.
const TIMES: usize = 25;
const FIRST: usize = 3;
/// Event streams that are open at once.
const STREAMS: u64 = 400;
/// How many of them a caller has open; a server allows each so and so many.
const STREAMS_EACH: u64 = 20;
/// How long the server may take to settle after they are opened.
const SETTLE: Duration = Duration::from_secs(2);
const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery";

/// What was measured on one database.
#[derive(Debug, Serialize)]
pub(super) struct Pages {
    store: Store,
    deliveries: u64,
    figures: Vec<PageFigures>,
    streams: u64,
    bytes_per_stream: f64,
}

/// One page.
#[derive(Debug, Serialize)]
struct PageFigures {
    path: String,
    median_us: u64,
    max_us: u64,
    bytes: usize,
}

/// Somebody who has signed in.
struct Visitor {
    client: Client,
    server: String,
    cookie: String,
}

impl Visitor {
    async fn arrive(server: &str, api: &Api) -> Result<Self, Failure> {
        let first = json!({ "email": EMAIL, "name": "Ada", "password": PASSWORD });
        api.post("/setup", &first).await.expect("the first user");
        let client = Client::builder().no_proxy().pool_max_idle_per_host(1).build()?;
        let login = json!({ "email": EMAIL, "password": PASSWORD });
        let answer = client.post(format!("{server}/api/v1/sessions")).json(&login).send().await?.error_for_status()?;
        let cookie = answer.headers().get(SET_COOKIE).ok_or("no cookie")?.to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(Self { client, server: server.to_owned(), cookie })
    }

    async fn get(&self, path: &str) -> Result<Response, Failure> {
        let request =
            self.client.get(format!("{}{path}", self.server)).header(COOKIE, &self.cookie).header(ACCEPT, "text/html");
        Ok(request.send().await?.error_for_status()?)
    }

    async fn time(&self, path: String) -> Result<PageFigures, Failure> {
        let (mut times, mut bytes) = (Vec::new(), 0);
        for turn in 0..TIMES + FIRST {
            let begun = Instant::now();
            bytes = self.get(&path).await?.bytes().await?.len();
            if turn >= FIRST {
                times.push(u64::try_from(begun.elapsed().as_micros())?);
            }
        }
        times.sort_unstable();
        Ok(PageFigures { path, median_us: times[times.len() / 2], max_us: times[times.len() - 1], bytes })
    }
}

impl Pages {
    pub(super) async fn measure(setting: &Setting) -> Result<Vec<Self>, Failure> {
        let mut measured = Vec::new();
        for store in [Store::Sqlite, Store::Postgres] {
            let row = with_pages(store);
            let stock = Stock::make(&row, setting).await?.ok_or("something is stored")?;
            measured.push(Self::on(&row, &stock, setting).await?);
            stock.remove().await?;
        }
        Ok(measured)
    }

    async fn on(row: &Row, stock: &Stock, setting: &Setting) -> Result<Self, Failure> {
        let folder = setting.programs.working_folder("pages-")?;
        stock.copy_into(folder.path())?;
        let database = match &stock.database {
            Some(template) => Some(Database::create(Some(template)).await?),
            None => None,
        };
        let server = start_server(database.as_ref(), false, &setting.programs, folder.path()).await?;
        let token = fs::read_to_string(folder.path().join(ADMIN_TOKEN))?;
        let api = Api::new(server.url(), Some(token.trim()));
        let visitor = Visitor::arrive(server.url(), &api).await?;
        let mut figures = Vec::new();
        for path in paths(&api).await {
            figures.push(visitor.time(path).await?);
        }
        let bytes_per_stream = streams(&api, &server).await?;
        server.end().await?;
        if let Some(database) = database {
            database.remove().await?;
        }
        Ok(Self { store: row.store, deliveries: row.stored, figures, streams: STREAMS, bytes_per_stream })
    }
}

/// Lists, lists that are filtered, and one of each thing.
async fn paths(api: &Api) -> Vec<String> {
    let first = async |list: &str| {
        let found = api.get(&format!("{list}?limit=1")).await.expect("a list");
        found.items().first().and_then(|item| item["id"].as_str()).map(str::to_owned)
    };
    let mut paths: Vec<String> = [
        "/",
        "/webhooks",
        "/webhooks/new",
        "/deliveries",
        "/deliveries?status=succeeded",
        "/deliveries?status=failed",
        "/deliveries?event_type=ticket.updated",
        "/events",
        "/events/new",
        "/plugins",
        "/event-types",
        "/projects",
        "/users",
        "/roles",
        "/tokens",
        "/audit",
        "/settings",
        "/jobs",
        "/account",
    ]
    .map(str::to_owned)
    .into();
    for list in ["/webhooks", "/deliveries", "/events"] {
        if let Some(id) = first(list).await {
            paths.push(format!("{list}/{id}"));
            if list == "/webhooks" {
                paths.extend([format!("/webhooks/{id}/edit"), format!("/deliveries?webhook_id={id}")]);
            }
        }
    }
    paths
}

/// Opens many event streams and says what each costs the server.
async fn streams(api: &Api, server: &Process) -> Result<f64, Failure> {
    let mut listeners = Vec::new();
    for _ in 0..STREAMS / STREAMS_EACH {
        listeners.push(api.allowed(&["deliveries:read"]).await);
    }
    let url = format!("{}/api/v1/live", server.url());
    let before = server.resident_bytes()?;
    let mut open = Vec::new();
    for listener in listeners.iter().cycle().take(usize::try_from(STREAMS)?) {
        // A connection of its own each, as browsers have.
        let client = Client::builder().no_proxy().http1_only().build()?;
        let answer = client.get(&url).bearer_auth(listener.token()).send().await?.error_for_status()?;
        open.push(answer);
    }
    sleep(SETTLE).await;
    let after = server.resident_bytes()?;
    drop(open);
    let grown = u32::try_from(after.saturating_sub(before))?;
    Ok(f64::from(grown) / f64::from(u32::try_from(STREAMS)?))
}

impl fmt::Display for Pages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = match self.store {
            Store::Postgres => "PostgreSQL",
            _ => "SQLite",
        };
        writeln!(formatter, "pages with {} deliveries stored on {store}", self.deliveries)?;
        let ms = |us: u64| format!("{}.{} ms", us / 1000, us % 1000 / 100);
        for PageFigures { path, median_us, max_us, bytes } in &self.figures {
            writeln!(
                formatter,
                "  {:>9} median {:>9} at most {:>7} bytes  {path}",
                ms(*median_us),
                ms(*max_us),
                bytes
            )?;
        }
        writeln!(
            formatter,
            "  an open event stream costs {:.1} kB ({} of them)",
            self.bytes_per_stream / 1000.0,
            self.streams
        )
    }
}
