//! Golden cases: events and configurations in the manifest, and what the plugin must make of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Input, Memory, Transformed};
use crate::domain::clock::Millis;
use crate::domain::credential::Credential;
use crate::domain::delivery::Trigger;
use crate::domain::difference::first;
use crate::domain::event::{Event, Field};
use crate::domain::id::{DeliveryId, EventId, ProjectId, WebhookId};
use crate::domain::pattern::EventType;
use crate::domain::request::{Body, PluginRequest};

/// When the events of cases happen that do not say when: noon of 2026-01-31.
const TIME: Millis = Millis(1_769_860_800_000);
/// How much of a difference is shown.
const SHOWN_CHARS: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    event: CaseEvent,
    #[serde(default)]
    config: Value,
    /// What earlier answers left behind; for plugins with memory.
    #[serde(default)]
    facts: BTreeMap<String, String>,
    expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseEvent {
    r#type: String,
    payload: Option<Value>,
    subject: Option<String>,
    id: Option<EventId>,
    occurred_at: Option<Millis>,
    trigger: Option<Trigger>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Requests(Vec<RequestForm>),
    Skip(String),
    Failure(FailureForm),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FailureForm {
    code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RequestForm {
    #[serde(skip_serializing_if = "String::is_empty")]
    label: String,
    method: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    path: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    query: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<BodyForm>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    credentials: Vec<Credential>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BodyForm {
    Json(Value),
    Text(String),
    Form(Vec<(String, String)>),
    Bytes { content_type: String, base64: String },
}

impl Case {
    /// Reads a case; a mistake is told in words.
    pub(super) fn read(json: &Value) -> Result<Self, String> {
        let named = |error: &dyn std::fmt::Display| {
            let name = json.get("name").and_then(Value::as_str).unwrap_or("without a name");
            format!("the golden case `{name}` is not understood: {error}")
        };
        let case: Self = serde_json::from_value(json.clone()).map_err(|error| named(&error))?;
        case.input().map_err(|error| named(&error))?;
        Ok(case)
    }

    fn memory(&self) -> Memory {
        let facts = self.facts.clone();
        Memory::new(move |key| Ok(facts.get(key).cloned()))
    }

    /// What the plugin gets: ids of zeros, so that what it makes of them is always the same.
    pub(super) fn input(&self) -> Result<Input, String> {
        let event = &self.event;
        let occurred_at = event.occurred_at.unwrap_or(TIME);
        let config = if self.config.is_null() { "{}".to_owned() } else { self.config.to_string() };
        let nil = Uuid::nil();
        Ok(Input {
            event: Arc::new(Event {
                id: event.id.unwrap_or(EventId::from_uuid(nil)),
                project: ProjectId::from_uuid(nil),
                event_type: EventType::parse(&event.r#type).map_err(|error| error.to_string())?,
                subject: event.subject.clone(),
                occurred_at,
                received_at: occurred_at,
                content_type: "application/json".to_owned(),
                attributes: Vec::new(),
                payload: event.payload.as_ref().map(|payload| payload.to_string().into()),
                request_id: None,
            }),
            trigger: event.trigger.unwrap_or(Trigger::Event),
            delivery: DeliveryId::from_uuid(nil),
            webhook: WebhookId::from_uuid(nil),
            webhook_name: String::new(),
            configuration: config,
            memory: Some(self.memory()),
        })
    }

    /// Compares what the plugin made with what it must make; the first difference is told in words.
    pub(super) fn judge(&self, made: &Transformed) -> Result<(), String> {
        let mut made = Expect::of(made);
        if let (Expect::Failure(made), Expect::Failure(FailureForm { message: None, .. })) = (&mut made, &self.expect) {
            made.message = None;
        }
        if made == self.expect {
            return Ok(());
        }
        let json = |expect: &Expect| serde_json::to_value(expect).expect("a case is plain data");
        let difference = first(&json(&self.expect), &json(&made));
        let (place, expected, made) =
            difference.map_or_else(Default::default, |place| (place.at, place.was, place.now));
        let told = |value: Option<Value>| value.map_or_else(|| "nothing".to_owned(), |value| shown(&value));
        Err(format!(
            "the golden case `{}` fails at `{place}`: expected {}, but the plugin made {}",
            self.name,
            told(expected),
            told(made)
        ))
    }
}

/// What a plugin gets of a golden case; a mistake in it is told in words.
pub fn input(case: &Value) -> Result<Input, String> {
    Case::read(case)?.input()
}

/// What a plugin made, as `expect` of a case would say it.
pub fn made(made: &Transformed) -> Value {
    serde_json::to_value(Expect::of(made)).expect("a case is plain data")
}

impl Expect {
    fn of(made: &Transformed) -> Self {
        match made {
            Transformed::Deliver(requests) => Self::Requests(requests.iter().map(RequestForm::of).collect()),
            Transformed::Skip(reason) => Self::Skip(reason.clone()),
            Transformed::Failed { code, message, .. } => {
                Self::Failure(FailureForm { code: code.clone(), message: Some(message.clone()) })
            }
        }
    }
}

impl Default for RequestForm {
    fn default() -> Self {
        let none = PluginRequest {
            label: String::new(),
            method: String::new(),
            path: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::None,
            credentials: Vec::new(),
            correlation: None,
        };
        Self::of(&none)
    }
}

impl RequestForm {
    fn of(request: &PluginRequest) -> Self {
        Self {
            label: request.label.clone(),
            method: request.method.clone(),
            path: request.path.clone(),
            query: pairs(&request.query),
            headers: pairs(&request.headers),
            body: match &request.body {
                Body::None => None,
                // What is no JSON breaks a rule; the comparison shows it as what it is.
                Body::Json(text) => {
                    Some(serde_json::from_str(text).map_or_else(|_| BodyForm::Text(text.clone()), BodyForm::Json))
                }
                Body::Text(text) => Some(BodyForm::Text(text.clone())),
                Body::Form(fields) => Some(BodyForm::Form(pairs(fields))),
                Body::Bytes { content_type, data } => {
                    Some(BodyForm::Bytes { content_type: content_type.clone(), base64: STANDARD.encode(data) })
                }
            },
            credentials: request.credentials.clone(),
            correlation: request.correlation.clone(),
        }
    }
}

fn pairs(fields: &[Field]) -> Vec<(String, String)> {
    fields.iter().map(|field| (field.name.clone(), field.value.clone())).collect()
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN_CHARS { text } else { text.chars().take(SHOWN_CHARS).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn case(expect: &Value) -> Case {
        Case::read(&json!({"name": "a card", "event": {"type": "ticket.created"}, "expect": expect})).unwrap()
    }

    fn request() -> PluginRequest {
        PluginRequest {
            label: "card".to_owned(),
            method: "POST".to_owned(),
            path: vec!["cards".to_owned()],
            query: Vec::new(),
            headers: vec![Field::new("X-A", "b")],
            body: Body::Json(r#"{"b": 2, "a": {"c/d": [1, "x"]}}"#.to_owned()),
            credentials: Vec::new(),
            correlation: None,
        }
    }

    #[test]
    fn what_is_made_must_be_what_is_expected_and_the_difference_is_named() {
        let made = Transformed::Deliver(vec![request()]);
        let expect = |d: &str| {
            json!({"requests": [{"label": "card", "method": "POST", "path": ["cards"], "headers": [["X-A", "b"]],
                "body": {"json": {"a": {"c/d": [1, d]}, "b": 2}}}]})
        };
        assert_eq!(case(&expect("x")).judge(&made), Ok(()));
        assert_eq!(
            case(&expect("y")).judge(&made).unwrap_err(),
            "the golden case `a card` fails at `/requests/0/body/json/a/c~1d/1`: expected \"y\", but the plugin made \"x\""
        );
        let skipped = case(&expect("x")).judge(&Transformed::Skip("no".to_owned())).unwrap_err();
        assert!(skipped.contains("`/requests`"), "{skipped}");
    }

    #[test]
    fn a_failure_without_a_message_expects_any() {
        let failed = Transformed::Failed { code: "c".to_owned(), message: "m".to_owned(), retry_after_ms: None };
        assert_eq!(case(&json!({"failure": {"code": "c"}})).judge(&failed), Ok(()));
        assert!(case(&json!({"failure": {"code": "c", "message": "n"}})).judge(&failed).is_err());
    }

    #[test]
    fn a_case_that_is_none_is_named() {
        let read = |json: &Value| Case::read(json).unwrap_err();
        let unknown = read(&json!({"name": "n", "event": {"type": "a.b", "typ": 1}, "expect": {"skip": ""}}));
        assert!(unknown.contains("`n`") && unknown.contains("typ"), "{unknown}");
        let trigger = read(&json!({"name": "n", "event": {"type": "a.b", "trigger": "x"}, "expect": {"skip": ""}}));
        assert!(trigger.contains("`x`") && trigger.contains("manual"), "{trigger}");
        assert!(read(&json!({"name": "n", "event": {"type": "a.b"}})).contains("expect"));
    }
}
