//! Secrets reach the receiver and nothing else: no table, no log line, no answer of the API.

use std::{fmt::Write, path::Path};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use hookwright_tests::{
    api::Api,
    catalogue::retro,
    example::example,
    guest::{Credential, Field, Forge, Output, Request},
    receiver::{Receiver, Recorded, Reply},
    server::Installation,
    stage::Stage,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// Everything that can be logged, but for the compiler of plugins, which tells of each instruction.
const LOUD: &str =
    "trace,cranelift_codegen=info,cranelift_frontend=info,regalloc2=info,wasmtime_internal_cranelift=info";

/// Not a secret: proof that the search would find one.
const MARKER: &str = "visible-name-6f0e";

/// A secret with characters that look different in every encoding.
fn secret(purpose: &str) -> String {
    format!("{purpose}/s3cr+et=&{:016x}", rand::random::<u64>())
}

/// A secret that every encoding has to change.
fn odd_secret(purpose: &str) -> String {
    format!("{purpose}\"s3\\cr/et ü&=+%~{:016x}", rand::random::<u64>())
}

/// What `encodeURIComponent` of a browser leaves as it is.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// Everything that gives a secret away: as it stands, in base64, percent-encoded in several ways, in hexadecimal, as a form's
/// field, and as inside a JSON string in several ways.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(secret);
    let encoded = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
    let component = utf8_percent_encode(&text, COMPONENT).to_string();
    let form = component.replace("%20", "+");
    let hex = secret.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let json = json!(text).to_string().trim_matches('"').to_owned();
    let escaped: String = json.chars().fold(String::new(), |mut escaped, c| {
        if c.is_ascii() {
            escaped.push(c);
        } else {
            write!(escaped, "\\u{:04x}", u32::from(c)).expect("a string takes it");
        }
        escaped
    });
    let mut forms = vec![
        text.clone().into_owned(),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        encoded.to_lowercase(),
        encoded,
        component.to_lowercase(),
        component,
        form,
        hex.to_uppercase(),
        hex,
        json.replace('/', "\\/"),
        escaped.replace('/', "\\/"),
        escaped,
        json,
    ];
    forms.sort();
    forms.dedup();
    forms.into_iter().map(String::into_bytes).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Fails when a place holds one of the secrets in any form; the message names the place, not the secret.
fn hides(place: &str, bytes: &[u8], secrets: &[String]) {
    for (index, secret) in secrets.iter().enumerate() {
        for (form, needle) in forms(secret.as_bytes()).iter().enumerate() {
            assert!(!contains(bytes, needle), "{place} holds secret {index} in form {form}");
        }
    }
}

/// Sends everything back: as it came, and the secrets once more in other encodings.
fn gossip(secrets: &[String]) -> Reply {
    let secrets = secrets.to_vec();
    Reply::composed(move |request| {
        let mut said = format!("{:?} {}", request.headers, request.text());
        let mut headers = hyper::HeaderMap::new();
        for secret in &secrets {
            for form in forms(secret.as_bytes()) {
                let form = String::from_utf8(form).expect("text");
                if let Ok(value) = form.parse() {
                    headers.append("x-gossip", value);
                }
                write!(said, "\n{form} {}", STANDARD.encode(secret)).expect("a string takes it");
            }
        }
        (headers, said.into())
    })
}

/// The database with its journal, and whatever else the server keeps, but for the two files made for secrets.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if !["hookwright.keys", "admin-token"].contains(&name.as_str()) {
            files.push((name, std::fs::read(&path).expect("the file")));
        }
    }
    files
}

/// What everybody with a token can read, as one text.
async fn answers(api: &Api) -> String {
    let mut texts = Vec::new();
    for list in ["/webhooks", "/events", "/deliveries", "/plugins"] {
        for item in api.list(list).await {
            texts.push(item.to_string());
            if list == "/plugins" {
                continue;
            }
            let path = format!("{list}/{}", item["id"].as_str().expect("an id"));
            texts.push(api.get(&path).await.expect("the item").body.to_string());
            if list == "/webhooks" {
                let deliveries = api.list(&format!("{path}/deliveries")).await;
                texts.push(Value::from(deliveries).to_string());
                let patched = api.patch(&path, &json!({ "timeout_ms": 7_000 })).await.expect("patched");
                texts.push(patched.body.to_string());
            }
        }
    }
    texts.join("\n")
}

#[tokio::test]
async fn secrets_reach_the_receiver_and_nothing_else() {
    // The most talkative log there is.
    let stage = Stage::on(Installation::new().env("RUST_LOG", LOUD)).await;
    let key: [u8; 32] = rand::random();
    let signing = format!("whsec_{}", STANDARD.encode(key));
    let plain = [secret("bearer"), secret("header"), odd_secret("body")];
    let filled = [secret("key"), secret("token"), secret("second-header")];

    let webhook = plain_webhook(&stage, &signing, &plain).await;
    trello_webhook(&stage, &filled).await;

    let accepted = stage.api.publish("retro.completed", retro(&["Fix the build"])).await;
    assert_eq!(accepted.deliveries.len(), 2);
    for delivery in &accepted.deliveries {
        let settled = stage.api.settled(&delivery.id).await;
        assert_eq!((settled.status.as_str(), settled.request().attempts.len()), ("succeeded", 2), "{settled:#?}");
        let answer = settled.request().attempts[1].response_body.as_deref();
        assert!(answer.is_some_and(|body| !body.is_empty()), "the answer is kept: {settled:#?}");
    }
    let tested = stage.api.post(&format!("/webhooks/{webhook}/test"), &json!({})).await.expect("a result");
    assert_eq!(tested.body["status"], json!("succeeded"));

    let request = stage.receiver.wait("/plain", 1).await;
    received(&request, &signing, &plain);
    let card = stage.receiver.wait("/trello/cards", 1).await;
    assert_eq!(
        card.header("authorization"),
        format!("OAuth oauth_consumer_key=\"{}\", oauth_token=\"{}\"", filled[0], filled[1])
    );
    assert_eq!(card.header("x-api-key"), filled[2]);

    let mut secrets = [plain.as_slice(), filled.as_slice()].concat();
    secrets.push(signing.trim_start_matches("whsec_").to_owned());
    secrets.push(stage.server.admin_token());
    let answers = format!("{}\n{}", answers(&stage.api).await, tested.body);
    hides("an answer of the API", answers.as_bytes(), &secrets);
    nowhere_on_disk(&stage, &secrets, Some(&key));
    // Once more when the journal has been written back and the last lines are out.
    let Stage { server, receiver: _receiver, .. } = stage;
    let stopped = server.stop().await;
    for (name, bytes) in files(stopped.folder()) {
        hides(&name, &bytes, &secrets);
    }
    hides("the log", stopped.log().as_bytes(), &secrets);
}

/// Registers the webhook without a plugin; gives its id.
async fn plain_webhook(stage: &Stage, signing: &str, secrets: &[String; 3]) -> String {
    let url = stage.receiver.url("/plain");
    stage.receiver.on("/plain", [gossip(secrets).under(500), gossip(secrets)]);
    let webhook = json!({
        "name": MARKER,
        "url": url,
        "events": ["retro.*"],
        "signing_secret": signing,
        "bearer_token": secrets[0],
        "body_token": secrets[2],
        "headers": { "x-api-key": secrets[1] },
        "retry": [0, 10, 10],
    });
    let made = stage.api.post("/webhooks", &webhook).await.expect("the webhook is accepted").body;
    hides("the answer to the registration", made.to_string().as_bytes(), secrets);
    made["id"].as_str().expect("an id").to_owned()
}

/// Registers the webhook whose plugin names secrets.
async fn trello_webhook(stage: &Stage, secrets: &[String; 3]) {
    let plugin = stage.api.install(example("trello")).await;
    stage.receiver.on("/trello/cards", [gossip(secrets).under(500), gossip(secrets)]);
    let webhook = json!({
        "url": stage.receiver.url("/trello"),
        "events": ["retro.*"],
        "headers": { "x-api-key": secrets[2] },
        "retry": [0, 10, 10],
        "plugin": {
            "name": plugin.name,
            "version": plugin.version,
            "config": { "list_id": "5abbe4b7ddc1b351ef961414" },
            "secrets": { "key": secrets[0], "token": secrets[1] },
        },
    });
    stage.api.register(&webhook).await;
}

fn received(request: &Recorded, signing: &str, secrets: &[String; 3]) {
    assert_eq!(request.header("authorization"), format!("Bearer {}", secrets[0]));
    assert_eq!(request.header("x-api-key"), secrets[1]);
    assert_eq!(request.json()["token"], json!(secrets[2]));
    request.verify(signing).expect("signed with the secret that was brought");
}

fn nowhere_on_disk(stage: &Stage, secrets: &[String], key: Option<&[u8]>) {
    let files = files(stage.server.folder());
    assert!(files.iter().any(|(_, bytes)| contains(bytes, MARKER.as_bytes())), "the search finds what is there");
    for (name, bytes) in &files {
        hides(name, bytes, secrets);
        assert!(key.is_none_or(|key| !contains(bytes, key)), "{name} holds the signing key");
    }
    let log = stage.server.log();
    assert!(!log.is_empty());
    hides("the log", log.as_bytes(), secrets);
}

/// A plugin that makes one request for each place that a credential can have, named like its secret.
fn everywhere() -> (Forge, [&'static str; 6]) {
    let names = ["bearer", "basic", "header", "query", "json", "form"];
    let credentials = [
        Credential::bearer("bearer"),
        Credential::basic("robot", "basic"),
        Credential::header("X-Key", "header"),
        Credential::query("key", "query"),
        Credential::json_body("/auth/token", "json"),
        Credential::form_body("token", "form"),
    ];
    let requests = names.iter().zip(credentials).map(|(name, credential)| Request {
        label: name.as_bytes().to_vec(),
        path: vec![(*name).to_owned()],
        json: json!({ "auth": { "user": "robot" } }).to_string(),
        form: (*name == "form").then(|| vec![Field::new("text", "a & b")]),
        credentials: vec![credential],
        ..Request::default()
    });
    let wanted: Value =
        names.iter().map(|name| ((*name).to_owned(), json!({}))).collect::<serde_json::Map<_, _>>().into();
    (Forge::new("everywhere").manifest("secrets", wanted).returns(&Output::Deliver(requests.collect())), names)
}

#[tokio::test]
async fn a_credential_of_each_kind_arrives_and_is_nowhere_else() {
    let stage = Stage::on(Installation::new().env("RUST_LOG", LOUD)).await;
    let (forge, names) = everywhere();
    let plugin = stage.api.install(forge.component()).await;
    // What goes into a header as it stands is ASCII.
    let secrets = names.map(|name| if ["bearer", "header"].contains(&name) { secret(name) } else { odd_secret(name) });
    let given: Value = names
        .iter()
        .zip(&secrets)
        .map(|(name, secret)| ((*name).to_owned(), json!(secret)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for name in names {
        stage.receiver.on(&format!("/api/{name}"), [gossip(&secrets).under(500), Reply::echo()]);
    }
    let webhook = json!({
        "name": MARKER,
        "url": stage.receiver.url("/api"),
        "events": ["*"],
        "retry": [0, 10, 10],
        "plugin": { "name": plugin.name, "version": plugin.version, "secrets": given },
    });
    let webhook = stage.api.register(&webhook).await;
    let delivery = stage.api.publish_one("ticket.created", json!({})).await;
    let settled = stage.api.settled(&delivery.id).await;
    assert_eq!(settled.status, "succeeded", "{settled:#?}");
    for (request, name) in settled.requests.iter().zip(names) {
        assert_eq!((request.label.as_str(), request.attempts.len()), (name, 2));
        let answer = request.attempts[0].response_body.as_deref().unwrap_or_default();
        assert!(
            answer.contains(&format!("[secret:{name}]")),
            "{name}: the answer is kept, the secret is named: {answer}"
        );
    }

    for sent in 0..2 {
        let arrived = |name: &str| {
            stage.receiver.all().into_iter().filter(|request| request.path == format!("/api/{name}")).nth(sent)
        };
        let [bearer, basic, header, query, json, form] = names.map(|name| arrived(name).expect(name));
        let [of_bearer, of_basic, of_header, of_query, of_json, of_form] = &secrets;
        assert_eq!(bearer.header("authorization"), format!("Bearer {of_bearer}"));
        assert_eq!(basic.header("authorization"), format!("Basic {}", STANDARD.encode(format!("robot:{of_basic}"))));
        assert_eq!(header.header("x-key"), of_header);
        let pairs = |text: &str| {
            let text = text.replace('+', " ");
            let decode =
                |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().expect("text").into_owned();
            text.split('&')
                .map(|pair| pair.split_once('=').expect("a pair"))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect::<Vec<_>>()
        };
        assert_eq!(pairs(query.query.as_deref().expect("a query")), [("key".to_owned(), of_query.clone())]);
        assert_eq!(json.json(), json!({ "auth": { "user": "robot", "token": of_json } }));
        assert_eq!(
            pairs(form.text()),
            [("text".to_owned(), "a & b".to_owned()), ("token".to_owned(), of_form.clone())]
        );
        for request in [&bearer, &basic, &header, &query, &json, &form] {
            request.verify(&webhook.signing_secret).expect("signed with everything in it");
        }
        // Each goes where it was told to, and nowhere else.
        for (request, own) in [bearer, basic, header, query, json, form].iter().zip(&secrets) {
            let others: Vec<_> = secrets.iter().filter(|other| *other != own).cloned().collect();
            let all = format!("{:?} {:?} {}", request.headers, request.query, request.text());
            hides("a request for another credential", all.as_bytes(), &others);
        }
    }

    let answers = answers(&stage.api).await;
    assert!(answers.contains("[secret:query]") && answers.contains("[secret:form]"), "secrets are named: {answers}");
    hides("an answer of the API", answers.as_bytes(), &secrets);
    nowhere_on_disk(&stage, &secrets, None);
    let Stage { server, receiver: _receiver, .. } = stage;
    let stopped = server.stop().await;
    for (name, bytes) in files(stopped.folder()) {
        hides(&name, &bytes, &secrets);
    }
    hides("the log", stopped.log().as_bytes(), &secrets);
}

/// A plugin that logs all that it is given with an answer: printable bytes with their last bit turned, so that nothing that
/// looks for secrets in logs would know them; dots for the others.
fn tells_all() -> Forge {
    Forge::new("tells-all")
        .manifest("secrets", json!({ "key": {} }))
        .interprets(
            &["2xx", "5xx"],
            "(local $at i32) (local $byte i32)
             (local.set $at (i32.const 65536))
             (loop
               (local.set $byte (i32.load8_u (local.get $at)))
               (if (i32.or (i32.lt_u (local.get $byte) (i32.const 32)) (i32.gt_u (local.get $byte) (i32.const 125)))
                 (then (local.set $byte (i32.const 46))))
               (i32.store8 (local.get $at) (i32.xor (local.get $byte) (i32.const 1)))
               (local.set $at (i32.add (local.get $at) (i32.const 1)))
               (br_if 0 (i32.lt_u (local.get $at) (global.get $free))))
             (local.set $at (i32.const 65536))
             (loop
               (call $log (i32.const 1) (local.get $at) (i32.const 1000))
               (local.set $at (i32.add (local.get $at) (i32.const 1000)))
               (br_if 0 (i32.lt_u (local.get $at) (global.get $free))))
             (return (i32.const 1048576))",
        )
        .returns(&Output::Deliver(vec![Request {
            credentials: vec![Credential::query("key", "key")],
            ..Request::default()
        }]))
}

#[tokio::test]
async fn a_plugin_is_given_no_secret_with_an_answer() {
    let installation =
        Installation::new().env("HOOKWRIGHT_PLUGINS_LOG_BYTES", "65536").env("HOOKWRIGHT_PLUGINS_LOG_LINES", "100");
    let stage = Stage::on(installation).await;
    let plugin = stage.api.install(tells_all().component()).await;
    let secrets = [secret("key"), secret("bearer"), secret("header")];
    stage.receiver.on("/api", [gossip(&secrets).under(500), Reply::echo()]);
    let webhook = stage
        .api
        .register(&json!({
            "url": stage.receiver.url("/api"),
            "events": ["*"],
            "retry": [0, 10],
            "bearer_token": secrets[1],
            "headers": { "X-Own": secrets[2] },
            "plugin": { "name": plugin.name, "version": plugin.version, "secrets": { "key": secrets[0] } },
        }))
        .await;
    let delivery = stage.api.publish_one("ticket.created", json!({})).await;
    stage.api.settled(&delivery.id).await;
    let shown = stage.api.get(&format!("/deliveries/{}", delivery.id)).await.expect("the delivery").body;
    let attempts = shown["requests"][0]["attempts"].as_array().expect("attempts");
    assert_eq!(attempts.len(), 2, "{shown:#}");
    let secrets = [secrets.to_vec(), vec![webhook.signing_secret]].concat();
    for (number, attempt) in attempts.iter().enumerate() {
        let verdict = &attempt["verdict"];
        assert_eq!(verdict["logs_dropped"], 0, "all of it is there: {verdict}");
        let lines = verdict["logs"].as_array().unwrap_or_else(|| panic!("{verdict:#}"));
        let text: String = lines.iter().map(|line| line["message"].as_str().expect("a line")).collect();
        let given: Vec<u8> = text.bytes().map(|byte| byte ^ 1).collect();
        // The second answer is an echo, to which the query does not belong.
        let visible = ["ticket.created", "[secret:bearer_token]", "[secret:header X-Own]", "[secret:key]"];
        for visible in &visible[..visible.len() - number] {
            assert!(contains(&given, visible.as_bytes()), "{visible}: {}", String::from_utf8_lossy(&given));
        }
        hides("what the plugin is given", &given, &secrets);
    }
}

#[tokio::test]
async fn the_path_of_a_url_is_a_secret_too() {
    let stage = Stage::on(Installation::new().env("RUST_LOG", LOUD)).await;
    // Slack's and Zapier's URLs are credentials.
    let token = format!("hook{:032x}", rand::random::<u128>());
    let path = format!("/services/{token}");
    stage.receiver.on(&path, [Reply::cut(), Reply::hang(), Reply::ok()]);
    stage
        .api
        .register(&json!({
            "name": MARKER,
            "url": stage.receiver.url(&format!("{path}?key={token}")),
            "events": ["*"],
            "retry": [0, 10, 10],
            "timeout_ms": 300,
        }))
        .await;
    let delivery = stage.api.publish_one("ticket.created", json!({})).await;
    let settled = stage.api.settled(&delivery.id).await;
    assert_eq!((settled.status.as_str(), stage.receiver.count(&path)), ("succeeded", 3), "{settled:#?}");
    let secrets = [token];
    let answers = answers(&stage.api).await;
    hides("an answer of the API", answers.as_bytes(), &secrets);
    nowhere_on_disk(&stage, &secrets, None);
}

#[tokio::test]
async fn secrets_do_not_follow_a_webhook_to_another_host() {
    let stage = Stage::open().await;
    let other = Receiver::start().await;
    let secrets = [secret("bearer"), secret("header")];
    let webhook = stage
        .api
        .register(&json!({
            "url": stage.receiver.url("/hook"),
            "events": ["*"],
            "bearer_token": secrets[0],
            "headers": { "x-api-key": secrets[1] },
        }))
        .await;
    let patch = json!({ "url": other.url("/hook") });
    stage.api.patch(&format!("/webhooks/{}", webhook.id), &patch).await.expect("patched");
    stage.api.publish_one("ticket.created", json!({})).await;
    let request = other.wait("/hook", 1).await;
    hides("a request to the new host", format!("{:?}", request.headers).as_bytes(), &secrets);
    assert_eq!(stage.receiver.all().len(), 0);
}
