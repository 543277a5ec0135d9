//! After the tour: how to go on by hand, and whatever arrives then.

use serde_json::json;

use super::Failure;
use super::api::Api;
use super::page::{Ink, Page, bytes, shorten};
use super::receiver::{PLAIN, Received, Receiver};
use super::server::Server;
use super::signature;
use super::webhooks::Registered;
use crate::domain::entropy::Entropy;

/// Whom people sign in as.
const EMAIL: &str = "demo@example.com";

/// Ends only when it is stopped.
pub(super) async fn show(
    page: Page,
    server: &Server,
    receiver: &mut Receiver,
    webhooks: &[Registered],
) -> Result<(), Failure> {
    let password = format!("look-{:016x}", Entropy::System.id() >> 64);
    let user = json!({ "email": EMAIL, "name": "Demo", "password": password });
    Api::new(&server.url, &server.token)?.set_up(&user).await?;
    Page::print(&how_to_go_on(page, server, &receiver.url, &password))?;
    while let Some(received) = receiver.next().await {
        Page::print(&arrival(page, &received, webhooks))?;
    }
    Ok(())
}

fn how_to_go_on(page: Page, server: &Server, receiver_url: &str, password: &str) -> String {
    let url = &server.url;
    let token_file = server.token_file.display();
    let rule = page.rule("Go on by hand");
    let step = |text: &str| page.ink(Ink::Bold, text);
    format!(
        r#"
{rule}

  The server stays up until Ctrl-C. {look}
    {url}/
    email     {EMAIL}
    password  {password}

  In another terminal:

  {set}
    export HOOKWRIGHT_URL={url}
    export HOOKWRIGHT_TOKEN="$(cat '{token_file}')"
    export RECEIVER_URL={receiver_url}{PLAIN}

  {post}
    curl -sS {url}/api/v1/events -H "Authorization: Bearer $(cat '{token_file}')" \
      -H 'Content-Type: application/json' -d '{event}'

  {list}
    curl -sS {url}/api/v1/deliveries -H "Authorization: Bearer $(cat '{token_file}')"

  {read}
    curl -sS {url}/api/v1/deliveries/dlv_… -H "Authorization: Bearer $(cat '{token_file}')"

  What arrives at the receiver is shown here."#,
        look = step("See all of it in a browser"),
        set = step("set what the README's commands use"),
        post = step("post an event: it goes to five of the webhooks"),
        list = step("list the deliveries"),
        read = step("read one, with the id from the list"),
        event = EVENT,
    )
}

const EVENT: &str = r#"{"type": "ticket.created", "subject": "PAY-18", "payload": {"ticket": {"id": "tkt_318", "key": "PAY-18", "title": "Receipts arrive twice", "status": "open", "url": "https://tickets.example/PAY-18"}}}"#;

fn arrival(page: Page, received: &Received, webhooks: &[Registered]) -> String {
    let signer =
        webhooks.iter().find(|webhook| signature::verify(&webhook.secret, &received.headers, &received.body).is_ok());
    let signed = match signer {
        Some(webhook) => page.mark(true, &format!("signed for {}", webhook.wanted.name)),
        // Somebody's own webhook: its secret is theirs.
        None => "not one of the demo's webhooks, signature not checked".to_owned(),
    };
    let answer = &received.answer;
    let answer = page.mark(answer.is_success(), &format!("{} {}", answer.status, shorten(&answer.body, 50)));
    let target = page.ink(Ink::Bold, &shorten(&format!("{} {}", received.method, received.path), 80));
    let size = bytes(received.body.len() as u64);
    let body = page.body(4, &received.body);
    format!("\n  {target}, {size}  {signed}  {answer}\n{}", body.trim_end_matches('\n'))
}
