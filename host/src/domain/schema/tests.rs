use serde_json::json;

use super::*;

fn schema(schema: &Value) -> Schema {
    Schema::new(schema, SchemaLimits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn wrong(rules: &Value, config: &Value) -> Vec<(String, String)> {
    schema(rules).check(config).into_iter().map(|error| (error.pointer, error.detail)).collect()
}

fn refused(schema: &Value) -> InvalidSchema {
    Schema::new(schema, SchemaLimits::default()).unwrap_err()
}

#[test]
fn each_mistake_is_told_at_its_field() {
    let rules = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["list_id", "plain"],
        "properties": {
            "list_id": { "type": "string", "description": "Id of the list" },
            "plain": { "type": "string" },
            "label_ids": { "type": "array", "maxItems": 2, "items": { "type": "string", "pattern": "^[0-9a-f]{4}$", "examples": ["5abb"] } },
            "position": { "enum": ["top", "bottom"] },
            "a/b": { "type": ["integer", "null"], "minimum": 1, "maximum": 5 },
            "url": { "type": "string", "format": "uri" },
            "short": { "type": "string", "maxLength": 2 },
            "both": { "anyOf": [{ "title": "by name", "type": "string" }, { "title": "by number", "type": "number" }] },
        },
    });
    let found = wrong(
        &rules,
        &json!({
            "label_ids": ["5abb", "x", "y"], "position": "middle", "a/b": "1", "url": "no url", "short": "long",
            "both": true, "colour": "red",
        }),
    );
    let expect = [
        ("/list_id", "is needed: Id of the list"),
        ("/plain", "is needed"),
        ("/label_ids", "has at most 2 items"),
        ("/label_ids/1", "matches `^[0-9a-f]{4}$`, like \"5abb\""),
        ("/label_ids/2", "matches `^[0-9a-f]{4}$`, like \"5abb\""),
        ("/position", "is one of \"top\", \"bottom\""),
        ("/a~1b", "is an integer or null, not a string"),
        ("/url", "is of the format `uri`"),
        ("/short", "has at most 2 characters"),
        ("/both", "fits none of the forms it may have: by name, by number"),
        (
            "/colour",
            "the plugin knows no such field; it knows list_id, plain, label_ids, position, a/b, url, short, both",
        ),
    ];
    for (pointer, detail) in expect {
        assert!(found.contains(&(pointer.to_owned(), detail.to_owned())), "{pointer} {detail} in {found:#?}");
    }
    assert_eq!(found.len(), expect.len(), "{found:#?}");
    let good = json!({ "list_id": "x", "plain": "y", "a/b": null, "both": 1, "url": "https://example.com/", "position": "top" });
    assert_eq!(wrong(&rules, &good), []);
}

#[test]
fn what_stands_in_a_configuration_is_never_repeated() {
    const SECRET: &str = "hunter2-hunter2";
    for rule in [
        json!({ "type": "number" }),
        json!({ "enum": ["a"] }),
        json!({ "const": 1 }),
        json!({ "pattern": "^a$" }),
        json!({ "pattern": "^a+b$" }),
        json!({ "format": "email" }),
        json!({ "maxLength": 1 }),
        json!({ "minLength": 100 }),
        json!({ "anyOf": [{ "type": "number" }, { "const": 2 }] }),
        json!({ "oneOf": [{ "type": "number" }] }),
        json!({ "oneOf": [{ "type": "string" }, {}] }),
        json!({ "not": {} }),
        json!(false),
        json!({ "if": {}, "then": { "const": 1 } }),
        json!({ "allOf": [{ "const": 1 }] }),
        json!({ "$ref": "#/$defs/one" }),
    ] {
        let rules = json!({ "properties": { "field": rule }, "$defs": { "one": { "const": 1 } } });
        let found = wrong(&rules, &json!({ "field": SECRET }));
        assert_eq!(found.len(), 1, "{rule}: {found:?}");
        assert_eq!(found[0].0, "/field", "{rule}");
        assert!(!found[0].1.contains("hunter2") && !found[0].1.is_empty(), "{rule}: {}", found[0].1);
    }
    let items =
        json!({ "properties": { "field": { "uniqueItems": true, "contains": { "type": "number" }, "maxItems": 1 } } });
    let found = wrong(&items, &json!({ "field": [SECRET, SECRET] }));
    assert!(found.len() == 3 && found.iter().all(|(_, detail)| !detail.contains("hunter2")), "{found:?}");
    let names = json!({ "propertyNames": { "maxLength": 3 } });
    assert_eq!(
        wrong(&names, &json!({ "long-name": SECRET })),
        [("/long-name".to_owned(), "this name does not fit; a name has at most 3 characters".to_owned())]
    );
}

#[test]
fn what_is_no_schema_is_refused_with_its_place() {
    for (rules, pointer) in [
        (json!({ "properties": { "a": { "type": "strin" } } }), "/properties/a/type"),
        (json!({ "properties": { "a": { "pattern": "(" } } }), "/properties/a/pattern"),
        (json!({ "properties": { "a": { "pattern": "(?=x)y+" } } }), "/properties/a/pattern"),
        (json!({ "properties": { "a": { "pattern": "(x+)\\1" } } }), "/properties/a/pattern"),
        (json!({ "properties": [] }), "/properties"),
        (json!({ "required": "a" }), "/required"),
        (json!({ "$schema": "https://example.com/schema" }), "/$schema"),
        (json!({ "$ref": "https://example.com/schema" }), "/$ref"),
        (json!({ "$ref": "file:///etc/passwd" }), "/$ref"),
        (json!({ "$ref": "https://json-schema.org/draft/2020-12/schema" }), "/$ref"),
        (json!({ "$ref": "#name" }), "/$ref"),
        (json!({ "$ref": "#/$defs/a" }), "/$ref"),
        (json!({ "$ref": 1 }), "/$ref"),
        (json!({ "properties": { "a": { "$ref": "#" } } }), "/properties/a/$ref/properties/a/$ref"),
        (
            json!({ "allOf": [{ "$ref": "#/$defs/a" }], "$defs": { "a": { "$ref": "#/$defs/a" } } }),
            "/allOf/0/$ref/$ref",
        ),
        (json!({ "properties": { "a": { "$id": "https://example.com/" } } }), "/properties/a/$id"),
        (json!({ "$dynamicRef": "#a" }), "/$dynamicRef"),
        (json!({ "unevaluatedProperties": false }), "/unevaluatedProperties"),
        (json!(true), ""),
    ] {
        let error = refused(&rules);
        assert_eq!(error.pointer, pointer, "{rules}: {error}");
        assert_eq!(error.limit, None, "{rules}");
    }
}

#[test]
fn drafts_in_use_are_understood() {
    for draft in [
        "https://json-schema.org/draft/2020-12/schema",
        "https://json-schema.org/draft/2019-09/schema",
        "http://json-schema.org/draft-07/schema#",
    ] {
        let rules = json!({ "$schema": draft, "$id": "https://example.com/slack", "properties": { "a": { "$ref": "#/definitions/b%20c" } },
            "definitions": { "b c": { "type": "string" } } });
        assert_eq!(wrong(&rules, &json!({ "a": 1 })), [("/a".to_owned(), "is a string, not a number".to_owned())]);
    }
}

fn with(change: impl Fn(&mut SchemaLimits)) -> SchemaLimits {
    let mut limits = SchemaLimits::default();
    change(&mut limits);
    limits
}

/// Sets one limit.
type Set = fn(&mut SchemaLimits, usize);

#[test]
fn limits_of_schemas_hold_at_their_edge() {
    let nested =
        json!({ "properties": { "a": { "items": { "$ref": "#/$defs/b" } } }, "$defs": { "b": { "type": "string" } } });
    let bytes = nested.to_string().len();
    let patterns = json!({ "patternProperties": { "^a": {}, "^abc": { "pattern": "b" } } });
    let cases: [(&str, &Value, usize, Set); 5] = [
        ("schema.bytes", &nested, bytes, |limits, most| limits.bytes = most),
        ("schema.depth", &nested, 4, |limits, most| limits.depth = most),
        // The definition counts where it stands and where it is used.
        ("schema.nodes", &nested, 5, |limits, most| limits.nodes = most),
        ("schema.patterns", &patterns, 3, |limits, most| limits.patterns = most),
        ("schema.pattern_bytes", &patterns, 4, |limits, most| limits.pattern_bytes = most),
    ];
    for (name, rules, most, set) in cases {
        assert!(Schema::new(rules, with(|limits| set(limits, most))).is_ok(), "{name}");
        let error = Schema::new(rules, with(|limits| set(limits, most - 1))).unwrap_err();
        let hit = error.limit.clone().unwrap_or_else(|| panic!("{name}: {error}"));
        assert_eq!((hit.limit.as_str(), hit.used, hit.allowed), (name, most as u64, most as u64 - 1));
    }
}

#[test]
fn a_regular_expression_is_bounded_and_takes_linear_time() {
    let rules = |pattern: &str| json!({ "properties": { "a": { "pattern": pattern } } });
    let large = Schema::new(&rules("^(a{90}){90}$"), SchemaLimits::default()).unwrap_err();
    assert_eq!(large.pointer, "/properties/a/pattern", "{large}");
    assert!(Schema::new(&rules("^(a{90}){90}$"), with(|limits| limits.compiled_pattern_bytes = 1024 * 1024)).is_ok());
    // One that looks back would still be at it tomorrow.
    let found = wrong(&rules("^(a+)+$"), &json!({ "a": "a".repeat(50_000) + "b" }));
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn references_that_multiply_are_counted_before_they_are_followed() {
    let mut rules = json!({ "$ref": "#/$defs/d0", "$defs": { "d30": { "type": "string" } } });
    for n in 0..30 {
        let next = json!({ "$ref": format!("#/$defs/d{}", n + 1) });
        rules["$defs"][format!("d{n}")] = json!({ "allOf": [next, next] });
    }
    assert!(refused(&rules).limit.is_some());
}

#[test]
fn checking_takes_no_more_steps_than_allowed() {
    let rules = json!({ "properties": { "a": { "pattern": "x+y" } } });
    // The configuration, the field, and the bytes of its text.
    let config = json!({ "a": "xxxy" });
    let check = |steps: usize| Schema::new(&rules, with(|limits| limits.steps = steps)).unwrap().check(&config);
    assert_eq!(check(6), []);
    let errors = check(5);
    assert!(
        matches!(errors.as_slice(), [one] if one.pointer.is_empty() && one.detail.contains("plugins.schema.steps"))
    );
    // Each is small; together they are not.
    let all: Vec<_> = (0..1500).map(|_| json!({ "additionalProperties": { "type": "string" } })).collect();
    let names: serde_json::Map<_, _> = (0..500).map(|n| (n.to_string(), json!(n))).collect();
    let limits = with(|limits| limits.nodes = 20_000);
    let errors = Schema::new(&json!({ "allOf": all }), limits).unwrap().check(&Value::Object(names));
    assert!(errors.len() == 1 && errors[0].detail.contains("steps"), "{errors:?}");
}

#[test]
fn only_so_many_mistakes_are_told() {
    let rules = json!({ "additionalProperties": false });
    let config = |n: usize| Value::Object((0..n).map(|n| (n.to_string(), json!(1))).collect());
    let count = |n| schema(&rules).check(&config(n));
    assert_eq!(count(20).len(), 20);
    let errors = count(21);
    assert_eq!((errors.len(), errors[20].detail.as_str()), (21, "has more mistakes than these 20"));
}

#[test]
fn fields_that_nobody_knows_are_told_wherever_they_are() {
    for rules in [
        json!({ "additionalProperties": false }),
        json!({ "additionalProperties": false, "properties": {} }),
        json!({ "additionalProperties": false, "properties": { "known": true } }),
        json!({ "additionalProperties": false, "patternProperties": { "^k": true } }),
        json!({ "additionalProperties": false, "patternProperties": { "^n": true }, "properties": { "known": true } }),
    ] {
        let pointers: Vec<_> =
            wrong(&rules, &json!({ "x": 1, "y": { "z": 2 } })).into_iter().map(|(at, _)| at).collect();
        assert_eq!(pointers, ["/x", "/y"], "{rules}");
        let inside = json!({ "properties": { "in": rules } });
        let pointers: Vec<_> = wrong(&inside, &json!({ "in": { "x": 1 } })).into_iter().map(|(at, _)| at).collect();
        assert_eq!(pointers, ["/in/x"], "{rules}");
    }
    // Names that look like keywords.
    let rules = json!({ "properties": { "additionalProperties": false, "required": { "required": ["a"] } } });
    let found = wrong(&rules, &json!({ "additionalProperties": 1, "required": {} }));
    assert_eq!(found.iter().map(|(at, _)| at.as_str()).collect::<Vec<_>>(), ["/additionalProperties", "/required/a"]);
}

#[test]
fn a_mistake_that_is_found_twice_is_told_once() {
    let rules = json!({ "allOf": [{ "required": ["a"] }, { "required": ["a"] }] });
    assert_eq!(wrong(&rules, &json!({})), [("/a".to_owned(), "is needed".to_owned())]);
}
