//! The host's functions where there is no host. Each test runs in a thread of its own, so each has its own.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::log::Level;

thread_local! {
    static LOGS: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
    static FACTS: RefCell<BTreeMap<String, String>> = const { RefCell::new(BTreeMap::new()) };
}

pub(crate) fn log(level: Level, message: &str) {
    LOGS.with_borrow_mut(|logs| logs.push((level, message.to_owned())));
}

pub(crate) fn take_logs() -> Vec<(Level, String)> {
    LOGS.take()
}

pub(crate) fn recall(key: &str) -> Option<String> {
    FACTS.with_borrow(|facts| facts.get(key).cloned())
}

pub(crate) fn set_facts(facts: BTreeMap<String, String>) {
    FACTS.set(facts);
}

pub(crate) fn change_fact(key: &str, value: Option<&str>) {
    FACTS.with_borrow_mut(|facts| match value {
        Some(value) => facts.insert(key.to_owned(), value.to_owned()),
        None => facts.remove(key),
    });
}
