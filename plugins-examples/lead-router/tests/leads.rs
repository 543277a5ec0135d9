//! What the cases in `cases/` do not show: which lead goes where, limits, and what answers mean.

use checks::{Table, body};
use hookwright_sdk::testing::{self, Run};
use hookwright_sdk::{Request, Verdict};
use lead_router::LeadRouter;
use serde_json::{Value, json};

fn config() -> Value {
    json!({"programs": {
        "Small business": {"path": "intake/small", "fields": {"queue": "SB"}},
        "Start-up": {"path": "intake/small", "fields": {"queue": "SB"}},
        "Export": {"path": "export"},
    }})
}

#[test]
fn cases() {
    testing::golden::<LeadRouter>("cases");
}

#[test]
fn defaults_are_as_the_form_says() {
    checks::defaults_agree::<LeadRouter>(include_str!("../plugin.toml"), &json!({"programs": {"Export fails": {}}}));
}

#[test]
fn whatever_happens_is_a_lead_as_promised_or_none() {
    let table = Table::new(include_str!("limits.txt"));
    let everybody = json!({"programs": {"x": {}}, "otherwise": {"path": "rest"},
        "fields": {"LastName": "last_name", "FirstName": "first_name", "at": "submitted_at", "programs": "programs", "message": "message"}});
    let mapped = json!({"programs": {"Export fails for empty projects": {"path": "a/b", "fields": {"queue": "1"}}}});
    for config in [config(), everybody, mapped] {
        checks::holds::<LeadRouter>(&config, |request| table.check(&body(request)));
        checks::understood::<LeadRouter>(&config, &[Request::post()]);
    }
    let form = json!({"programs": {"x": {}}, "otherwise": {}, "format": "form"});
    checks::holds::<LeadRouter>(&form, |request| {
        for (_, value) in request.form_fields() {
            assert!(value.encode_utf16().count() <= 10_000 && !value.contains(['\0', '\r']), "{value}");
        }
    });
}

fn run(programs: &Value, config: Value) -> Run {
    let lead = json!({"lead": {"id": 9, "name": "Hedy K. Lamarr", "email": "hedy@example.com"}, "programs": programs});
    testing::run::<LeadRouter>(&testing::event("lead.submitted").payload(lead).build(), config)
}

fn paths(run: &Run) -> Vec<String> {
    run.requests().iter().map(|request| request.path().join("/")).collect()
}

#[test]
fn programs_decide_where_a_lead_goes() {
    assert_eq!(paths(&run(&json!(["Export"]), config())), ["export"]);
    assert_eq!(paths(&run(&json!([" small  BUSINESS "]), config())), ["intake/small"]);
    // No place gets it twice.
    let both = run(&json!(["Start-up", "Small business", "Start-up", "Export", "Art"]), config());
    assert_eq!(paths(&both), ["intake/small", "export"]);
    assert_eq!(body(&both.requests()[0])["programs"], json!(["Start-up", "Small business"]));
    assert_eq!(body(&both.requests()[0])["queue"], "SB");
    assert_eq!(body(&both.requests()[1]).get("queue"), None);
    let other = "The lead is for other programs (Art); this department has: Export, Small business, Start-up.";
    assert_eq!(run(&json!(["Art"]), config()).skipped(), other);
    assert!(run(&json!([]), config()).skipped().starts_with("The lead names no program"));
    let mut otherwise = config();
    otherwise["otherwise"] = json!({});
    let rest = run(&json!(["Art"]), otherwise);
    assert_eq!((paths(&rest), &body(&rest.requests()[0])["programs"]), (vec![String::new()], &json!(["Art"])));
}

#[test]
fn fields_are_named_as_the_department_names_them() {
    let mut config = config();
    config["fields"] =
        json!({"LastName": "last_name", "FirstName": "first_name", "Program__c": "programs", "Phone": "phone"});
    let lead = run(&json!(["Export"]), config.clone());
    assert_eq!(
        body(&lead.requests()[0]),
        json!({"LastName": "K. Lamarr", "FirstName": "Hedy", "Program__c": ["Export"]})
    );
    config["format"] = json!("form");
    let lead = run(&json!(["Small business", "Start-up"]), config);
    let fields: Vec<_> = lead.requests()[0].form_fields().collect();
    let expected = [
        ("FirstName", "Hedy"),
        ("LastName", "K. Lamarr"),
        ("Program__c", "Small business"),
        ("Program__c", "Start-up"),
        ("queue", "SB"),
    ];
    assert_eq!(fields, expected);
}

#[test]
fn answers_are_understood() {
    let answer = |status: u16, body: &str, location: &str| {
        let exchange = testing::exchange(Request::post()).status(status).body(body).header("location", location);
        testing::interpret::<LeadRouter>(exchange, config())
    };
    assert_eq!(answer(409, "", ""), Verdict::delivered().message("The department had this lead already."));
    assert_eq!(answer(201, "", "https://crm.example/9"), Verdict::delivered().link("https://crm.example/9"));
    assert_eq!(
        answer(200, r#"{"url":"https://crm.example/8"}"#, "/9"),
        Verdict::delivered().link("https://crm.example/8")
    );
    assert_eq!(answer(200, "ok", "/9"), Verdict::by_status());
}
