//! The browser of the tests itself: it must see what would be wrong with a page, or the tests of pages show nothing.

use hookwright_tests::{
    browser::{Browser, NARROW, Scheme, WIDE},
    receiver::{Receiver, Reply},
};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'";

const FORM: &str = r#"<!doctype html><html lang="en"><title>A form</title><main><h1>A form</h1>
<form action="/sent"><label>Name <input name="name"></label>
<label>Kind <select name="kind"><option value="a">First</option><option value="b">Second</option></select></label>
<label><input type="checkbox" name="sure"> Sure</label>
<button>Send it</button></form><p hidden>secret words</p>
<table><caption>Rows</caption><tr><th scope="row">One</th><td><a href="/one">Open</a></td></tr>
<tr><th scope="row">Two</th><td><a href="/two">Open</a></td></tr></table></main>"#;

const SCRIPT: &str = "document.addEventListener('keydown', event => {
    if (event.key === 'Enter' && event.ctrlKey) document.title = 'run';
});
setTimeout(() => document.querySelector('h1').textContent = 'Later', 50);";

async fn site(pages: &[(&str, &str)]) -> Receiver {
    let receiver = Receiver::start().await;
    for (path, html) in pages {
        let media_type = if std::path::Path::new(path).extension().is_some() { "text/javascript" } else { "text/html" };
        let reply = Reply::ok().header("content-type", media_type).header("content-security-policy", POLICY);
        receiver.on(path, [reply.body((*html).to_owned())]);
    }
    receiver.on("/favicon.ico", [Reply::status(204)]);
    receiver
}

#[tokio::test]
async fn people_find_their_way_by_mouse_and_by_keyboard() {
    let sent = "<!doctype html><html lang=en><title>Sent</title><main><h1>Sent</h1></main>";
    let site = site(&[("/form", FORM), ("/sent", sent), ("/two", sent)]).await;
    let browser = Browser::start().await;
    let tab = browser.tab(&site.url("")).await;
    for scripts in [true, false] {
        tab.scripts(scripts).await;
        tab.goto("/form").await;
        tab.heading("A form").await;
        assert!(!tab.text().await.contains("secret words"));
        tab.fill("Name", "Ada & Bob").await;
        tab.choose("Kind", "Second").await;
        tab.field("Sure").await.tick(&tab, true).await;
        tab.follow("button", "Send it").await;
        assert_eq!(tab.path().await, "/sent?name=Ada+%26+Bob&kind=b&sure=on");
        assert_eq!(tab.title().await, "Sent");
    }
    tab.scripts(true).await;
    tab.goto("/form").await;
    tab.tab_to("textbox", "Name").await;
    tab.type_text("Cy").await;
    tab.tab_to("field", "Kind").await;
    tab.press("ArrowDown").await;
    tab.tab_to("checkbox", "Sure").await;
    tab.press(" ").await;
    tab.press("Tab").await;
    tab.press_to_load("Enter").await;
    assert_eq!(tab.path().await, "/sent?name=Cy&kind=b&sure=on");
    tab.back().await;
    let row = tab.row("Two").await;
    let link = row.find(&tab, "link", "Open").await;
    tab.loads("the link in the second row", link.click(&tab)).await;
    assert_eq!(tab.path().await, "/two");
    tab.is_clean().await;
    // Somebody else has cookies of their own.
    tab.evaluate("document.cookie = 'who=me'").await;
    let stranger = browser.stranger(&site.url("")).await;
    stranger.goto("/form").await;
    assert_eq!(stranger.evaluate("document.cookie").await, "");
}

#[tokio::test]
async fn what_is_wrong_with_a_page_is_seen() {
    let page =
        |body: &str| format!("<!doctype html><html lang=en><title>A page</title><main><h1>Now</h1>{body}</main>");
    let wrong = page("<p id=pale>pale</p><link rel=stylesheet href=/pale.css><img src=/nothing><input>");
    let wide = page("<div>wide</div><link rel=stylesheet href=/wide.css>");
    let site = site(&[
        ("/inline", page("<script>document.title = 'ran'</script>").as_str()),
        ("/alert", page("<script src=/alert.js></script>").as_str()),
        ("/alert.js", "alert('here'); console.error('said'); throw new Error('thrown')"),
        ("/later", page("<script src=/later.js></script>").as_str()),
        ("/later.js", SCRIPT),
        ("/wrong", wrong.as_str()),
        ("/wide", wide.as_str()),
        ("/good", page("<p>good</p>").as_str()),
    ])
    .await;
    site.on("/pale.css", [Reply::ok().header("content-type", "text/css").body("#pale { color: #ddd }")]);
    site.on("/wide.css", [Reply::ok().header("content-type", "text/css").body("div { width: 900px }")]);
    site.on("/nothing", [Reply::status(404)]);
    let browser = Browser::start().await;
    let tab = browser.tab(&site.url("")).await;

    tab.goto("/inline").await;
    assert_eq!(tab.title().await, "A page", "the policy holds");
    tab.until("the policy's report is seen", async || {
        tab.problems().iter().any(|told| told.starts_with("policy")).then_some(())
    })
    .await;
    tab.forget();
    tab.goto("/alert").await;
    for kind in ["dialog: here", "console", "exception"] {
        tab.until(kind, async || tab.problems().iter().any(|told| told.starts_with(kind)).then_some(())).await;
    }
    tab.forget();

    tab.goto("/later").await;
    tab.heading("Later").await;
    tab.press("Control+Enter").await;
    tab.until("the script sees keys", async || (tab.title().await == "run").then_some(())).await;
    tab.scripts(false).await;
    tab.goto("/later").await;
    tab.heading("Now").await;
    tab.scripts(true).await;
    tab.is_clean().await;

    tab.goto("/wrong").await;
    let barriers = tab.barriers().await;
    let rules: Vec<&str> = barriers.iter().map(|barrier| barrier.id.as_str()).collect();
    for rule in ["color-contrast", "image-alt", "label"] {
        assert!(rules.contains(&rule), "{rules:?}");
    }
    assert!(tab.loaded().await.iter().any(|one| one.url.ends_with("/nothing") && one.status == 404));
    tab.forget();
    tab.goto("/good").await;
    tab.is_accessible().await;

    let weight: f64 = tab.weigh("/wide").await.iter().map(|one| one.bytes).sum();
    assert!((200.0..5000.0).contains(&weight), "{weight}");
    assert_eq!(tab.overflow().await, Vec::<String>::new());
    tab.resize(NARROW).await;
    assert!(!tab.overflow().await.is_empty());
    tab.resize(WIDE).await;
    for scheme in [Scheme::Dark, Scheme::Light] {
        tab.prefer(scheme).await;
        let query = format!("matchMedia('(prefers-color-scheme: {})').matches", scheme.as_str());
        assert_eq!(tab.evaluate(&query).await, true);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("page.png");
    tab.picture(&file).await;
    assert!(std::fs::read(&file).expect("a picture").starts_with(b"\x89PNG"));
}
