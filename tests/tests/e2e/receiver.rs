//! The scripted receiver itself: the other tests are only worth as much as it is.

use std::time::{Duration, Instant};

use hookwright_tests::receiver::{Receiver, Reply};
use reqwest::Client;

fn client() -> Client {
    Client::builder().no_proxy().build().expect("a client")
}

#[tokio::test]
async fn replies_come_in_turn_and_the_last_one_stays() {
    let receiver = Receiver::start().await;
    receiver.on("/hook", [Reply::status(503).header("retry-after", "7"), Reply::status(201).body("made")]);

    let client = client();
    let mut answers = Vec::new();
    for _ in 0..3 {
        let answer = client.post(receiver.url("/hook?a=b")).body("hello").send().await.expect("an answer");
        let wait = answer.headers().get("retry-after").map(|value| value.as_bytes().to_vec());
        answers.push((answer.status().as_u16(), wait, answer.text().await.expect("a body")));
    }
    let made = (201, None, "made".to_owned());
    assert_eq!(answers, [(503, Some(b"7".to_vec()), String::new()), made.clone(), made]);

    let third = receiver.wait("/hook", 3).await;
    assert_eq!((third.method.as_str(), third.query.as_deref(), third.text()), ("POST", Some("a=b"), "hello"));
    assert_eq!((receiver.count("/hook"), receiver.count("/other")), (3, 0));
}

#[tokio::test]
async fn the_newest_rule_answers() {
    let receiver = Receiver::start().await;
    receiver.on("/hook", [Reply::status(500)]);
    receiver.when(|request| request.text() == "special", [Reply::status(418), Reply::status(204)]);

    let client = client();
    for (body, status) in [("plain", 500), ("special", 418), ("special", 204), ("plain", 500)] {
        let answer = client.post(receiver.url("/hook")).body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn a_waiting_test_is_woken_by_the_request() {
    let receiver = Receiver::start().await;
    let client = client();
    let post = client.post(receiver.url("/late")).body("here").send();
    let (request, answer) = tokio::join!(receiver.wait("/late", 1), post);
    assert_eq!(request.text(), "here");
    assert_eq!(answer.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_cut_is_an_error_and_not_a_timeout() {
    let receiver = Receiver::start().await;
    receiver.on("/cut", [Reply::cut()]);
    let error = client().post(receiver.url("/cut")).body("x").send().await.expect_err("no answer");
    assert!(error.is_request() && !error.is_timeout(), "{error:?}");
    assert_eq!(receiver.wait("/cut", 1).await.text(), "x");
}

#[tokio::test]
async fn a_hang_and_a_delay_keep_the_client_waiting() {
    let receiver = Receiver::start().await;
    receiver.on("/hang", [Reply::hang()]);
    receiver.on("/slow", [Reply::ok().after(Duration::from_millis(80))]);

    let hang = client().get(receiver.url("/hang")).timeout(Duration::from_millis(80)).send().await;
    assert!(hang.expect_err("no answer").is_timeout());

    let start = Instant::now();
    client().get(receiver.url("/slow")).send().await.expect("an answer");
    assert!(start.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn an_endless_body_goes_on_until_the_client_stops() {
    let receiver = Receiver::start().await;
    receiver.on("/endless", [Reply::endless()]);
    let mut answer = client().get(receiver.url("/endless")).send().await.expect("an answer");
    let mut length = 0;
    while length < 4 << 20 {
        length += answer.chunk().await.expect("more").expect("no end").len();
    }
}

#[tokio::test]
async fn an_echo_holds_headers_and_body() {
    let receiver = Receiver::start().await;
    receiver.on("/echo", [Reply::echo().under(202)]);
    let request = client().post(receiver.url("/echo")).header("x-token", "t0ken").body("payload");
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 202);
    assert_eq!(answer.headers()["echo-x-token"], "t0ken");
    let body = answer.text().await.expect("a body");
    assert!(body.contains("t0ken") && body.contains("payload"), "{body}");
}
