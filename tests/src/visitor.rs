//! Somebody who uses the pages in a browser without scripts: follows links and sends forms.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use reqwest::header::{ACCEPT, COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response};
use serde_json::json;

use crate::api::Api;

/// What the first user of every test signs in with.
pub const EMAIL: &str = "ada@example.com";
pub const PASSWORD: &str = "correct horse battery";

#[derive(Debug)]
pub struct Visitor {
    client: Client,
    base: String,
    cookies: Mutex<BTreeMap<String, String>>,
}

/// What came back.
#[derive(Debug)]
pub struct Seen {
    pub status: u16,
    pub headers: HeaderMap,
    /// Where it leads, if it leads elsewhere.
    pub location: Option<String>,
    pub html: String,
}

impl Seen {
    pub fn has(&self, text: &str) -> bool {
        self.html.contains(text)
    }

    /// What stands between the tags of the page, as whoever reads it sees it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut in_tag = false;
        for c in self.html.chars() {
            match c {
                '<' => in_tag = true,
                '>' if in_tag => {
                    in_tag = false;
                    text.push(' ');
                }
                c if !in_tag => text.push(c),
                _ => {}
            }
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The proof that this page's forms send.
    pub fn csrf(&self) -> String {
        let (_, rest) = self.html.split_once("name=\"csrf\" value=\"").expect("a form with a proof");
        rest.split('"').next().expect("a value").to_owned()
    }

    /// Everything that a form of this page would send to, and every link.
    pub fn targets(&self) -> Vec<String> {
        ["href=\"", "action=\""]
            .iter()
            .flat_map(|mark| self.html.split(mark).skip(1))
            .filter_map(|rest| rest.split('"').next())
            .map(|path| path.replace("&#38;", "&"))
            .collect()
    }
}

impl Visitor {
    /// Somebody who has just come.
    pub fn new(server: &str) -> Self {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().expect("a client");
        Self { client, base: server.to_owned(), cookies: Mutex::default() }
    }

    /// The first user of a fresh server, signed in.
    pub async fn first(server: &str, api: &Api) -> Self {
        let user = json!({ "email": EMAIL, "name": "Ada", "password": PASSWORD });
        api.post("/setup", &user).await.expect("the first user");
        let visitor = Self::new(server);
        visitor.sign_in(EMAIL, PASSWORD).await;
        visitor
    }

    /// A user with exactly these permissions, signed in.
    pub async fn allowed(server: &str, api: &Api, name: &str, permissions: &[&str]) -> Self {
        api.post("/roles", &json!({ "name": name, "permissions": permissions })).await.expect("a role");
        let email = format!("{name}@example.com");
        let user = json!({ "email": email, "name": name, "password": PASSWORD, "roles": [{ "role": name }] });
        api.post("/users", &user).await.expect("a user");
        let visitor = Self::new(server);
        visitor.sign_in(&email, PASSWORD).await;
        visitor
    }

    pub async fn sign_in(&self, email: &str, password: &str) {
        let seen = self.send("/sign-in", &[("/email", email), ("/password", password)]).await;
        assert_eq!((seen.status, seen.location.as_deref()), (303, Some("/")), "{}", seen.text());
    }

    pub async fn get(&self, path: &str) -> Seen {
        let request = self.client.request(Method::GET, format!("{}{path}", self.base)).header(ACCEPT, "text/html");
        self.seen(request.header(COOKIE, self.cookies()).send().await.expect("an answer")).await
    }

    /// A page that must be shown.
    pub async fn page(&self, path: &str) -> Seen {
        let seen = self.get(path).await;
        assert_eq!(seen.status, 200, "{path}: {}", seen.text());
        seen
    }

    /// Sends a form as it stands, without a proof unless it names one.
    pub async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let body = form(fields);
        let request = self.client.request(Method::POST, format!("{}{path}", self.base)).header(ACCEPT, "text/html");
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        self.seen(request.header(COOKIE, self.cookies()).send().await.expect("an answer")).await
    }

    /// Opens a page and sends one of its forms.
    pub async fn submit(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Seen {
        let csrf = self.page(page).await.csrf();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.send(path, &all).await
    }

    /// The page that an answer leads to.
    pub async fn follow(&self, seen: &Seen) -> Seen {
        let to = seen.location.as_deref().unwrap_or_else(|| panic!("{} leads nowhere: {}", seen.status, seen.text()));
        self.page(to).await
    }

    fn cookies(&self) -> String {
        self.cookies.lock().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    async fn seen(&self, response: Response) -> Seen {
        for cookie in response.headers().get_all(SET_COOKIE) {
            let text = cookie.to_str().expect("a cookie is text");
            let (name, value) = text.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
            if text.contains("Max-Age=0") {
                self.cookies.lock().remove(name);
            } else {
                self.cookies.lock().insert(name.to_owned(), value.to_owned());
            }
        }
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Seen { status, headers, location, html: response.text().await.expect("the whole page") }
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    let mut url = reqwest::Url::parse("http://form.invalid/").expect("it is a URL");
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}
