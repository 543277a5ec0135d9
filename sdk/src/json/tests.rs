use super::{failure, is_valid, parse, pretty};

#[derive(Debug, serde::Deserialize)]
struct Retro {
    #[expect(dead_code, reason = "only its form matters")]
    actions: Vec<Action>,
}

#[derive(Debug, serde::Deserialize)]
struct Action {
    #[expect(dead_code, reason = "only its form matters")]
    title: String,
}

fn message(text: &str) -> String {
    let error = parse::<Retro>(text).expect_err("a bad payload");
    failure("payload.invalid", "The payload", text, &error).message().to_owned()
}

#[test]
fn an_error_names_its_field() {
    let wrong = message(r#"{"x": {"y": [1, 2]}, "actions": [{"title": "a"}, {"title": 5}], "z": 1}"#);
    assert_eq!(
        wrong,
        "The payload is not as expected at `actions[1].title`: invalid type: integer `5`, expected a string."
    );
    assert!(message("{\n \"actions\": [\n{}]}").contains("at `actions[0]`: missing field `title`"));
    assert!(message("{\"actions\": {}}").contains("at `actions`: invalid type: map"));
    assert!(message("[1").contains("at `[0]`"));
    assert!(message("").contains("expected: EOF"));
    assert!(message("{\"acti\\\"ons\": \"unfinished").contains("at `acti\\\"ons`: EOF"));
}

#[test]
fn a_layout_keeps_order_and_numbers() {
    let text = r#"{"b": 1.50, "a": [ ], "s": "x, {\"y\": [1]}", "n": {"t": true}}"#;
    let laid_out = pretty(text, 1000).expect("JSON");
    assert_eq!(
        laid_out,
        "{\n  \"b\": 1.50,\n  \"a\": [],\n  \"s\": \"x, {\\\"y\\\": [1]}\",\n  \"n\": {\n    \"t\": true\n  }\n}"
    );
    assert_eq!(pretty("{]", 9), None);
    assert_eq!(pretty("5", 9).as_deref(), Some("5"));
}

/// What is no JSON for the one is none for the other, and what is JSON is the same value.
#[test]
fn it_reads_what_serde_json_reads() {
    let good = [
        "null",
        " true ",
        "false",
        "0",
        "-0",
        "-1",
        "1.5",
        "1e3",
        "1E-2",
        "18446744073709551615",
        "-9223372036854775808",
        "\"\"",
        r#""a\"\\\/\b\f\n\r\tz""#,
        r#""\u00e9\ud83d\ude00x""#,
        "\"ü\"",
        "[]",
        "[1,[2]]",
        "{}",
        r#"{"a":{"b":[null]},"c":""}"#,
    ];
    for text in good {
        let expected: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(parse::<serde_json::Value>(text).as_ref(), Ok(&expected), "{text}");
        assert!(is_valid(text), "{text}");
    }
    let bad = [
        "",
        " ",
        "nul",
        "True",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "1 2",
        "\"",
        "\"a",
        "\"\n\"",
        r#""\x""#,
        r#""\u12""#,
        r#""\ud800""#,
        r#""\ud800\u0041""#,
        r#""\udc00""#,
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "{1:1}",
        "1e400",
        "]",
        "{}}",
    ];
    for text in bad {
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
        assert!(parse::<serde_json::Value>(text).is_err(), "{text}");
    }
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for (depth, fits) in [(127, true), (128, false)] {
        assert_eq!(serde_json::from_str::<serde_json::Value>(&nested(depth)).is_ok(), fits);
        assert_eq!((parse::<serde_json::Value>(&nested(depth)).is_ok(), is_valid(&nested(depth))), (fits, fits));
    }
}

#[test]
fn types_are_read_and_told_as_serde_json_does() {
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Choice {
        Plain,
        New(u8),
        Pair(u8, u8),
        Named { a: u8 },
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Everything {
        text: String,
        count: u8,
        signed: Option<i64>,
        ratio: Option<f64>,
        flag: Option<bool>,
        map: Option<BTreeMap<String, u64>>,
        pair: Option<(u8, String)>,
        choice: Option<Choice>,
    }

    for rest in [
        r#""count": 7"#,
        r#""count": 7, "signed": -5, "ratio": 1.5, "flag": true, "map": {"a": 1}, "pair": [1, "x"], "choice": "plain""#,
        r#""count": 7, "ratio": 3, "choice": {"new": 3}"#,
        r#""count": 7, "choice": {"pair": [3, 4]}"#,
        r#""count": 7, "choice": {"named": {"a": 4}}, "signed": null"#,
        r#""count": 256"#,
        r#""count": -1"#,
        r#""count": 1.5"#,
        r#""count": "7""#,
        r#""count": null"#,
        r#""count": [7]"#,
        r#""count": 7, "flag": 1"#,
        r#""count": 7, "ratio": "x""#,
        r#""count": 7, "map": []"#,
        r#""count": 7, "map": {"a": true}"#,
        r#""count": 7, "pair": [1]"#,
        r#""count": 7, "pair": [1, "x", 2]"#,
        r#""count": 7, "choice": "other""#,
        r#""count": 7, "choice": 5"#,
        r#""count": 7, "choice": {"new": 3, "x": 1}"#,
        r#""count": 7, "count": 8"#,
        r#""count": 7, "unknown": 8"#,
        r#""flag": true"#,
    ] {
        let text = format!(r#"{{"text": "a", {rest}}}"#);
        let (ours, theirs) = (parse::<Everything>(&text), serde_json::from_str::<Everything>(&text));
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
            (Err(ours), Err(theirs)) => {
                let theirs = theirs.to_string();
                let theirs = theirs.rsplit_once(" at line ").map_or(theirs.as_str(), |(message, _)| message);
                // Only these are told in other words.
                if !rest.contains("other")
                    && !rest.contains("choice\": 5")
                    && !rest.contains("2]")
                    && !rest.contains(r#""x": 1}"#)
                {
                    assert_eq!(ours.to_string(), theirs, "{text}");
                }
            }
            (ours, theirs) => panic!("{text}: {ours:?}, but {theirs:?}"),
        }
    }
}
