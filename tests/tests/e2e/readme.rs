//! The README's commands are run as they stand: every fenced block with the info string `sh test`.
//!
//! They share one bash session with `HOOKWRIGHT_URL`, `HOOKWRIGHT_TOKEN` and `RECEIVER_URL`, and print
//! the answer to the registration, because the signing secret is shown nowhere else.

use std::{path::Path, process::Stdio, time::Duration};

use hookwright_tests::stage::Stage;
use tokio::{process::Command, time::timeout};

const LIMIT: Duration = Duration::from_mins(1);

/// The blocks' text, in order.
fn blocks(text: &str) -> String {
    let mut script = String::new();
    let mut inside = false;
    for line in text.lines() {
        match line.trim() {
            "```sh test" => inside = true,
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

#[tokio::test]
async fn its_commands_lead_to_a_signed_delivery() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("README.md: {error}"));
    let script = blocks(&text);
    assert!(!script.is_empty(), "README.md has no block with the info string `sh test`");

    let stage = Stage::open().await;
    let run = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .env("HOOKWRIGHT_URL", stage.server.url())
        .env("HOOKWRIGHT_TOKEN", stage.server.admin_token())
        .env("RECEIVER_URL", stage.receiver.url("/hook"))
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1")
        .current_dir(stage.server.folder())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(LIMIT, run).await.expect("the commands end").expect("bash runs");
    let (printed, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{printed}\n{errors}", output.status);

    let request = stage.receiver.wait("/hook", 1).await;
    request.verify(secret(&printed)).expect("the signature is right");
}
