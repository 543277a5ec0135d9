//! What the cases in `cases/` do not show: payloads of every kind, and what answers mean.

use checks::published;
use cloudevents::CloudEvents;
use hookwright_sdk::{Event, Request, Verdict, testing};
use serde_json::{Value, json};

#[test]
fn cases() {
    testing::golden::<CloudEvents>("cases");
    checks::cases(|request| published::takes("cloudevents", request));
}

#[test]
fn defaults_are_as_the_form_says() {
    checks::defaults_agree::<CloudEvents>(include_str!("../plugin.toml"), &json!({}));
}

/// Source: CloudEvents 1.0.2, JSON Event Format §3 and HTTP Protocol Binding §3.
fn check(request: &Request, binary: bool) {
    published::takes("cloudevents", request);
    let headers: Vec<(&str, &str)> = request.headers().collect();
    if !binary {
        assert_eq!(headers, [("Content-Type", "application/cloudevents+json")]);
        let event = checks::body(request);
        for required in ["specversion", "id", "source", "type"] {
            assert!(event[required].as_str().is_some_and(|value| !value.is_empty()), "{required}: {event}");
        }
        let fields = event.as_object().expect("an object");
        assert!(!(fields.contains_key("data") && fields.contains_key("data_base64")), "{event}");
        for (name, value) in fields.iter().filter(|(name, _)| !["data", "data_base64"].contains(&name.as_str())) {
            assert!(value.is_string() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{event}");
        }
        return;
    }
    for required in ["ce-specversion", "ce-id", "ce-source", "ce-type"] {
        assert!(headers.iter().any(|(name, value)| *name == required && !value.is_empty()), "{required}: {headers:?}");
    }
    assert!(headers.iter().all(|(name, _)| *name != "ce-datacontenttype"), "it stands in Content-Type: {headers:?}");
    assert!(headers.iter().all(|(_, value)| value.bytes().all(|b| (b'!'..=b'~').contains(&b) && b != b'"')));
}

#[test]
fn whatever_happens_is_a_cloud_event() {
    let config = |mode: &str| json!({"mode": mode, "source": "/retros", "type_prefix": "com.example.", "extensions": {"team": "blue"}});
    for (config, binary) in [(json!({}), false), (config("structured"), false), (config("binary"), true)] {
        checks::holds::<CloudEvents>(&config, |request| check(request, binary));
        checks::understood::<CloudEvents>(&config, &[Request::post()]);
    }
}

fn document(event: &Event) -> Value {
    testing::run::<CloudEvents>(event, json!({})).body()
}

fn event() -> testing::EventBuilder {
    testing::event("a.b")
}

#[test]
fn a_payload_stays_what_it_was() {
    let json =
        testing::run::<CloudEvents>(&event().text(r#"{"b": 1.50, "a": 12345678901234567890}"#).build(), json!({}));
    let text = json.requests()[0].body_text().expect("JSON").to_owned();
    assert!(text.ends_with(r#","data":{"b": 1.50, "a": 12345678901234567890}}"#), "{text}");

    let xml = document(&event().text("<a/>").content_type("text/xml").build());
    assert_eq!((&xml["data"], &xml["datacontenttype"]), (&json!("<a/>"), &json!("text/xml")));
    let bytes = document(&event().binary([0xff, 0x00]).content_type("image/png").build());
    assert_eq!((&bytes["data_base64"], bytes.get("data")), (&json!("/wA="), None));
    // What says it is JSON and is not goes on byte for byte.
    let broken = document(&event().text("{").build());
    assert_eq!((&broken["data_base64"], broken.get("data")), (&json!("ew=="), None));
    let none = document(&event().build());
    assert!(none.get("data").is_none() && none.get("data_base64").is_none() && none.get("datacontenttype").is_none());
    let problem = document(&event().text(r#"{"a":1}"#).content_type("application/problem+json; charset=utf-8").build());
    assert_eq!(problem["data"], json!({"a": 1}));
}

#[test]
fn a_cloud_event_goes_on_as_the_same_one() {
    let came = event()
        .attribute("id", "A-1")
        .attribute("source", "/mine")
        .attribute("dataschema", "https://a.example/s")
        .attribute("traceparent", "00-1")
        .attribute("Odd Name", "x")
        .attribute("data", "x")
        .attribute("type", "x")
        .subject("42");
    let sent = document(&came.clone().payload(json!({})).build());
    assert_eq!((&sent["id"], &sent["source"], &sent["subject"]), (&json!("A-1"), &json!("/mine"), &json!("42")));
    assert_eq!((&sent["dataschema"], &sent["traceparent"]), (&json!("https://a.example/s"), &json!("00-1")));
    assert_eq!((&sent["type"], &sent["data"], sent.get("Odd Name")), (&json!("a.b"), &json!({}), None));
    let config = json!({"source": "/ours", "extensions": {"traceparent": "00-2"}});
    let sent = testing::run::<CloudEvents>(&came.build(), config).body();
    assert_eq!((&sent["source"], &sent["traceparent"]), (&json!("/ours"), &json!("00-2")));
}

#[test]
fn headers_take_any_text() {
    let event = event().subject("Übung 100% \"neu\"").attribute("long", "x".repeat(9000)).build();
    let run = testing::run::<CloudEvents>(&event, json!({"mode": "binary"}));
    let headers: Vec<(&str, &str)> = run.requests()[0].headers().collect();
    assert!(headers.contains(&("ce-subject", "%C3%9Cbung%20100%25%20%22neu%22")), "{headers:?}");
    assert!(headers.iter().all(|(name, _)| *name != "ce-long"));
    assert!(run.logs[0].1.contains("`long`"), "{:?}", run.logs);
    let many = (0..70).fold(self::event(), |event, index| event.attribute(format!("x{index}"), "y")).build();
    assert_eq!(testing::run::<CloudEvents>(&many, json!({"mode": "binary"})).requests()[0].headers().count(), 60);
}

fn answer(status: u16, body: &str) -> Verdict {
    testing::interpret::<CloudEvents>(testing::exchange(Request::post()).status(status).body(body), json!({}))
}

#[test]
fn answers_are_understood() {
    assert_eq!(answer(410, ""), Verdict::disable().message("The receiver says that it is gone for good."));
    let refused = Verdict::rejected().message("The receiver refused the event: unknown type");
    assert_eq!(answer(406, r#"{"detail":"unknown type"}"#), refused);
    for status in [401, 403, 408, 425, 429] {
        assert_eq!(answer(status, ""), Verdict::by_status(), "{status}");
    }
}
