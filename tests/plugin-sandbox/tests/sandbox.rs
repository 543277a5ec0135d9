//! The example plugins do in the sandbox what they do natively, where their other tests run: the same requests to the
//! byte, and never a trap.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use azure_devops::AzureDevops;
use checks::published;
use cloudevents::CloudEvents;
use discord::Discord;
use github_issues::GithubIssues;
use hookwright::domain::plugin_limits::PluginLimits;
use hookwright::domain::request::Body;
use hookwright::sandbox::{Loaded, Transformed, case_input, case_made};
use hookwright_plugin_sandbox::Host;
use hookwright_sdk::testing::{self, Run};
use hookwright_sdk::{Event, Outcome};
use hookwright_tests::{example::example, server::binary, soak};
use jira::Jira;
use lead_router::LeadRouter;
use pivotal_tracker::PivotalTracker;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use slack::Slack;
use teams::Teams;
use trello::Trello;

/// Random payloads for each plugin, with each of its configurations.
const CASES: usize = 200;

type Native = fn(&Event, Value) -> Run;

macro_rules! natively {
    ($($name:literal: $plugin:ty),* $(,)?) => {
        [$(($name, (|event, config| testing::run::<$plugin>(event, config)) as Native)),*]
    };
}

const PLUGINS: [(&str, Native); 10] = natively! {
    "azure-devops": AzureDevops,
    "cloudevents": CloudEvents,
    "discord": Discord,
    "github-issues": GithubIssues,
    "jira": Jira,
    "lead-router": LeadRouter,
    "pivotal-tracker": PivotalTracker,
    "slack": Slack,
    "teams": Teams,
    "trello": Trello,
};

/// A plugin, both ways.
struct Subject {
    name: &'static str,
    native: Native,
    loaded: Arc<Loaded>,
    /// Golden cases with their files' names.
    cases: Vec<(PathBuf, Value)>,
}

static HOST: LazyLock<Host> = LazyLock::new(|| Host::start(&binary()).expect("a sandbox"));

/// Compiled once for all tests.
static SUBJECTS: LazyLock<Vec<Subject>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins-examples");
    let subject = |(name, native): (&'static str, Native)| {
        let loaded = runtime.block_on(HOST.load(&example(name))).expect("a plugin");
        Subject { name, native, loaded, cases: cases(&examples.join(name).join("cases")) }
    };
    PLUGINS.into_iter().map(subject).collect()
});

fn cases(folder: &Path) -> Vec<(PathBuf, Value)> {
    let files = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = files.map(|file| file.expect("a readable folder").path());
    paths
        .map(|path| (path.clone(), serde_json::from_slice(&fs::read(path).expect("a file")).expect("a case")))
        .collect()
}

impl Subject {
    /// Runs a golden case both ways, whatever it expects, and tells what was made; or the first difference.
    fn same(&self, case: &Value) -> Result<Run, String> {
        let facts = case["facts"].as_object().into_iter().flatten();
        testing::set_facts(facts.map(|(key, value)| (key.clone(), value.as_str().expect("text").to_owned())));
        let config = if case["config"].is_null() { json!({}) } else { case["config"].clone() };
        let native = (self.native)(&event(&case["event"]), config);

        let mut whole = case.clone();
        whole["expect"] = json!({"skip": ""});
        let input = case_input(&whole)?;
        let limits = HOST.sandbox.limits(&PluginLimits::default());
        let sandboxed = HOST.sandbox.run_here(&self.loaded, &limits, &input);
        let made = sandboxed.result.map_err(|failure| format!("{}: {failure}", self.name))?;

        let logs: Vec<&str> = sandboxed.used.logs.iter().map(|line| line.message.as_str()).collect();
        let native_logs: Vec<&str> = native.logs.iter().map(|(_, text)| text.as_str()).collect();
        let said = |made: &Value, texts: &[Option<&str>], logs: &[&str]| format!("{made:#}\n{texts:#?}\n{logs:#?}");
        let sandboxed = said(&case_made(&made), &texts(&made), &logs);
        let natively = said(&native.made(), &native_texts(&native), &native_logs);
        match natively.lines().zip(sandboxed.lines()).find(|(native, sandboxed)| native != sandboxed) {
            None if natively == sandboxed => Ok(native),
            None => Err(format!("{}: one makes more than the other", self.name)),
            Some((native, sandboxed)) => {
                Err(format!("{}: natively it makes\n{native}\nand in the sandbox\n{sandboxed}", self.name))
            }
        }
    }

    /// Of the configurations in its golden cases the first and the last, with what is remembered there: each is tried with
    /// many events.
    fn settings(&self) -> Vec<Setting> {
        let all = self.cases.iter().map(|(_, case)| (case["config"].clone(), case["facts"].clone()));
        let mut distinct: BTreeMap<String, Setting> = all.map(|setting| (setting.0.to_string(), setting)).collect();
        let ends = [distinct.pop_first(), distinct.pop_last()];
        ends.into_iter().flatten().map(|(_, setting)| setting).collect()
    }
}

/// A configuration, and what is remembered.
type Setting = (Value, Value);

fn event(case: &Value) -> Event {
    let text = |name: &str| case.get(name).and_then(Value::as_str);
    let mut event = testing::event(text("type").expect("a type"));
    if let Some(payload) = case.get("payload").filter(|payload| !payload.is_null()) {
        event = event.payload(payload.clone());
    }
    if let Some(subject) = text("subject") {
        event = event.subject(subject);
    }
    if let Some(id) = text("id") {
        event = event.id(id);
    }
    if let Some(time) = text("occurred_at") {
        event = event.occurred_at(time);
    }
    if let Some(trigger) = text("trigger") {
        event = event.trigger(trigger);
    }
    event.build()
}

/// The bodies as they are sent.
fn texts(made: &Transformed) -> Vec<Option<&str>> {
    let Transformed::Deliver(requests) = made else { return Vec::new() };
    let text = |body| match body {
        &Body::Json(ref text) | &Body::Text(ref text) => Some(text.as_str()),
        _ => None,
    };
    requests.iter().map(|request| text(&request.body)).collect()
}

fn native_texts(run: &Run) -> Vec<Option<&str>> {
    let Ok(Outcome::Deliver(requests)) = &run.result else { return Vec::new() };
    requests.iter().map(hookwright_sdk::Request::body_text).collect()
}

/// Fractions that take few digits. Plugins read those of more than fifteen as `serde_json` does by itself, which may err in
/// the last one; in this program something else has it read all of them exactly.
fn with_short_fractions(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let fraction = number.as_f64().unwrap_or_default() % 1e6;
            json!((fraction * 100.0).round() / 100.0)
        }
        Value::Array(items) => items.into_iter().map(with_short_fractions).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, with_short_fractions(value))).collect(),
        other => other,
    }
}

fn case(kind: &str, payload: &Value, (config, facts): &Setting) -> Value {
    let mut case = json!({"name": kind, "event": {"type": kind, "payload": payload}, "config": config});
    if facts.is_object() {
        case["facts"] = facts.clone();
    }
    case
}

#[test]
fn golden_cases_give_identical_results_natively_and_in_the_sandbox() {
    for subject in SUBJECTS.iter() {
        for (path, case) in &subject.cases {
            let made = subject.same(case).unwrap_or_else(|why| panic!("{}: {why}", path.display())).made();
            assert_eq!(made, case["expect"], "{}", path.display());
        }
    }
}

#[test]
fn events_as_providers_send_them_give_identical_results_natively_and_in_the_sandbox() {
    assert!(published::events().count() >= 60, "CHECKS_SCHEMAS says where they are: run it by make");
    for subject in SUBJECTS.iter() {
        for setting in subject.settings() {
            for (kind, payload) in published::events() {
                let run = subject.same(&case(kind, &payload, &setting));
                // Requests are held against schemas in the plugins' own tests.
                checks::judge(&run.unwrap_or_else(|why| panic!("{kind}: {why}\n{payload}")), &|_| {});
            }
        }
    }
}

#[test]
fn arbitrary_json_gives_identical_results_natively_and_in_the_sandbox() {
    let times = soak::times("HOOKWRIGHT_PLUGIN_CASES", CASES);
    let config =
        Config { cases: u32::try_from(times).expect("not that often"), failure_persistence: None, ..Config::default() };
    let mut runs = 0;
    for subject in SUBJECTS.iter() {
        for setting in subject.settings() {
            let mut runner = TestRunner::new(config.clone());
            runs += times;
            let tested = runner.run(&checks::of_any_shape(), |(kind, payload)| {
                let payload = with_short_fractions(payload);
                let run = subject.same(&case(kind, &payload, &setting)).map_err(TestCaseError::fail)?;
                checks::judge(&run, &|_| {});
                Ok(())
            });
            tested.unwrap_or_else(|error| panic!("{}: {error}", subject.name));
        }
    }
    soak::summary(&format!("{runs} payloads of any shape, natively and in the sandbox: the same, and no trap"));
}
