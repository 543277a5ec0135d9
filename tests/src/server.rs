//! The real `hookwright` binary as a child process with a folder of its own.

use std::{
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal};
use sqlx::Connection as _;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

use crate::{api::Api, example};

/// How long an upload is waited for, in milliseconds.
const UPLOAD_WAIT_MS: &str = "40000";
/// Generous, because a debug build starts next to other tests on a small machine.
const START: Duration = Duration::from_mins(1);
const END: Duration = Duration::from_secs(30);

type Log = Arc<Mutex<Vec<u8>>>;

/// What outlives a process: the folder, how to start, and everything that was logged.
#[derive(Debug)]
#[must_use]
pub struct Installation {
    folder: TempDir,
    networks: Vec<String>,
    /// Where things are stored, when that is not the folder.
    database: Option<String>,
    environment: Vec<(String, String)>,
    log: Log,
}

/// A running server. Killed when dropped.
#[derive(Debug)]
#[must_use = "dropping it kills it"]
pub struct Server {
    url: String,
    child: Child,
    drains: Vec<JoinHandle<()>>,
    installation: Option<Installation>,
}

impl Installation {
    /// A fresh folder; loopback is open for deliveries.
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        Self {
            folder: tempfile::Builder::new().prefix("hookwright-").tempdir().expect("a temporary folder"),
            networks: vec!["127.0.0.0/8".to_owned()],
            database: None,
            environment: Vec::new(),
            log: Log::default(),
        }
    }

    /// Stores in a fresh database of the PostgreSQL that `make test` starts.
    pub async fn on_postgres() -> Self {
        Self::stored_in(&Self::fresh_postgres().await)
    }

    /// The URL of a fresh database there.
    pub async fn fresh_postgres() -> String {
        let server = test_postgres();
        let name = format!("e2e_{:032x}", rand::random::<u128>());
        let mut connection = sqlx::PgConnection::connect(&server).await.expect("PostgreSQL answers");
        let create = format!("CREATE DATABASE {name}");
        sqlx::query(sqlx::AssertSqlSafe(create)).execute(&mut connection).await.expect("a fresh database");
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        format!("{base}/{name}")
    }

    /// Stores in this database.
    pub fn stored_in(url: &str) -> Self {
        Self { database: Some(url.to_owned()), ..Self::new() }
    }

    /// Attempts and leases end within two seconds: where several nodes share the work, what a dead one had in hand is
    /// free when its leases end.
    pub fn short_leases(self) -> Self {
        self.env("HOOKWRIGHT_DELIVERY_TIMEOUT_MS", "1000")
            .env("HOOKWRIGHT_DELIVERY_TIMEOUT_MAX_MS", "1000")
            .env("HOOKWRIGHT_DELIVERY_LEASE_MARGIN_MS", "1000")
            .env("HOOKWRIGHT_DELIVERY_SWEEP_MS", "200")
    }

    /// No network is allowed beyond the public ones: how a server starts unless told otherwise.
    pub fn closed(mut self) -> Self {
        self.networks.clear();
        self
    }

    /// Opens one more network.
    pub fn allow(mut self, network: &str) -> Self {
        self.networks.push(network.to_owned());
        self
    }

    /// Writes a file into the folder and names it in an environment variable for the next starts.
    pub fn env_file(self, name: &str, file: &str, content: &str) -> Self {
        let path = self.folder().join(file);
        std::fs::write(&path, content).expect("the file is written");
        let path = path.to_str().expect("a path of UTF-8").to_owned();
        self.env(name, &path)
    }

    /// An environment variable for the next starts.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Offers the ready integrations.
    pub fn with_gallery(self) -> Self {
        let folder = self.folder().join("gallery");
        example::gallery(&folder);
        let folder = folder.to_str().expect("a path of UTF-8").to_owned();
        self.env("HOOKWRIGHT_PLUGINS_GALLERY", &folder)
    }

    /// Starts without the variables given so far.
    pub fn plain_env(mut self) -> Self {
        self.environment.clear();
        self
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the server wrote to stdout and stderr so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock()).into_owned()
    }

    /// Starts the server, which must end at once; gives what it says.
    pub async fn fails_to_start(self) -> String {
        let mut child = self.command("127.0.0.1:0").spawn().expect("the server starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let drained = drain(stderr, Arc::clone(&self.log));
        let status = timeout(START, child.wait()).await.expect("it ends by itself").expect("the exit status");
        timeout(END, drained).await.expect("stderr ends with it").expect("no panic");
        assert!(!status.success(), "it started\n{}", self.log());
        self.log()
    }

    /// Starts the server and waits until it listens.
    pub async fn start(self) -> Server {
        self.start_at("127.0.0.1:0").await
    }

    /// The same at an address of which the port is known.
    pub async fn start_at(self, listen: &str) -> Server {
        let mut child = self.command(listen).spawn().expect("the server starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut drains = vec![drain(stderr, Arc::clone(&self.log))];

        let mut line = String::new();
        let Ok(read) = timeout(START, stdout.read_line(&mut line)).await else {
            panic!("the server did not listen within {START:?}\n{}", self.log());
        };
        read.expect("stdout can be read");
        let Some(url) = line.trim_end().strip_prefix("listening on ") else {
            // The reason is on stderr, which ends with the process.
            let _ = timeout(END, drains.remove(0)).await;
            panic!("the first line is {line:?} instead of `listening on URL`\n{}", self.log());
        };
        drains.push(drain(stdout, Arc::clone(&self.log)));
        Server { url: url.to_owned(), child, drains, installation: Some(self) }
    }

    fn database(&self) -> String {
        let file = || format!("sqlite:{}", self.folder().join("hookwright.db").display());
        self.database.clone().unwrap_or_else(file)
    }

    /// Runs the binary beside the server, with the same database and key file; gives what it says on stdout and stderr.
    pub async fn tool(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = self.program();
        command
            .args(arguments)
            .args(["--database", &self.database()])
            .arg("--key-file")
            .arg(self.folder().join("hookwright.keys"));
        let output = timeout(START, command.output()).await.expect("it ends by itself").expect("it starts");
        let said = |bytes| String::from_utf8(bytes).expect("text");
        if output.status.success() { Ok(said(output.stdout)) } else { Err(said(output.stderr)) }
    }

    /// The binary without settings of the person who runs the tests.
    fn program(&self) -> Command {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HOOKWRIGHT_") {
                command.env_remove(name);
            }
        }
        command
            .env_remove("FAILPOINTS")
            // A busy machine takes long to compile, and tests want to see what comes of it.
            .env("HOOKWRIGHT_PLUGINS_UPLOAD_WAIT_MS", UPLOAD_WAIT_MS)
            // Tests look a hundred times a second whether something has happened.
            .env("HOOKWRIGHT_LIMITS_REQUESTS", "0")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    fn command(&self, listen: &str) -> Command {
        let file = |name: &str| self.folder().join(name);
        let mut command = self.program();
        command
            .arg("serve")
            .args(["--listen", listen])
            .args(["--database", &self.database()])
            .arg("--key-file")
            .arg(file("hookwright.keys"))
            .arg("--admin-token-file")
            .arg(file("admin-token"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for network in &self.networks {
            command.args(["--allow-network", network]);
        }
        command
    }
}

impl Server {
    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The token that the first start wrote.
    pub fn admin_token(&self) -> String {
        let path = self.folder().join("admin-token");
        std::fs::read_to_string(path).expect("the admin token file").trim().to_owned()
    }

    /// A client with the admin token.
    pub fn api(&self) -> Api {
        Api::new(&self.url, Some(&self.admin_token()))
    }

    pub fn folder(&self) -> &Path {
        self.installation().folder()
    }

    /// What the server wrote to stdout and stderr so far.
    pub fn log(&self) -> String {
        self.installation().log()
    }

    /// Runs the binary beside it; see [`Installation::tool`].
    pub async fn tool(&self, arguments: &[&str]) -> Result<String, String> {
        self.installation().tool(arguments).await
    }

    /// The memory that it holds now, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.counted("VmRSS:")
    }

    fn counted(&self, what: &str) -> u64 {
        let id = self.child.id().expect("the server still runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("what the kernel counts");
        let kb = status.lines().find_map(|line| line.strip_prefix(what)).expect("the kernel counts it");
        kb.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// The most memory that it ever held, in bytes.
    pub fn peak_bytes(&self) -> u64 {
        self.counted("VmHWM:")
    }

    /// Another node beside it: the same database, the same keys, the same first token.
    pub fn second(&self) -> Installation {
        let first = self.installation();
        let second = Installation { database: first.database.clone(), ..Installation::new() };
        for name in ["hookwright.keys", "admin-token"] {
            std::fs::copy(first.folder().join(name), second.folder().join(name)).expect("the file is copied");
        }
        Installation { environment: first.environment.clone(), ..second }
    }

    /// Stops its time: it does nothing until [`Server::thaw`], and does not know.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        rustix::process::kill_process(id.expect("the server still runs"), signal).expect("the signal is sent");
    }

    /// Ends it as a crash would.
    pub async fn kill(mut self) -> Installation {
        self.child.start_kill().expect("the server still runs");
        self.ended("SIGKILL").await.1
    }

    /// Asks it to end and insists that it does so cleanly.
    pub async fn stop(mut self) -> Installation {
        self.signal(Signal::TERM);
        let (status, installation) = self.ended("SIGTERM").await;
        assert!(status.success(), "stopped with {status}\n{}", installation.log());
        installation
    }

    /// Waits until it has aborted by itself, at the failpoint given to it.
    pub async fn aborted(mut self) -> Installation {
        let (status, installation) = self.ended("its failpoint (needs the feature `failpoints`)").await;
        assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "{status}\n{}", installation.log());
        installation
    }

    async fn ended(&mut self, cause: &str) -> (ExitStatus, Installation) {
        let Ok(status) = timeout(END, self.child.wait()).await else {
            panic!("the server still runs {END:?} after {cause}");
        };
        for drain in self.drains.drain(..) {
            // Bounded: a grandchild could hold the pipe open.
            let _ = timeout(END, drain).await;
        }
        let installation = self.installation.take().expect("a server ends once");
        (status.expect("the exit status"), installation)
    }

    fn installation(&self) -> &Installation {
        self.installation.as_ref().expect("a running server is installed")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A failed test is told by the server's side of the story.
        if let (true, Some(installation)) = (std::thread::panicking(), &self.installation) {
            eprintln!("---- log of {} ----\n{}", self.url, installation.log());
        }
    }
}

/// Where the PostgreSQL is that `make test` and `make bench` start.
#[expect(clippy::disallowed_methods, reason = "where it is, is told by whoever started it")]
pub(crate) fn test_postgres() -> String {
    std::env::var("HOOKWRIGHT_TEST_POSTGRES")
        .expect("this needs a PostgreSQL: run it by make, or by scripts/with-postgres.sh COMMAND")
}

/// Cargo puts the server next to a program of ours, or next to the folder that holds a test binary.
pub fn binary() -> PathBuf {
    let this = std::env::current_exe().expect("the path of this program");
    let beside = this.ancestors().skip(1).take(2).map(|folder| folder.join("hookwright")).find(|path| path.is_file());
    beside.unwrap_or_else(|| {
        panic!(
            "there is no hookwright near {}: `cargo build -p hookwright --features failpoints`, or run `make test`",
            this.display()
        )
    })
}

fn drain(mut pipe: impl AsyncRead + Unpin + Send + 'static, log: Log) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut chunk).await {
            log.lock().extend_from_slice(&chunk[..length]);
        }
    })
}
