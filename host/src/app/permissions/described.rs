//! The description of the API says of every route what the table says.

use std::collections::{BTreeSet, HashSet};

use axum::http::{Method, StatusCode};
use serde_json::Value;

use super::{Access, Key, Server, passes, shape, table};
use crate::api::openapi;

/// Sets of permissions, each enough by itself.
type Needed = BTreeSet<BTreeSet<String>>;

/// What an operation needs of those who come with a token, or with a session.
fn needed(operation: &Value, scheme: &str) -> Needed {
    let all = operation["security"].as_array().into_iter().flatten().filter_map(|one| one[scheme].as_array());
    all.map(|names| names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()).collect()
}

fn operations() -> Vec<(Method, String, Value)> {
    let document: Value = serde_json::from_str(&openapi()).unwrap();
    let of_path = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().clone();
        let path = path.clone();
        methods.into_iter().map(move |(method, told)| (method.to_uppercase().parse().unwrap(), path.clone(), told))
    };
    document["paths"].as_object().unwrap().iter().flat_map(of_path).collect()
}

#[tokio::test]
async fn every_route_is_described_and_nothing_else() {
    let server = Server::start().await;
    let described: HashSet<_> = operations().into_iter().map(|(method, path, _)| (method, shape(&path))).collect();
    let without: Vec<_> = server.known.difference(&described).collect();
    assert!(without.is_empty(), "describe {without:?} (`utoipa::path` at the handler, `paths` in api/openapi)");
    let gone: Vec<_> = described.difference(&server.known).collect();
    assert!(gone.is_empty(), "there is no such route any more: {gone:?}");
}

#[test]
fn who_may_call_what_is_told_as_it_is() {
    let operations = operations();
    let one = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    for row in table() {
        let is_it =
            |(method, path, _): &&(Method, String, Value)| *method == row.method && shape(path) == shape(row.path);
        let Some((_, _, told)) = operations.iter().find(is_it) else { panic!("{} {}", row.method, row.path) };
        let (token, session) = (needed(told, "token"), needed(told, "session"));
        let what = format!("{} {}: {token:?}", row.method, row.path);
        match row.access {
            Access::Public => {
                assert!(told.get("security").is_none_or(|all| all.as_array().unwrap().is_empty()), "{what}");
            }
            Access::Anybody => assert_eq!(token, Needed::from([one(&[])]), "{what}"),
            Access::With(permissions) => {
                let permissions = permissions.iter().map(|permission| one(&[permission.as_str()]));
                assert_eq!(token, permissions.collect::<Needed>(), "{what}");
            }
            Access::Admin => {
                assert!(!token.is_empty(), "{what}");
                assert!(token.iter().all(|all| all.len() > 1 || *all == one(&["admin"])), "{what}");
            }
            Access::Owner => assert_eq!(token, Needed::from([one(&["admin:everywhere"])]), "{what}"),
            Access::Everywhere(permission) => {
                assert_eq!(token, Needed::from([one(&[&format!("{permission}:everywhere")])]), "{what}");
            }
            Access::Person => {
                assert!(session.contains(&one(&[])), "{what}");
                // Somebody else's sessions are looked after by whoever looks after users, who may be a program.
                assert!(token.is_subset(&Needed::from([one(&["admin:everywhere"])])), "{what}");
            }
        }
    }
}

/// Where several permissions are needed together, all of them are enough and all but one are not.
#[tokio::test]
async fn several_permissions_together_are_enough() {
    let server = Server::start().await;
    let project = server.things[0].1.clone();
    let mut tried = 0;
    for (method, path, told) in operations() {
        for all in needed(&told, "token").into_iter().filter(|all| all.len() > 1) {
            let is_it = |row: &super::Row| row.method == method && shape(row.path) == shape(&path);
            let row = table().into_iter().find(is_it).unwrap();
            let names: Vec<&str> = all.iter().map(String::as_str).collect();
            let status = async |names: &[&str]| -> StatusCode {
                let token = server.token(&project, names).await;
                server.status(&row, Key::Token(token["token"].as_str().unwrap())).await
            };
            assert!(passes(status(&names).await), "{method} {path} with {names:?}");
            for without in &names {
                let rest: Vec<&str> = names.iter().copied().filter(|name| name != without).collect();
                assert!(!passes(status(&rest).await), "{method} {path} without {without}");
            }
            tried += 1;
        }
    }
    assert!(tried > 3, "{tried}");
}
