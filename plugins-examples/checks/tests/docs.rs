//! The examples in the documentation are what the golden cases say.

use std::fs;
use std::path::Path;

use serde_json::Value;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between the fences of this language.
fn block<'a>(section: &'a str, language: &str) -> Option<&'a str> {
    let (_, rest) = section.split_once(&format!("```{language}\n"))?;
    rest.split_once("\n```").map(|(block, _)| block)
}

#[test]
fn every_example_is_a_golden_case() {
    let text = read("docs/INTEGRATIONS.md");
    let mut sections = text.split("\n### ");
    let event: Value =
        serde_json::from_str(block(sections.next().expect("a beginning"), "json").expect("an event")).expect("JSON");
    let mut seen = 0;
    for section in sections {
        let name = section.lines().next().expect("a heading");
        let case = if name == "lead-router" { "lead-submitted" } else { "ticket-created" };
        let case: Value =
            serde_json::from_str(&read(&format!("plugins-examples/{name}/cases/{case}.json"))).expect("JSON");
        if name != "lead-router" {
            assert_eq!(case["event"]["payload"], event["payload"], "{name}");
        }
        let config = block(section, "json")
            .map_or(Value::Object(serde_json::Map::new()), |text| serde_json::from_str(text).expect("JSON"));
        assert_eq!(config, case["config"], "{name}");

        let request = &case["expect"]["requests"][0];
        let (head, body) = block(section, "http").and_then(|text| text.split_once("\n\n")).expect("a request");
        assert_eq!(serde_json::from_str::<Value>(body).expect("JSON"), request["body"]["json"], "{name}");
        let line = head.lines().next().expect("a request line");
        let path = request["path"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|segment| format!("/{}", segment.as_str().expect("text")));
        let path = path.collect::<String>();
        assert!(line.starts_with(request["method"].as_str().expect("text")) && line.contains(&path), "{name}: {line}");
        for header in request["headers"].as_array().into_iter().flatten() {
            let header = format!("{}: {}", header[0].as_str().expect("text"), header[1].as_str().expect("text"));
            assert!(head.lines().any(|line| line == header), "{name}: {header}");
        }
        seen += 1;
    }
    assert_eq!(seen, text.matches("\n| [`").count(), "every plugin of the table has an example");
}

#[test]
fn every_plugin_says_what_to_enter() {
    let text = read("docs/INTEGRATIONS.md");
    for name in text.split("\n### ").skip(1).filter_map(|section| section.lines().next()) {
        let (readme, manifest) = (
            read(&format!("plugins-examples/{name}/README.md")),
            read(&format!("plugins-examples/{name}/plugin.toml")),
        );
        let named = |prefix: &str| {
            let lines = manifest.lines().filter_map(|line| line.strip_prefix(prefix)?.strip_suffix(']'));
            lines.filter(|name| !name.contains('.')).map(str::to_owned).collect::<Vec<_>>()
        };
        // Written there, or derived of the plugin's type.
        let mut fields = named("[config.properties.");
        if fields.is_empty() {
            let schema = read(&format!("plugins-examples/{name}/tests/configuration.json"));
            let schema: Value = serde_json::from_str(&schema).expect("JSON");
            fields.extend(schema["properties"].as_object().expect("an object").keys().cloned());
        }
        for field in fields {
            assert!(readme.contains(&format!("`{field}`")), "{name}: `{field}` is not in the README");
        }
        for secret in named("[secrets.") {
            assert!(
                readme.contains(&format!("secret `{secret}`")),
                "{name}: the secret `{secret}` is not in the README"
            );
        }
        assert!(readme.contains("webhook URL"), "{name}");
    }
}
