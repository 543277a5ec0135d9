use std::path::PathBuf;
use std::{env, fs};

use hookwright_sdk::Request;
use serde::Deserialize;
use serde_json::Value;

use crate::check_request;

#[derive(Deserialize)]
struct Case {
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Requests(Vec<Form>),
    Skip(#[expect(dead_code, reason = "only requests are looked at")] Value),
    Failure(#[expect(dead_code, reason = "only requests are looked at")] Value),
}

#[derive(Deserialize)]
struct Form {
    method: String,
    #[serde(default)]
    path: Vec<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: Option<Body>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Body {
    Json(Value),
    Form(Vec<(String, String)>),
}

/// Checks the requests that the golden cases in `cases/` expect.
///
/// # Panics
/// When one is refused, or when there is none.
pub fn cases(check: impl Fn(&Request)) {
    let folder = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default().join("cases");
    let mut count = 0;
    for file in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = file.expect("a readable folder").path();
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let case: Case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let Expect::Requests(requests) = case.expect else { continue };
        for form in requests {
            let request = Request::new(form.method.parse().expect("a method")).segments(form.path);
            let request = form.headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
            let request = match form.body {
                Some(Body::Json(body)) => request.json(&body),
                Some(Body::Form(fields)) => request.form(fields),
                None => request,
            };
            check_request(&request);
            check(&request);
            count += 1;
        }
    }
    assert!(count > 0, "no case expects a request");
}
