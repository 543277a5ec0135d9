//! The description is whole, and the one that is kept.

use serde_json::Value;

use super::{DOCUMENT, openapi};

/// The description as it is kept, for whoever reads the repository and for reviews of what a change does to clients.
const KEPT: &str = include_str!("../../../../docs/openapi.json");

#[test]
fn the_description_is_the_one_that_is_kept() {
    let now = openapi();
    let differing = now.lines().zip(KEPT.lines()).position(|(now, kept)| now != kept);
    let line = differing.unwrap_or_else(|| now.lines().count().min(KEPT.lines().count()));
    assert!(
        now == KEPT,
        "docs/openapi.json differs from line {} on; if the API is meant to change, renew it by `make openapi`",
        line + 1
    );
}

/// Every reference in a description.
fn references<'d>(value: &'d Value, found: &mut Vec<&'d str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|field| references(field, found));
        }
        _ => {}
    }
}

#[test]
fn what_is_referred_to_is_there() {
    let mut found = Vec::new();
    references(&DOCUMENT, &mut found);
    for reference in &found {
        let pointer = reference.strip_prefix('#').expect("nothing outside is referred to");
        assert!(DOCUMENT.pointer(pointer).is_some(), "{reference}");
    }
    for (name, _) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        let reference = format!("#/components/schemas/{name}");
        assert!(found.contains(&reference.as_str()), "nothing is a {name}");
    }
}

#[test]
fn every_operation_says_what_it_does_and_has_a_name_of_its_own() {
    let mut names = std::collections::HashSet::new();
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name), "{method} {path} has the name {name} of another");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
            assert!(!operation["tags"][0].as_str().unwrap().is_empty(), "{method} {path}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let is_told = response.get("$ref").is_some() || !response["description"].as_str().unwrap().is_empty();
                assert!(is_told, "{method} {path} {status}");
            }
        }
    }
}

#[test]
fn examples_are_what_they_are_examples_of() {
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        let mut root = schema.clone();
        root["components"] = DOCUMENT["components"].clone();
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .build(&root)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let examples = schema["examples"].as_array().into_iter().flatten().chain(schema.get("example"));
        for example in examples {
            let wrong: Vec<String> = validator.iter_errors(example).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{name}: {wrong:?}");
        }
    }
}
