//! The commands of the README and of the guides are run as they stand: every fenced block with the info string `sh test`.
//! A page for several languages has blocks for one of them: `sh test rust`.
//!
//! Those of a page share one bash session with `HOOKWRIGHT_URL`, `HOOKWRIGHT_TOKEN` and `RECEIVER_URL`, and print
//! the answer to the registration, because the signing secret is shown nowhere else.

use std::{path::Path, process::Stdio, time::Duration};

use hookwright_tests::{
    example::{cargo, folder},
    server::binary,
    stage::Stage,
};
use tokio::{process::Command, time::timeout};

const LIMIT: Duration = Duration::from_mins(1);
/// A page whose commands compile something.
const BUILD_LIMIT: Duration = Duration::from_mins(10);

/// The text of the blocks for all and for one language, in order.
fn blocks(text: &str, language: &str) -> String {
    let own = format!("```sh test {language}");
    let mut script = String::new();
    let mut inside = false;
    for line in text.lines() {
        match line.trim() {
            "```sh test" => inside = true,
            line if line == own => inside = true,
            "```" => inside = false,
            _ if inside => script = script + line + "\n",
            _ => {}
        }
    }
    script
}

/// The signing secret in what the commands printed.
fn secret(printed: &str) -> &str {
    let start = printed.find("whsec_").unwrap_or_else(|| panic!("no signing secret in {printed}"));
    printed[start..].split('"').next().expect("text up to a quote").trim_end()
}

/// Runs a page's commands, with `hookwright` on the path, in an empty folder; gives what they printed.
async fn follow(page: &str, language: &str, stage: &Stage, limit: Duration, settings: &[(&str, &Path)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let script = blocks(&text, language);
    assert!(!script.is_empty(), "{page} has no block with the info string `sh test`");
    let place = tempfile::tempdir().expect("a folder");
    let (own, others) = (binary(), std::env::var_os("PATH").expect("a path"));
    let own = own.parent().expect("a folder").to_owned();
    let programs = std::env::join_paths([own].into_iter().chain(std::env::split_paths(&others))).expect("a path");
    let run = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .env("PATH", programs)
        .env("HOOKWRIGHT_URL", stage.server.url())
        .env("HOOKWRIGHT_TOKEN", stage.server.admin_token())
        .env("RECEIVER_URL", stage.receiver.url("/hook"))
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1")
        .envs(settings.iter().copied())
        .current_dir(place.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(limit, run).await.expect("the commands end").expect("bash runs");
    let (printed, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{page}: {}\n{printed}\n{errors}", output.status);
    printed.into_owned()
}

#[tokio::test]
async fn its_commands_lead_to_a_signed_delivery() {
    let stage = Stage::open().await;
    let printed = follow("README.md", "", &stage, LIMIT, &[]).await;
    let request = stage.receiver.wait("/hook", 1).await;
    request.verify(secret(&printed)).expect("the signature is right");
}

/// Followed from an empty folder, the guide ends with a plugin of one's own that delivers.
async fn the_guide_leads_to_a_plugin_that_delivers(language: &str) {
    let stage = Stage::open().await;
    // What is built for one run of the tests is there for the next.
    let built = folder().join("../guide");
    let settings: [(&str, &Path); 2] = [("CARGO_TARGET_DIR", &built), ("HOOKWRIGHT_CARGO", &cargo())];
    follow("docs/plugin-authors.md", language, &stage, BUILD_LIMIT, &settings).await;
    let request = stage.receiver.wait("/hook", 1).await;
    assert_eq!(request.text(), r#"{"text":"New ticket: Export fails https://qa.example.com/42"}"#);
}

#[tokio::test]
async fn the_guide_for_plugin_authors_leads_to_a_plugin_in_rust_that_delivers() {
    the_guide_leads_to_a_plugin_that_delivers("rust").await;
}

#[tokio::test]
async fn the_guide_for_plugin_authors_leads_to_a_plugin_in_javascript_that_delivers() {
    the_guide_leads_to_a_plugin_that_delivers("javascript").await;
}
