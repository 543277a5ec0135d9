//! What authors read when something is wrong, as the command line tells it: kept as texts beside this file, so that a change of
//! words is seen. `INSTA_UPDATE=always cargo test` writes what is told now.

use std::{fmt::Write as _, path::Path};

use hookwright_tests::example::folder;
use serde_json::{Value, json};

use crate::authoring::{done, plugin};

/// A project with mistakes to make, and what was told of them.
struct Author {
    project: std::path::PathBuf,
    told: String,
    _place: tempfile::TempDir,
}

impl Author {
    fn new(language: &str) -> Self {
        let place = tempfile::tempdir().expect("a folder");
        done(place.path(), &["new", "mistakes", "--lang", language]);
        let author = Self { project: place.path().join("mistakes"), told: String::new(), _place: place };
        std::fs::remove_dir_all(author.project.join("cases")).expect("removed");
        author.copy("plugin.toml", "plugin.toml");
        author
    }

    fn copy(&self, from: &str, to: &str) {
        let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/mistakes");
        std::fs::copy(guests.join(from), self.project.join(to)).expect("copied");
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.project.join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    fn change(&self, file: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.project.join(file)).expect("a file");
        assert!(text.contains(from), "{file} has no {from}");
        self.write(file, &text.replace(from, to));
    }

    /// What a command says, under a headline; it fails.
    fn fails(&mut self, what: &str, arguments: &[&str]) {
        let ran = plugin(&self.project, arguments);
        assert!(!ran.succeeded, "{what}: {}{}", ran.out, ran.err);
        let said = [ran.out, ran.err].concat();
        writeln!(self.told, "## {what}\n$ hookwright plugin {}\n{}", arguments.join(" "), self.steady(&said))
            .expect("text");
    }

    /// What a run on an event of this type says.
    fn runs(&mut self, what: &str, kind: &str, payload: &Value) {
        self.write("event.json", &json!({ "type": kind, "payload": payload }).to_string());
        self.fails(what, &["run", "--event", "event.json"]);
    }

    /// Without what differs from run to run, and what compilers say between the lines that matter.
    fn steady(&self, said: &str) -> String {
        let here = self.project.canonicalize().expect("a folder").to_string_lossy().into_owned();
        let is_compilers = |line: &str| {
            let line = line.trim_start();
            [
                "Compiling",
                "Finished",
                "Locking",
                "Adding",
                "Blocking",
                "Updating",
                "wasm-target:",
                "warning:",
                "|",
                "For more",
                // Of npm and of the compiler of JavaScript, which does not always make the same bytes.
                "added ",
                "hookwright: installing",
                "target/component.wasm",
                "help:",
                "note:",
                "= ",
            ]
            .iter()
            .any(|start| line.starts_with(start))
                // The lines of the source that it is about.
                || line.starts_with(|first: char| first.is_ascii_digit())
                || line.is_empty()
        };
        let lines = said.lines().filter(|line| !is_compilers(line)).map(|line| {
            let line = line.replace(&here, "/project");
            let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            for index in 1..words.len() {
                let is_used = ["us", "KiB", "ms"].contains(&words[index].as_str());
                if is_used && words[index - 1].parse::<u64>().is_ok() {
                    "N".clone_into(&mut words[index - 1]);
                } else if words[index].starts_with('%') {
                    "(N".clone_into(&mut words[index - 1]);
                }
            }
            words.join(" ")
        });
        lines.map(|line| line + "\n").collect()
    }

    /// What both languages have in common.
    fn mistakes_of_both(&mut self) {
        self.runs("A payload that is not as expected", "a.payload", &json!({ "tickets": [] }));
        self.runs("A secret that plugin.toml does not have", "a.secret", &json!({}));
        self.runs("A trap", "a.trap", &json!("short words only"));
        self.runs("A limit", "a.loop", &json!({}));
        self.runs("A refused request", "a.refused", &json!({}));

        self.write("config.json", r#"{"list": "far too long a name", "lst": 1}"#);
        let arguments = ["run", "--event", "event.json", "--config", "config.json"];
        self.fails("A wrong configuration", &arguments);
        let case = json!({ "name": "a case", "event": { "type": "a.well" }, "config": { "list": 5 }, "expect": { "skip": "" } });
        self.write("cases/case.json", &case.to_string());
        self.fails("A wrong configuration of a golden case", &["test"]);
        let case = json!({ "name": "a case", "event": { "type": "a.well" }, "expect": { "skip": "no" } });
        self.write("cases/case.json", &case.to_string());
        self.fails("A golden case that fails", &["test"]);
        self.fails("A plugin that no server takes", &["check"]);
        self.write("cases/case.json", "{");
        self.fails("A golden case that is no JSON", &["test"]);
        std::fs::remove_dir_all(self.project.join("cases")).expect("removed");
        self.change("plugin.toml", "version = \"0.1.0\"", "version = \"one\"");
        self.fails("A version that is none", &["check"]);
        self.change("plugin.toml", "events = [\"*\"]", "events = [\"*\"");
        self.fails("A plugin.toml that is no TOML", &["check"]);
        self.copy("plugin.toml", "plugin.toml");
    }
}

#[test]
fn mistakes_in_rust_are_told() {
    let mut author = Author::new("rust");
    std::fs::copy(folder().join("../../Cargo.lock"), author.project.join("Cargo.lock")).expect("copied");
    author.copy("lib.rs", "src/lib.rs");
    author.mistakes_of_both();
    author.change("src/lib.rs", "pub list: String", "pub lsit: String");
    author.fails("A typing mistake", &["check"]);

    author.copy("lib.rs", "src/lib.rs");
    author.change(
        "src/lib.rs",
        "#[derive(Debug, Deserialize)]\npub",
        "#[hookwright_sdk::configuration]\n#[derive(Debug)]\npub",
    );
    author.change("src/lib.rs", "#[serde(default)]\n    pub list", "#[config(default, max_lenght = 10)]\n    pub list");
    author.fails("A typing mistake in a derived configuration", &["check"]);
    author.change("src/lib.rs", "max_lenght", "max_length");
    author.fails("Two schemas of the configuration", &["check"]);
    insta::assert_snapshot!("mistakes_in_rust", author.told);
}

#[test]
fn mistakes_in_javascript_are_told() {
    let mut author = Author::new("javascript");
    author.copy("plugin.js", "src/plugin.js");
    author.runs("A typing mistake", "a.typo", &json!({}));
    author.mistakes_of_both();

    author.change(
        "src/plugin.js",
        "export function transform(event, config) {",
        "export function transform(event, config) {{",
    );
    author.fails("What is no JavaScript", &["check"]);
    author.copy("plugin.js", "src/plugin.js");
    author.change("src/plugin.js", "export function transform", "export function transfrom");
    author.fails("A typing mistake in what is exported", &["check"]);
    author.copy("plugin.js", "src/plugin.js");
    author.change("src/plugin.js", "const kinds", "import dates from \"dates\";\nconst kinds");
    author.fails("A package that is not there", &["check"]);
    insta::assert_snapshot!("mistakes_in_javascript", author.told);
}
