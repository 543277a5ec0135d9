//! Which request gets which reply.

use std::collections::VecDeque;

use parking_lot::Mutex;

use super::{Recorded, Reply};

#[derive(Default)]
pub(super) struct Script {
    rules: Mutex<Vec<Rule>>,
}

struct Rule {
    picks: Box<dyn Fn(&Recorded) -> bool + Send + Sync>,
    replies: VecDeque<Reply>,
}

impl Script {
    pub(super) fn add(
        &self,
        picks: impl Fn(&Recorded) -> bool + Send + Sync + 'static,
        replies: impl IntoIterator<Item = Reply>,
    ) {
        let replies: VecDeque<_> = replies.into_iter().collect();
        assert!(!replies.is_empty(), "a rule needs a reply");
        self.rules.lock().push(Rule { picks: Box::new(picks), replies });
    }

    pub(super) fn reply(&self, request: &Recorded) -> Reply {
        let mut rules = self.rules.lock();
        match rules.iter_mut().rev().find(|rule| (rule.picks)(request)) {
            None => Reply::ok(),
            Some(rule) if rule.replies.len() == 1 => rule.replies[0].clone(),
            Some(rule) => rule.replies.pop_front().expect("more than one reply"),
        }
    }
}
