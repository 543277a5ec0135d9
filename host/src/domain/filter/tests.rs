use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::clock::Millis;
use crate::domain::event::Field;
use crate::domain::id::{DEFAULT_PROJECT, EventId};
use crate::domain::pattern::EventType;

/// What a thread of the server has at least.
const STACK_BYTES: usize = 1024 * 1024;

fn event(payload: impl Into<Bytes>) -> Event {
    Event {
        id: EventId::new(Millis(0), 1),
        project: DEFAULT_PROJECT,
        event_type: EventType::parse("lead.submitted").unwrap(),
        subject: Some("PAY-17".to_owned()),
        occurred_at: Millis(1_769_860_800_000),
        received_at: Millis(1_769_860_801_000),
        content_type: "application/json".to_owned(),
        attributes: vec![Field::new("source", "portal")],
        payload: Some(payload.into()),
        request_id: None,
    }
}

fn lead() -> Event {
    let payload = json!({
        "lead": {"id": 7, "name": "Ada", "programs": ["arts", "sport"], "score": 2.5, "urgent": true, "default": 1,
                 "address": {"city": "Paris"}, "nobody": null, "tags": []},
        "ticket": {"priority": "high", "labels": [{"name": "bug"}, {"colour": "red"}, 3]},
        "secret": "hunter2",
        "large": u64::MAX,
    });
    event(payload.to_string())
}

fn evaluation(limits: FilterLimits, filter: &str, event: &Event) -> Evaluation {
    Filters::new(limits).evaluate(&Filter::new(filter.to_owned()), &mut Facts::of(event))
}

fn verdict(filter: &str, event: &Event) -> Verdict {
    evaluation(FilterLimits::default(), filter, event).verdict
}

fn refusal(filter: &str) -> String {
    Filters::new(FilterLimits::default()).check(filter).expect_err(filter).to_string()
}

#[test]
fn filters_tell_events_apart() {
    let event = lead();
    for (filter, wanted) in [
        (r#""arts" in payload.lead.programs"#, true),
        (r#""music" in payload.lead.programs"#, false),
        (r#""music" !in payload.lead.programs"#, true),
        (r#"payload.ticket.priority == "high""#, true),
        (r#"payload.ticket.priority != "high""#, false),
        (r#"payload.ticket.priority in ["high", "urgent"]"#, true),
        (r#"payload["ticket"]["priority"] == "high""#, true),
        (r#"payload.lead["default"] == 1"#, true),
        (r#"type == "lead.submitted" && subject == "PAY-17""#, true),
        (r#"type.starts_with("ticket.") || subject.ends_with("-17")"#, true),
        (r#"project == "prj_00000000000070008000000000000001""#, true),
        (r#"attributes.source == "portal""#, true),
        (r#"occurred_at >= "2026-01-31T12:00" && occurred_at < "2026-02""#, true),
        ("payload.lead.score > 2 && payload.lead.score <= 2.5", true),
        ("payload.lead.id == 7.0 && payload.lead.id in [6, 7.0]", true),
        ("payload.large > 9223372036854775807", true),
        ("payload.lead.urgent", true),
        ("!payload.lead.urgent", false),
        ("payload.lead.programs.len() == 2 && payload.lead.name.len() == 3 && payload.lead.tags.len() == 0", true),
        (r#"payload.lead.programs == ["arts", "sport"]"#, true),
        (r#"payload.lead.programs != ["arts", "sport"]"#, false),
        (r#"payload.lead.programs[0] == "arts" && payload.lead.programs[-1] == "sport""#, true),
        (r#"payload.lead.name[0] == "A""#, true),
        ("payload.lead == payload.lead && payload.lead != payload.ticket", true),
        (r#""city" in payload.lead.address && "id" !in payload.lead.address"#, true),
        (r#""bug" in payload.ticket.labels.each("name")"#, true),
        (r#""red" in payload.ticket.labels.each("name")"#, false),
        (r#""da" in payload.lead.name && payload.lead.name.contains("A")"#, true),
        (r#"" ADA ".trim().to_lower() == payload.lead.name.to_lower()"#, true),
        (r#"payload.lead.name.to_upper() == "ADA""#, true),
        ("payload.lead.nobody == ()", true),
        ("payload.lead.nobody ?? payload.lead.missing ?? 3 == 3", true),
        ("payload.lead?.address?.city == \"Paris\"", true),
        ("payload.lead.programs == payload.lead.programs // and no more", true),
        ("true", true),
    ] {
        let expected = if wanted { Verdict::Match } else { Verdict::NoMatch };
        assert_eq!(verdict(filter, &event), expected, "{filter}");
        Filters::new(FilterLimits::default()).check(filter).expect(filter);
    }
}

#[test]
fn the_examples_of_the_guide_can_be_used() {
    let guide = include_str!("../../../../docs/FILTERS.md");
    let examples: Vec<&str> = guide.split("\n```\n").nth(2).unwrap().lines().collect();
    assert_eq!(examples.len(), 3, "{examples:?}");
    for example in examples {
        Filters::new(FilterLimits::default()).check(example).expect(example);
    }
}

#[test]
fn what_is_missing_does_not_match() {
    let event = lead();
    for filter in [
        "payload.none.deeper[3].still == 1",
        "payload.lead.programs.name == 1",
        "payload.lead.programs[9] == \"arts\"",
        r#""arts" in payload.none"#,
        r#""arts" in payload.lead.nobody"#,
        r#"payload.none.starts_with("a") || payload.none.ends_with("a") || payload.none.contains("a")"#,
        r#"payload.none.to_lower() == "a" || payload.none.trim() == "a" || payload.none.to_upper() == "A""#,
        r#""a" in payload.none.each("name")"#,
        "payload.none > 3 || payload.none < 3 || payload.none >= \"a\"",
        "payload.none.len() > 0",
    ] {
        assert_eq!(verdict(filter, &event), Verdict::NoMatch, "{filter}");
    }
    assert_eq!(verdict("payload.none != 3", &event), Verdict::Match);
}

#[test]
fn what_is_no_answer_is_an_error() {
    let event = lead();
    for (filter, why) in [
        ("payload.lead.id", "gives a number, not true or false"),
        ("payload.lead", "gives an object, not true or false"),
        ("payload.none", "gives nothing (a field is missing), not true or false"),
        ("payload.none || true", "needs true or false, not nothing (a field is missing) (line 1, column 8)"),
        ("!payload.none", "`!` does not take nothing (a field is missing) (line 1, column 1)"),
        ("payload.lead.id.len() == 1", "`len` does not take a number (line 1, column 17)"),
        ("payload.lead.name.x == 1", "only an object has fields and only an array has elements (line 1, column 19)"),
        ("payload.lead[0] == 1", "only an object has fields and only an array has elements (line 1, column 13)"),
        ("payload.lead.name.contains(3)", "`contains` does not take a text and a number (line 1, column 19)"),
        ("payload.secret[900] == 1", "there is nothing at this index (line 1, column 16)"),
        ("payload.lead.id[900] == 1", "cannot be evaluated for this event (line 1, column 17)"),
        ("3 in payload.lead", "`contains` does not take an object and a number (line 1, column 3)"),
    ] {
        let Verdict::Error(error) = verdict(filter, &event) else { panic!("{filter}") };
        assert_eq!(error.to_string(), why, "{filter}");
    }
}

#[test]
fn errors_never_repeat_the_event() {
    let event = lead();
    for filter in [
        "payload.secret",
        "payload.secret.x",
        "payload.secret && true",
        "!payload.secret",
        "payload.secret.len(payload.secret)",
        "payload.secret.each(payload.secret)",
        "payload.lead.contains(payload.lead.id)",
        "payload.secret[900] == 1",
    ] {
        let Verdict::Error(error) = verdict(filter, &event) else { panic!("{filter}") };
        assert!(!error.to_string().contains("hunter2"), "{filter}: {error}");
    }
}

#[test]
fn what_filters_may_not_use_is_refused_with_its_place() {
    for (filter, why) in [
        ("", "an expression is missing here (line 1, column 1)"),
        ("payload.lead.id ==", "an expression is missing here (line 1, column 19)"),
        ("payload.lead.id = 7", "Unexpected '=' (line 1, column 17)"),
        (
            "payload.lead\n  .default == 1",
            "`default` is a reserved word; a field is also written [\"default\"] (line 2, column 4)",
        ),
        (
            "lead.id == 7",
            "there is no `lead`; an event has type, subject, project, occurred_at, attributes and payload (line 1, column 1)",
        ),
        (
            "payload.lower() == 1",
            "there is no function `lower`; there are contains, each, ends_with, len, starts_with, to_lower, to_upper, trim (line 1, column 9)",
        ),
        ("payload.len(1) == 1", "`len` takes 0 argument(s) after the dot (line 1, column 9)"),
        ("1 + 1 == 2", "`+` cannot stand in a filter (line 1, column 3)"),
        ("#{a: 1}.a == 1", "an object cannot stand in a filter (line 1, column 1)"),
        ("`${type}` == type", "a text template cannot stand in a filter (line 1, column 1)"),
        ("if true { true } else { false }", "a statement cannot stand in a filter (line 1, column 1)"),
        ("switch type { _ => true }", "a statement cannot stand in a filter (line 1, column 1)"),
        ("payload[type]", "between [ and ] stands a text, or a number from -1000 to 1000 (line 1, column 8)"),
        (
            "payload.x[type.len()].y",
            "between [ and ] stands a text, or a number from -1000 to 1000 (line 1, column 10)",
        ),
        ("payload[1001]", "between [ and ] stands a text, or a number from -1000 to 1000 (line 1, column 8)"),
        ("payload[-1001]", "between [ and ] stands a text, or a number from -1000 to 1000 (line 1, column 8)"),
    ] {
        assert_eq!(refusal(filter), why, "{filter}");
    }
    for (filter, why) in [
        ("while true { }", "Unexpected 'while'"),
        ("let x = 1", "Unexpected 'let'"),
        ("true; true", "Unexpected ';'"),
        ("|x| true", "Unexpected '|'"),
        ("payload.lead.programs.filter(|x| true)", "Unexpected '|'"),
        ("fn f() { true }", "reserved word"),
        ("import \"x\"", "reserved word"),
        ("eval(\"true\")", "there is no function `eval`"),
        ("print(type)", "there is no function `print`"),
        ("debug(type)", "there is no function `debug`"),
        ("Fn(\"len\").call(type)", "there is no function `Fn`"),
        ("type.to_string() == type", "there is no function `to_string`"),
        ("1..3 == 1..3", "`..` cannot stand"),
        ("2 ** 62 == 1", "`**` cannot stand"),
        ("-payload.lead.id == 1", "`-` cannot stand"),
        ("\"open", "not terminated"),
    ] {
        let told = refusal(filter);
        assert!(told.contains(why), "{filter}: {told}");
        assert!(
            matches!(verdict(filter, &lead()), Verdict::Error(_)),
            "{filter}: no match if it was saved all the same"
        );
    }
    let index = Filters::new(FilterLimits::default());
    index.check("payload[1000] == 1 && payload.x[-1000].y == 1").unwrap();
}

#[test]
fn a_filter_is_no_longer_than_allowed() {
    let filters = Filters::new(FilterLimits { source_max_bytes: 20, ..FilterLimits::default() });
    let of = |length: usize| format!("type == \"{}\"", "x".repeat(length - 10));
    filters.check(&of(20)).unwrap();
    assert_eq!(filters.check(&of(21)).unwrap_err().to_string(), "has 21 bytes; allowed are 20");
}

#[test]
fn a_filter_is_no_deeper_than_allowed() {
    let filters = Filters::new(FilterLimits { depth_max: 5, ..FilterLimits::default() });
    let deep = |bangs: usize| format!("{}true", "!".repeat(bangs));
    filters.check(&deep(4)).unwrap();
    let error = filters.check(&deep(5)).unwrap_err().to_string();
    assert!(error.starts_with("is nested too deeply"), "{error}");
    let wide = |parts: usize| vec!["true"; parts].join(" && ");
    filters.check(&wide(5)).unwrap();
    assert!(filters.check(&wide(6)).is_err());
}

#[test]
fn an_evaluation_costs_no_more_than_allowed() {
    let event = lead();
    for filter in [
        r#""sport" in payload.lead.programs"#,
        r#""bug" in payload.ticket.labels.each("name")"#,
        "payload.lead == payload.lead && payload.ticket == payload.ticket",
        r#"payload.ticket.priority == "high" || payload.none.x"#,
        r#""sport" in payload.lead.programs && payload.lead.urgent && subject.len() == 6"#,
    ] {
        let free = evaluation(FilterLimits::default(), filter, &event);
        let with =
            |operations_max| evaluation(FilterLimits { operations_max, ..FilterLimits::default() }, filter, &event);
        assert_eq!(with(free.operations), free, "{filter}");
        let over = with(free.operations - 1);
        let Verdict::Error(error) = over.verdict else { panic!("{filter}: {over:?}") };
        assert_eq!(error.to_string(), format!("takes more than {} operations", free.operations - 1));
        assert_eq!(over.operations, free.operations - 1);
    }
}

#[test]
fn what_functions_look_at_is_counted() {
    let many: Vec<u32> = (0..5000).collect();
    let text = "x".repeat(1024 * 1024);
    let event = event(json!({ "many": many, "text": text, "objects": vec![json!({ "a": 1 }); 5000] }).to_string());
    let cost = |filter: &str| evaluation(FilterLimits::default(), filter, &event).operations;
    for (filter, least) in [
        ("-1 in payload.many", 5000),
        ("payload.many == payload.many", 5000),
        ("1 in payload.objects.each(\"b\")", 5000),
        ("payload.text.contains(\"y\")", 4096),
        ("'y' in payload.text", 4096),
        ("payload.text == payload.text", 4096),
        ("payload.text < payload.text", 4096),
        ("payload.text.len() == 1", 4096),
        ("payload.text.to_lower() == \"y\"", 4096),
        ("[payload.text] == [payload.text]", 4096),
    ] {
        assert!((least..least + 100).contains(&cost(filter)), "{filter}: {}", cost(filter));
    }
    let twice = "-1 in payload.many || -1 in payload.many";
    assert!(matches!(verdict(twice, &event), Verdict::Error(_)), "more than 10,000");
}

#[test]
fn payloads_of_any_form_can_be_asked() {
    let is = |payload: &'static str, filter: &str| verdict(filter, &event(payload)) == Verdict::Match;
    assert!(is("[1, 2]", "payload[1] == 2"));
    assert!(is("\"text\"", "payload == \"text\""));
    assert!(is("null", "payload == ()"));
    assert!(is("not JSON", "payload == () && payload.x == ()"));
    assert!(is(r#"{"a": 1, "b": 2, "a": 3}"#, "payload.a == 3 && payload.b == 2"), "the last one counts");
    assert!(is(r#"{"ü": "世"}"#, "payload[\"ü\"] == \"世\" && payload[\"ü\"].len() == 1"));
    let nested = |levels: usize| event(format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
    assert_eq!(verdict("payload == ()", &nested(127)), Verdict::NoMatch);
    assert_eq!(verdict("payload == payload", &nested(127)), Verdict::Match);
    assert_eq!(verdict("payload == ()", &nested(1000)), Verdict::Match);
    assert_eq!(verdict("payload == ()", &Event { payload: None, ..lead() }), Verdict::Match);
    assert_eq!(verdict("subject == ()", &Event { subject: None, ..lead() }), Verdict::Match);
}

#[test]
fn evaluations_are_counted() {
    let (filter, event) = (Filter::new("true".to_owned()), lead());
    filter.stats().count(&Verdict::Match, event.id, Millis(1));
    filter.stats().count(&Verdict::NoMatch, event.id, Millis(2));
    assert_eq!(filter.stats().last_error(), None);
    let error = |at| {
        let message = format!("error {at}");
        filter.stats().count(&Verdict::Error(FilterError::new(message, Position::NONE)), event.id, Millis(at));
    };
    error(3);
    error(4);
    let stats = filter.stats();
    assert_eq!((stats.matched(), stats.not_matched(), stats.errors()), (1, 1, 2));
    let last = LastError { at: Millis(4), event_id: event.id, message: "error 4".to_owned() };
    assert_eq!(stats.last_error(), Some(last));
}

/// Runs in a thread with half the stack of the server's: to overflow it would end the test process.
fn with_little_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap();
    thread.join().unwrap();
}

fn harmless(filters: &Filters, filter: &str, facts: &mut Facts) {
    let evaluation = filters.evaluate(&Filter::new(filter.to_owned()), facts);
    assert!(evaluation.operations <= filters.limits.operations_max, "{filter}");
    if let Verdict::Error(error) = evaluation.verdict {
        assert_ne!(error, broken(), "{filter}");
    }
}

#[test]
fn a_mistake_of_the_engine_ends_nothing_else() {
    assert_eq!(guarded(|| ["nothing"][std::hint::black_box(1)]), Err(()));
}

#[test]
fn hostile_texts_are_refused_or_cheap() {
    const NESTS: [(&str, &str, &str); 40] = [
        ("(", "true", ")"),
        ("(", "1", ""),
        ("[", "1", "]"),
        ("[", "", ""),
        ("#{a:", "1", "}"),
        ("{", "1", "}"),
        ("!", "true", ""),
        ("- ", "1", ""),
        ("+ ", "1", ""),
        ("payload.", "a", ""),
        ("payload[", "0", "]"),
        ("", "payload", "[0]"),
        ("", "payload", "?[0]"),
        ("", "payload", ".a"),
        ("", "payload", "?.a"),
        ("", "payload", ".trim()"),
        ("", "1", "+1"),
        ("", "true", "==true"),
        ("", "true", " in [true]"),
        ("", "2", "**2"),
        ("", "true", "&&true"),
        ("", "false", "||false"),
        ("", "()", "??()"),
        ("(true==", "true", ")"),
        ("!(true && ", "true", ")"),
        ("0 !in [", "1", "]"),
        ("len(", "\"a\"", ")"),
        ("\"a\".starts_with(", "\"a\"", ")"),
        ("payload[0].contains(", "1", ")"),
        ("(payload?.a ?? ", "1", ")"),
        ("if true {", "1", "} else {0}"),
        ("switch 1 { 1=>", "1", "}"),
        ("while true {", "", "}"),
        ("|x| ", "x", ""),
        ("Fn(\"a\").call(", "1", ")"),
        ("`${", "1", "}`"),
        ("/*", "true", "*/"),
        ("\"", "x", "\""),
        ("9", "9", "9"),
        ("\u{0}", "é", "世"),
    ];
    with_little_stack(|| {
        let limits = FilterLimits { source_max_bytes: 64 * 1024, ..FilterLimits::default() };
        let filters = Filters::new(limits);
        let mut facts = Facts::of(&event(format!("{}{}", "[".repeat(127), "]".repeat(127))));
        for (before, middle, after) in NESTS {
            for times in [1, 2, 3, 7, 8, 15, 16, 20, 21, 31, 32, 61, 62, 63, 64, 65, 1000, 65_536] {
                let times = times.min((limits.source_max_bytes - 16) / (before.len() + after.len()));
                harmless(&filters, &format!("{}{middle}{}", before.repeat(times), after.repeat(times)), &mut facts);
            }
        }
    });
}

/// Texts that look like filters, and now and then are some.
fn filter_text() -> impl Strategy<Value = String> {
    const WORDS: &str = r#"payload type subject attributes occurred_at lead a programs . ?. [ ] ( ) { } #{ == != < <= > >= ! && ||
        ?? + - * / % ** << & | ^ = += .. ..= , ; : :: => 0 1 -1 9223372036854775807 -9223372036854775808 1e308 0x7f 1_000 0.5
        "arts" "" "ü\u{1F600}" 'x' `a` `${ " ' ` \ true false () this if else switch while loop for let const fn return throw
        try catch import export eval print debug Fn call curry len contains each starts_with ends_with to_lower trim
        to_string type_of is_def_var // /* */ 世"#;
    const SPACED: [&str; 6] = [" in ", " !in ", " ", "\n", "\u{0}", "\u{feff}"];
    let pieces: Vec<&str> = WORDS.split_whitespace().chain(SPACED).collect();
    let piece = prop_oneof![4 => prop::sample::select(pieces).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    prop_oneof![prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat()), sensible(), any::<String>(),]
}

/// Filters that mostly can be evaluated.
fn sensible() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "payload",
        "payload.lead",
        "payload.lead.programs",
        "payload.list",
        "payload.list[0]",
        "payload.list[-1]",
        "payload.text",
        "payload.text[0]",
        "payload.number",
        "payload.none",
        "payload.none.x",
        "type",
        "1",
        "2.5",
        "\"a\"",
        "'a'",
        "true",
        "()",
        "[1, \"a\", [2]]",
        "payload.number == 3",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(5, 40, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            (two.clone(), prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">=", "&&", "||", "??", "in", "!in"]))
                .prop_map(|((a, b), operator)| format!("({a} {operator} {b})")),
            (two, prop::sample::select(vec!["contains", "starts_with", "ends_with", "each"]))
                .prop_map(|((a, b), name)| format!("({a}).{name}({b})")),
            (inner.clone(), prop::sample::select(vec!["len", "trim", "to_lower", "to_upper"]))
                .prop_map(|(a, name)| format!("({a}).{name}()")),
            (inner.clone(), prop::sample::select(vec![".lead", "?.x", "[0]", "[\"lead\"]", "?[-1]"]))
                .prop_map(|(a, access)| format!("({a}){access}")),
            inner.clone().prop_map(|a| format!("!({a})")),
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_breaks_the_engine_or_costs_too_much(filter in filter_text(), operations_max in 1_u64..200) {
        let payload = json!({
            "lead": {"programs": ["arts", 1, null, {"a": []}]}, "list": [1, 2.5, "a", [1], {"lead": 3}], "text": "aüb", "number": 3,
        });
        let mut facts = Facts::of(&event(payload.to_string()));
        for operations_max in [operations_max, 10_000] {
            harmless(&Filters::new(FilterLimits { operations_max, ..FilterLimits::default() }), &filter, &mut facts);
        }
    }

    #[test]
    fn no_payload_breaks_the_reader(payload in any::<Vec<u8>>(), text in "[\\[\\]{}:,\"a1 ]{0,30}") {
        Facts::of(&event(payload));
        Facts::of(&event(text));
    }
}
