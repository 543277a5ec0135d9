//! Failed logins are few, however many nodes there are.

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::store::{LoginKey, LoginLimit};

on_both!(
    one_user_is_not_tried_for_ever_from_whichever_address,
    a_login_that_succeeds_is_no_failure,
    logins_at_the_same_time_are_counted_each,
);

const WINDOW_MS: u64 = 10_000;

fn limit(key: u8, most: u32) -> LoginLimit {
    LoginLimit { key: LoginKey([key; 32]), most }
}

impl Stage {
    async fn tried(&self, limits: &[LoginLimit], at: Millis) -> Option<u64> {
        self.store.begin_login(limits.to_vec(), WINDOW_MS, at).await.unwrap()
    }
}

async fn one_user_is_not_tried_for_ever_from_whichever_address(stage: Stage) {
    let (user, other) = (limit(1, 2), limit(2, 2));
    let at = async |address, ms| stage.tried(&[user, limit(address, 100)], NOW.plus(ms)).await;
    assert_eq!((at(10, 0).await, at(11, 500).await), (None, None));
    assert_eq!(at(12, 9_001).await, Some(999));
    assert_eq!(stage.tried(&[other, limit(12, 1)], NOW.plus(9_001)).await, None, "what was refused was not counted");
    assert_eq!(at(12, 10_000).await, None, "another window");
    assert_eq!(at(12, 10_001).await, None);
    assert_eq!(at(12, 10_002).await, Some(9_998));
    assert_eq!(stage.store.forget_login_failures(NOW.plus(10_000)).await.unwrap(), 4);
}

async fn a_login_that_succeeds_is_no_failure(stage: Stage) {
    let (user, address) = (limit(1, 2), limit(2, 2));
    for _ in 0..5 {
        assert_eq!(stage.tried(&[user, address], NOW).await, None);
        stage.store.login_succeeded(user.key, Some(address.key)).await.unwrap();
    }
    // The address keeps what else failed there.
    assert_eq!(stage.tried(&[limit(3, 2), address], NOW).await, None);
    assert_eq!(stage.tried(&[user, address], NOW).await, None);
    stage.store.login_succeeded(user.key, Some(address.key)).await.unwrap();
    assert_eq!(stage.tried(&[user, address], NOW).await, None);
    assert_eq!(stage.tried(&[user, address], NOW).await, Some(WINDOW_MS));
}

async fn logins_at_the_same_time_are_counted_each(stage: Stage) {
    let limits = [limit(1, 3), limit(2, 100)];
    let tries = (0..8).map(|_| stage.tried(&limits, NOW));
    let let_through = futures_util::future::join_all(tries).await.into_iter().filter(Option::is_none).count();
    assert_eq!(let_through, 3);
}
