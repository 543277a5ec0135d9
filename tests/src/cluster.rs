//! A PostgreSQL of a test's own, to be stopped at once and started again.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use rand::RngExt as _;

/// Ports below those that the system gives out by itself, so that nobody takes one while the server is down.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// Somebody else may have a port already, so a few are tried.
const TRIES: usize = 10;

/// A running server with one empty database. Stopped and removed when dropped; what a killed test leaves behind,
/// `scripts/with-postgres.sh` stops.
#[derive(Debug)]
pub struct Cluster {
    binaries: PathBuf,
    data: PathBuf,
    port: u16,
}

impl Cluster {
    /// A fresh one. It does not flush to the disk: only processes die in tests, and what they have written stays.
    pub async fn start() -> Self {
        blocking(Self::start_blocking).await
    }

    fn start_blocking() -> Self {
        let folder = PathBuf::from(told("HOOKWRIGHT_TEST_CLUSTERS"));
        let mut cluster = Self {
            binaries: PathBuf::from(told("HOOKWRIGHT_TEST_POSTGRES_BIN")),
            data: folder.join(format!("{:032x}", rand::random::<u128>())),
            port: 0,
        };
        let arguments = ["-U", "hookwright", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "-D"];
        insist(cluster.command("initdb").args(arguments).arg(&cluster.data));
        for _ in 0..TRIES {
            cluster.port = rand::rng().random_range(PORTS);
            if run(&mut cluster.start_command()).success() {
                return cluster;
            }
        }
        panic!("PostgreSQL does not start: {}", cluster.log());
    }

    /// `postgres://…` of its database.
    pub fn url(&self) -> String {
        format!("postgres://hookwright@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends all its processes at once, as a crash would: what was not committed is lost, and nobody is told.
    pub async fn stop_at_once(&self) {
        let mut stop = self.control("stop");
        stop.args(["-m", "immediate"]);
        blocking(move || insist(&mut stop)).await;
    }

    /// Starts it again after [`Cluster::stop_at_once`], on the same port.
    pub async fn start_again(&self) {
        let mut start = self.start_command();
        blocking(move || insist(&mut start)).await;
    }

    fn start_command(&self) -> Command {
        let sockets = self.data.parent().expect("it is in a folder").display();
        let options =
            format!("-p {} -k {sockets} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=100", self.port);
        let mut start = self.control("start");
        start.arg("-l").arg(self.data.join("log")).arg("-o").arg(options);
        start
    }

    fn control(&self, action: &str) -> Command {
        let mut command = self.command("pg_ctl");
        command.arg(action).arg("-w").arg("-D").arg(&self.data);
        command
    }

    /// PostgreSQL refuses to run as root.
    fn command(&self, program: &str) -> Command {
        let program = self.binaries.join(program);
        let mut command = if rustix::process::geteuid().is_root() {
            let mut as_owner = Command::new("runuser");
            as_owner.args(["-u", "postgres", "--"]).arg(program);
            as_owner
        } else {
            Command::new(program)
        };
        // Not every folder may be entered by its user.
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.data.join("log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        run(self.control("stop").args(["-m", "immediate"]));
        remove(&self.data);
    }
}

fn remove(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        eprintln!("{} stays: {error}", folder.display());
    }
}

fn run(command: &mut Command) -> ExitStatus {
    // Nothing is read from it, because the server would hold a pipe open for ever.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn insist(command: &mut Command) {
    let status = run(command);
    assert!(status.success(), "{command:?}: {status}");
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it ends")
}

#[expect(clippy::disallowed_methods, reason = "where it is, is told by whoever started it")]
fn told(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run this by make, or by scripts/with-postgres.sh"))
}
