//! What the server was started with.

use askama::Template;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::changes::plain;
use super::page::Section as Place;
use super::page::{Items, Page, shown};
use super::parts::{size, span};
use super::refusal::Answer;
use super::viewer::Viewer;

#[derive(Deserialize)]
struct Setting {
    name: String,
    value: Value,
    default: Value,
}

/// Settings that begin alike.
struct Section {
    name: String,
    lines: Vec<Line>,
}

struct Line {
    name: String,
    value: String,
    /// The same as people say it.
    words: Option<String>,
    default: String,
    is_changed: bool,
}

/// A number with a unit in its name, in words.
fn words(name: &str, value: &Value) -> Option<String> {
    let number = value.as_u64()?;
    if name.ends_with("_ms") {
        return Some(if number == 0 { "off".to_owned() } else { span(number) });
    }
    (name.ends_with("_bytes") && number >= 1024).then(|| size(number))
}

fn shown_value(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(values) if values.is_empty() => "none".to_owned(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => plain(other),
    }
}

fn sections(settings: Vec<Setting>) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for setting in settings {
        let (section, name) = setting.name.split_once('.').unwrap_or(("", &setting.name));
        let line = Line {
            name: setting.name.clone(),
            words: words(name, &setting.value),
            value: shown_value(&setting.value),
            default: shown_value(&setting.default),
            is_changed: setting.value != setting.default,
        };
        match sections.last_mut().filter(|last| last.name == section) {
            Some(last) => last.lines.push(line),
            None => sections.push(Section { name: section.to_owned(), lines: vec![line] }),
        }
    }
    sections
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    page: Page,
    version: &'static str,
    changed: usize,
    sections: Vec<Section>,
}

/// All of them.
pub(super) async fn show(viewer: Viewer) -> Answer<Response> {
    let settings: Items<Setting> = viewer.client.get("/settings").await?;
    let sections = sections(settings.items);
    Ok(shown(&SettingsPage {
        page: Page::new(&viewer, Place::Settings, "Settings"),
        version: env!("CARGO_PKG_VERSION"),
        changed: sections.iter().flat_map(|section| &section.lines).filter(|line| line.is_changed).count(),
        sections,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_told_in_words_and_by_section() {
        let setting = |name: &str, value: Value, default: Value| Setting { name: name.to_owned(), value, default };
        let sections = sections(vec![
            setting("delivery.timeout_ms", json!(20_000), json!(20_000)),
            setting("delivery.disable_after_ms", json!(0), json!(1)),
            setting("network.allow", json!(["10.0.0.0/8", "::1/128"]), json!([])),
            setting("server.body_max_bytes", json!(2_097_152), json!(2_097_152)),
        ]);
        assert_eq!(sections.iter().map(|section| section.lines.len()).collect::<Vec<_>>(), [2, 1, 1]);
        let line = |section: usize, line: usize| &sections[section].lines[line];
        assert_eq!((line(0, 0).words.as_deref(), line(0, 0).is_changed), (Some("20 s"), false));
        assert_eq!((line(0, 1).words.as_deref(), line(0, 1).is_changed), (Some("off"), true));
        assert_eq!((line(1, 0).value.as_str(), line(1, 0).default.as_str()), ("10.0.0.0/8, ::1/128", "none"));
        assert_eq!(line(2, 0).words.as_deref(), Some("2.0 MiB"));
    }
}
