//! What the cases in `cases/` do not show: limits, and what answers mean.

use std::sync::LazyLock;
use std::time::Duration;

use checks::{Table, body, published};
use github_issues::GithubIssues;
use hookwright_sdk::testing::{self, ExchangeBuilder};
use hookwright_sdk::{Request, Verdict};
use serde_json::{Value, json};

fn config() -> Value {
    json!({"repository": "octo-org/website", "labels": ["retro"], "title": "[{retro}] {key} {title}", "updates": "create",
        "label_map": {"Export fails for empty projects": "bug"}, "assignees": {"Export fails for empty projects": "ada"}})
}

#[test]
fn cases() {
    testing::golden::<GithubIssues>("cases");
    checks::cases(takes);
}

#[test]
fn defaults_are_as_the_form_says() {
    checks::schema_agrees::<GithubIssues>(
        include_str!("configuration.json"),
        &json!({"repository": "octo-org/website"}),
    );
}

#[test]
fn whatever_happens_is_an_issue_that_github_takes() {
    for config in [config(), json!({"repository": "a/b", "markdown": true, "fields": []})] {
        checks::holds::<GithubIssues>(&config, |request| {
            takes(request);
            let body = body(request);
            // Nobody is mentioned.
            let text = body["body"].as_str().unwrap_or_default();
            assert!(config["markdown"] == true || !text.contains("@octo") && !text.contains("[x]("), "{text}");
        });
    }
    checks::understood::<GithubIssues>(&config(), &[Request::post()]);
}

fn takes(request: &Request) {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(include_str!("limits.txt")));
    published::takes("github-issues", request);
    TABLE.check(&body(request));
}

#[test]
fn a_repository_without_an_owner_is_named() {
    let run = testing::run::<GithubIssues>(&testing::event("x").build(), json!({"repository": "website"}));
    assert!(run.failure().message().contains("OWNER/NAME"));
}

fn answer(exchange: ExchangeBuilder) -> Verdict {
    testing::interpret::<GithubIssues>(exchange, config())
}

fn status(status: u16) -> ExchangeBuilder {
    testing::exchange(Request::post()).status(status)
}

#[test]
fn answers_are_understood() {
    let made = answer(status(201).body(r#"{"number":7,"html_url":"https://github.com/octo-org/website/issues/7"}"#));
    assert_eq!(made, Verdict::delivered().link("https://github.com/octo-org/website/issues/7"));
    let bad = r#"{"message":"Validation Failed","errors":[{"resource":"Issue","field":"assignees","code":"invalid"}]}"#;
    let refused = "GitHub refused the issue: Validation Failed; assignees invalid";
    assert_eq!(answer(status(422).body(bad)), Verdict::rejected().message(refused));
    let dead = Verdict::disable().message("GitHub does not accept the token: Bad credentials");
    assert_eq!(answer(status(401).body(r#"{"message":"Bad credentials"}"#)), dead);
    let may_not = answer(status(403).body(r#"{"message":"Resource not accessible by personal access token"}"#));
    assert!(may_not.message_text().is_some_and(|why| why.contains("may not write issues: Resource")));
    assert!(answer(status(404).body(r#"{"message":"Not Found"}"#)).message_text().is_some());
    assert!(answer(status(410)).message_text().is_some_and(|why| why.contains("no issues")));
    assert_eq!(answer(status(500)), Verdict::by_status());
}

#[test]
fn limits_are_waited_for_as_they_are_told() {
    let retry = || Verdict::retry().message("GitHub's rate limit is reached.");
    // The host reads `Retry-After` itself.
    assert_eq!(answer(status(403).header("retry-after", "30")), retry());
    let spent = |code| {
        let headers = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1769860860"),
            ("date", "Sat, 31 Jan 2026 12:00:00 GMT"),
        ];
        headers.into_iter().fold(status(code), |exchange, (name, value)| exchange.header(name, value))
    };
    assert_eq!(answer(spent(403)), retry().wait(Duration::from_secs(61)));
    assert_eq!(answer(spent(429)), retry().wait(Duration::from_secs(61)));
    let secondary = r#"{"message":"You have exceeded a secondary rate limit."}"#;
    assert_eq!(answer(status(403).body(secondary)), retry().wait(Duration::from_mins(1)));
}
