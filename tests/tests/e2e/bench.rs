//! The programs of `make bench`: what they count must be so.

use std::{path::Path, process::Stdio, time::Duration};

use hookwright_tests::{
    bench::{load::Outcome, relay, sink::Stats},
    eventually::eventually,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

const ARRIVAL: Duration = Duration::from_secs(30);

struct Program {
    url: String,
    _child: Child,
}

async fn start(program: &str, arguments: &[&str]) -> Program {
    let mut child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let line = lines.next_line().await.expect("stdout can be read").unwrap_or_default();
    let url = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("it says {line:?}")).to_owned();
    Program { url, _child: child }
}

async fn load(url: &str, first: u64, events: u64) -> Outcome {
    let output = Command::new(env!("CARGO_BIN_EXE_hw-load"))
        .args(["--url", url, "--publishers", "8", "--first", &first.to_string(), "--events", &events.to_string()])
        .output()
        .await
        .expect("the load generator runs");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("it tells how it went")
}

async fn ask<T: serde::de::DeserializeOwned>(url: &str, question: &str) -> T {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = client.get(format!("{url}/{question}")).send().await.expect("an answer");
    answer.json().await.expect("an answer of this shape")
}

async fn arrived(sink: &Program, count: u64) -> Stats {
    eventually(ARRIVAL, &format!("{count} deliveries have come"), async || {
        let stats: Stats = ask(&sink.url, "__stats").await;
        (stats.count >= count).then_some(stats)
    })
    .await
}

/// The records of the relay's file, up to the zeros behind them.
fn records(file: &Path) -> Vec<String> {
    let bytes = std::fs::read(file).expect("the relay's file");
    let mut rest = bytes.as_slice();
    let mut records = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<8>() {
        let length = usize::try_from(u64::from_le_bytes(*length)).expect("a length");
        if length == 0 {
            break;
        }
        let (record, behind) = behind.split_at(length);
        records.push(String::from_utf8(record.to_vec()).expect("text"));
        rest = behind;
    }
    records
}

#[tokio::test]
async fn the_relay_keeps_and_forwards_every_event() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("events");
    let sink = start(env!("CARGO_BIN_EXE_hw-sink"), &[]).await;
    let targets = [format!("{}/0", sink.url), format!("{}/1", sink.url)];
    let path = file.to_str().expect("a path of text");
    let arguments = ["--file", path, "--target", &targets[0], "--target", &targets[1]];
    let relay = start(env!("CARGO_BIN_EXE_hw-relay"), &arguments).await;

    let outcome = load(&format!("{}/events", relay.url), 0, 500).await;
    assert_eq!((outcome.accepted, outcome.errors, outcome.end), (500, 0, 500), "{:?}", outcome.first_error);
    // A 202 says that it is in the file.
    let kept = records(&file);
    assert_eq!(kept.len(), 500);
    assert!(kept.iter().all(|record| record.contains(r#""type":"ticket.created""#)), "{:?}", kept.first());
    let commits = ask::<relay::Stats>(&relay.url, "__stats").await.commits;
    assert!((1..=500).contains(&commits), "{commits} waits for the disk");

    let stats = arrived(&sink, 1000).await;
    assert_eq!((stats.count, stats.unique, stats.repeated, stats.strange), (1000, 1000, 0, 0));
    for path in ["/0", "/1"] {
        let missing: Vec<u64> = ask(&sink.url, &format!("__missing?path={path}&end=500")).await;
        assert_eq!(missing, [0; 0], "{path}");
    }
}

#[tokio::test]
async fn the_receiver_tells_what_is_missing_and_what_came_again() {
    let sink = start(env!("CARGO_BIN_EXE_hw-sink"), &["--hang", "/never"]).await;
    let url = format!("{}/0", sink.url);
    load(&url, 0, 10).await;
    load(&url, 12, 3).await;
    load(&url, 4, 2).await;
    let stats = arrived(&sink, 15).await;
    assert_eq!((stats.count, stats.unique, stats.repeated), (15, 13, 2));
    assert_eq!(ask::<Vec<u64>>(&sink.url, "__missing?path=/0&end=15").await, [10, 11]);
    assert_eq!(ask::<Vec<u64>>(&sink.url, "__missing?path=/1&end=2").await, [0, 1], "nothing came there");

    let refused = load(&format!("{}/__nothing", sink.url), 20, 8).await;
    assert_eq!((refused.accepted, refused.errors), (0, 8));
    assert_eq!(refused.failed.len(), 8);
    assert!(refused.first_error.is_some_and(|error| error.contains("404")));
}
