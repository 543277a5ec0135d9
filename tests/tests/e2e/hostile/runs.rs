//! What gets in and must do no harm as it runs.

use hookwright_tests::guest::{Credential, Field, Forge, Output, Request, Verdict};
use serde_json::json;

/// Where nothing was written yet, in a memory of more pages than usual.
const ZEROS: u32 = 17 * 65_536;

/// A call of `log` with so many bytes from the beginning of memory.
fn log(bytes: u32) -> String {
    format!("(call $log (i32.const 1) (i32.const 0) (i32.const {bytes}))")
}

pub(super) fn all() -> Vec<(&'static str, Vec<u8>)> {
    let mut guests = resources();
    guests.extend(wasi());
    guests.extend(outputs());
    let requests = requests().into_iter();
    guests.extend(requests.map(|(name, request)| (name, forge(name).returns(&Output::Deliver(vec![request])))));
    guests.into_iter().map(|(name, forge)| (name, forge.component())).collect()
}

/// Guests that misbehave when they read an answer, after a request that is as it should be.
pub(super) fn interpreters() -> Vec<(&'static str, Vec<u8>)> {
    const EVERY: &[&str] = &["2xx"];
    let flood = "(loop (call $recall (i32.const 1024) (i32.const 4) (i32.const 512)) (br 0))";
    let link = Some("javascript:alert(1)".to_owned());
    let key = |bytes: usize| ("k".repeat(bytes), Some("v".to_owned()));
    let value = ("k".to_owned(), Some("v".repeat(4097)));
    let rejected = || Verdict::of(Verdict::REJECTED);
    let asks = |name: &str, instructions: &str| forge(name).interprets(EVERY, instructions);
    let says = |name: &str, verdict: &Verdict| forge(name).says(EVERY, verdict);
    let guests = vec![
        ("interpret-trap", asks("interpret-trap", "")),
        ("interpret-loop", asks("interpret-loop", "(loop (br 0))")),
        (
            "interpret-memory-growth",
            asks("interpret-memory-growth", "(loop (drop (memory.grow (i32.const 16))) (br 0))"),
        ),
        ("interpret-wild-pointer", asks("interpret-wild-pointer", "(return (i32.const -16))")),
        ("interpret-recall-flood", asks("interpret-recall-flood", flood)),
        ("interpret-no-decision", says("interpret-no-decision", &Verdict::of(9))),
        ("interpret-unknown-decision", says("interpret-unknown-decision", &Verdict::of(6))),
        ("interpret-link", says("interpret-link", &Verdict { link, ..rejected() })),
        ("interpret-many-facts", says("interpret-many-facts", &Verdict { facts: vec![key(1); 33], ..rejected() })),
        ("interpret-long-key", says("interpret-long-key", &Verdict { facts: vec![key(256)], ..rejected() })),
        ("interpret-long-value", says("interpret-long-value", &Verdict { facts: vec![value], ..rejected() })),
        (
            "interpret-item",
            says("interpret-item", &Verdict { items: vec![("x".to_owned(), Verdict::RETRY)], ..rejected() }),
        ),
    ];
    let deliver = Output::Deliver(vec![Request::default()]);
    guests.into_iter().map(|(name, forge)| (name, forge.returns(&deliver).component())).collect()
}

fn forge(name: &str) -> Forge {
    Forge::new(name).manifest("secrets", if name.starts_with("secret-") { json!({ "key": {} }) } else { json!({}) })
}

/// Guests that take more than they may.
fn resources() -> Vec<(&'static str, Forge)> {
    let whole_memory = 17 * 65_536;
    vec![
        ("loop", forge("loop").transform("(loop (br 0))")),
        ("memory-growth", forge("memory-growth").transform("(loop (drop (memory.grow (i32.const 16))) (br 0))")),
        ("memory-growth-at-once", forge("memory-growth-at-once").transform("(drop (memory.grow (i32.const 60000)))")),
        (
            "table-growth",
            forge("table-growth")
                .items("(table $t 1 funcref)")
                .transform("(loop (drop (table.grow $t (ref.null func) (i32.const 1000))) (br 0))"),
        ),
        (
            "deep-recursion",
            forge("deep-recursion")
                .items("(func $deeper (param i32) (call $deeper (i32.add (local.get 0) (i32.const 1))) (drop (memory.size)))")
                .transform("(call $deeper (i32.const 0))"),
        ),
        (
            // As compiled languages do it: the stack is in memory, and its end is the memory's.
            "deep-recursion-in-memory",
            forge("deep-recursion-in-memory").transform(
                "(local.set $n (i32.const 65536))
                 (loop (local.set $n (i32.sub (local.get $n) (i32.const 4096))) (i32.store (local.get $n) (i32.const 1)) (br 0))",
            ),
        ),
        (
            "recall-flood",
            forge("recall-flood")
                .interprets(&["2xx"], "")
                .transform("(loop (call $recall (i32.const 1024) (i32.const 4) (i32.const 512)) (br 0))"),
        ),
        ("log-flood", forge("log-flood").transform(&format!("(loop {} (br 0))", log(1)))),
        ("log-flood-of-long-lines", forge("log-flood-of-long-lines").transform(&format!("(loop {} (br 0))", log(65_536)))),
        ("host-call-flood", forge("host-call-flood").transform(&format!("(loop {} (br 0))", log(0)))),
        ("log-beyond-memory", forge("log-beyond-memory").transform(&log(whole_memory + 1))),
        ("log-of-no-level", forge("log-of-no-level").transform("(call $log (i32.const 9) (i32.const 0) (i32.const 1))")),
        ("trap", forge("trap").items("(func $my_function (unreachable))").transform("(call $my_function)")),
        ("division-by-zero", forge("division-by-zero").transform("(drop (i32.div_u (i32.const 1) (i32.const 0)))")),
        ("call-of-nothing", forge("call-of-nothing").items("(table $t 1 funcref)").transform("(call_indirect $t (i32.const 0))")),
        (
            "panic",
            forge("panic")
                .items(r#"(data (i32.const 1536) "panicked at src/lib.rs:33:17:\0aboom") (func $my_plugin::card (unreachable))"#)
                .transform("(call $log (i32.const 3) (i32.const 1536) (i32.const 34)) (call $my_plugin::card)"),
        ),
        (
            "throw",
            forge("throw")
                .items(r#"(data (i32.const 1536) "threw KeyError: 'a', at f (a.py:1)") (func $interpreter (unreachable))"#)
                .transform("(call $log (i32.const 3) (i32.const 1536) (i32.const 34)) (call $interpreter)"),
        ),
        // Room that the guest has for what it is given: none at all.
        ("no-room-for-the-event", forge("no-room-for-the-event").items("(func $full (global.set $free (i32.const 1114104))) (start $full)")),
        ("giant-data", forge("giant-data").memory_pages(496).items(&format!("(data (i32.const 1114112) \"{}\")", "x".repeat(24 * 1024 * 1024)))),
    ]
}

/// Guests that look for a way out in what compilers of other languages bring along.
fn wasi() -> Vec<(&'static str, Forge)> {
    let guests = [
        ("wasi-exit", "(call $exit (i32.const 0))"),
        ("wasi-network", "(drop (call $network))"),
        ("wasi-random-bytes", "(call $bytes (i64.const 1099511627776) (i32.const 512))"),
        (
            "wasi-random-flood",
            "(loop (global.set $free (i32.const 65536)) (call $bytes (i64.const 1000000) (i32.const 512)) (br 0))",
        ),
        ("wasi-sleep", "(loop (call $block (call $subscribe (i64.const -1))) (br 0))"),
        ("wasi-wait", "(loop (br_if 0 (i64.lt_u (call $now) (i64.const 3600000000000))))"),
        (
            "wasi-output-flood",
            "(local.set $n (call $stderr))
             (loop (call $write (local.get $n) (i32.const 0) (i32.const 65536) (i32.const 512)) (br 0))",
        ),
    ];
    let last_words = forge("wasi-last-words")
        .wasi()
        .items(r#"(data (i32.const 1536) "Traceback:\0a\0aKeyError: 'a'\0a")"#)
        .transform("(call $write (call $stderr) (i32.const 1536) (i32.const 26) (i32.const 512)) (unreachable)");
    let guests = guests.into_iter().map(|(name, instructions)| (name, forge(name).wasi().transform(instructions)));
    guests.chain([("wasi-last-words", last_words)]).collect()
}

/// Guests that return what is none, or too much.
fn outputs() -> Vec<(&'static str, Forge)> {
    let at = Forge::output_at();
    let store = |offset: u32, value: u32| format!("(i32.store (i32.const {}) (i32.const {value}))", at + offset);
    let skip = Output::Skip("nothing".to_owned());
    let deliver = Output::Deliver(vec![Request::default()]);
    let huge = |bytes| Output::Deliver(vec![Request { json_at: Some((0, bytes)), ..Request::default() }]);
    let overlapping = Request { json_at: Some((ZEROS, 1_000_000)), ..Request::default() };
    let named = |name: &'static str, forge: Forge| (name, forge);
    vec![
        named("huge-result", forge("huge-result").memory_pages(100).returns(&huge(5_000_000))),
        named(
            "overlapping-result",
            forge("overlapping-result").memory_pages(40).returns(&Output::Deliver(vec![overlapping; 400])),
        ),
        named("result-beyond-memory", forge("result-beyond-memory").returns(&huge(2_000_000))),
        named(
            "ten-thousand-requests",
            forge("ten-thousand-requests")
                .memory_pages(40)
                .transform(&(store(12, ZEROS) + &store(16, 10_000)))
                .returns(&deliver),
        ),
        named("a-million-requests", forge("a-million-requests").transform(&store(16, 1_000_000)).returns(&deliver)),
        named(
            "a-hundred-and-one-requests",
            forge("a-hundred-and-one-requests").returns(&Output::Deliver(vec![Request::default(); 101])),
        ),
        named("wild-pointer", forge("wild-pointer").transform("(return (i32.const -16))")),
        named("unaligned-pointer", forge("unaligned-pointer").transform(&format!("(return (i32.const {}))", at + 1))),
        named("no-such-case", forge("no-such-case").transform(&store(8, 7)).returns(&skip)),
        named("unknown-outcome", forge("unknown-outcome").returns(&Output::Other(vec![Field::new("later", "x")]))),
        named(
            "long-failure",
            forge("long-failure").returns(&Output::Failure { code: "c".repeat(100), message: "m".repeat(10) }),
        ),
    ]
}

/// Guests whose one request breaks a rule.
fn requests() -> Vec<(&'static str, Request)> {
    let path = |segment: &str| Request { path: vec!["cards".to_owned(), segment.to_owned()], ..Request::default() };
    let header = |name: &str, value: &str| Request { headers: vec![Field::new(name, value)], ..Request::default() };
    let query = |name: &str| Request { query: vec![Field::new(name, "x")], ..Request::default() };
    let credential = |credential| Request { credentials: vec![credential], ..Request::default() };
    vec![
        ("bad-utf8", Request { label: b"\xff\xfe".to_vec(), ..Request::default() }),
        ("bad-json", Request { json: "{\"a\": ".to_owned(), ..Request::default() }),
        ("deep-json", Request { json: "[".repeat(60_000), ..Request::default() }),
        ("long-label", Request { label: vec![b'x'; 201], ..Request::default() }),
        ("method-trace", Request { method: "TRACE".to_owned(), ..Request::default() }),
        ("method-with-a-line-break", Request { method: "GET / HTTP/1.1\r\nX: ".to_owned(), ..Request::default() }),
        ("header-with-a-line-break", header("X-A", "a\r\nHost: evil.example")),
        ("header-name-with-a-line-break", header("X-A: b\r\nX-B", "a")),
        ("header-host", header("Host", "evil.example")),
        ("header-content-length", header("content-length", "0")),
        ("header-transfer-encoding", header("Transfer-Encoding", "chunked")),
        ("header-cookie", header("Cookie", "a=b")),
        ("header-proxy", header("Proxy-Authorization", "x")),
        ("header-forwarded", header("X-Forwarded-For", "127.0.0.1")),
        ("header-of-the-signature", header("webhook-signature", "v1,x")),
        ("header-authorization", header("Authorization", "Bearer x")),
        (
            "header-twice",
            Request { headers: vec![Field::new("X-A", "1"), Field::new("x-a", "2")], ..Request::default() },
        ),
        (
            "many-headers",
            Request { headers: (0..65).map(|n| Field::new(&format!("x-{n}"), "")).collect(), ..Request::default() },
        ),
        ("long-header", header("X-A", &"x".repeat(8 * 1024))),
        ("path-up", path("..")),
        ("path-up-encoded", path("%2e%2E")),
        ("path-up-encoded-twice", path("%252e%252e")),
        ("path-with-a-slash", path("a/../../admin")),
        ("path-with-an-encoded-slash", path("a%2fb")),
        ("path-with-a-backslash", path("..\\admin")),
        ("path-with-nothing", path("")),
        ("path-with-a-line-break", path("a\r\nb")),
        ("long-path", Request { path: vec!["a".to_owned(); 33], ..Request::default() }),
        ("other-origin", Request { path: vec!["https://evil.example".to_owned()], ..Request::default() }),
        ("query-repeated", query("room")),
        ("query-without-a-name", query("")),
        ("secret-unknown", credential(Credential::header("X-Key", "other"))),
        ("secret-in-the-host-header", credential(Credential::header("Host", "key"))),
        ("secret-in-the-signature", credential(Credential::header("webhook-id", "key"))),
        (
            "secret-over-the-urls-query",
            credential(Credential { placement: 3, name: "room".to_owned(), secret: "key".to_owned() }),
        ),
    ]
}
