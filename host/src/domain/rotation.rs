//! Signing keys that take over from each other: for a while both sign, so that a receiver can learn the new one.

use super::clock::Millis;
use super::signature::SigningSecret;
use super::webhook::SigningKey;

/// How long the old keys go on signing when nobody says: 24 hours.
pub const OVERLAP_DEFAULT_MS: u64 = 24 * 60 * 60 * 1000;
/// Longest that they can: 30 days.
pub const OVERLAP_MAX_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Most keys that sign at once: each adds a signature to every request.
pub const SIGNING_KEYS_MAX: usize = 5;

/// Why keys are not rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRotated {
    /// There is nothing to take over from.
    #[error("this key is the one in use")]
    SameKey,
    /// There would be too many.
    #[error(
        "{SIGNING_KEYS_MAX} keys sign already; wait until one of them has expired, or revoke the old ones with `overlap_ms` 0"
    )]
    TooMany,
}

/// The keys that sign at this time, newest first.
pub fn valid(keys: &[SigningKey], now: Millis) -> impl Iterator<Item = &SigningKey> {
    keys.iter().filter(move |key| key.expires_at.is_none_or(|expires| now < expires))
}

/// The keys once `new` has taken over: those before it sign for `overlap_ms` more, or as long as they would have if that is
/// less; 0 revokes them at once. What has expired is dropped.
pub fn rotated(
    keys: &[SigningKey],
    new: &SigningSecret,
    overlap_ms: u64,
    now: Millis,
) -> Result<Vec<SigningKey>, NotRotated> {
    if keys.first().is_some_and(|newest| newest.secret == *new) {
        return Err(NotRotated::SameKey);
    }
    let end = now.plus(overlap_ms);
    let old = valid(keys, now).filter(|key| overlap_ms > 0 && key.secret != *new).map(|key| {
        let expires_at = Some(key.expires_at.map_or(end, |expires| expires.min(end)));
        SigningKey { expires_at, ..key.clone() }
    });
    let new = SigningKey { secret: new.clone(), created_at: now, expires_at: None };
    let rotated: Vec<SigningKey> = std::iter::once(new).chain(old).collect();
    if rotated.len() > SIGNING_KEYS_MAX { Err(NotRotated::TooMany) } else { Ok(rotated) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_000_000);

    fn secret(number: u8) -> SigningSecret {
        SigningSecret::from_bytes(&[number; 32]).unwrap()
    }

    fn key(number: u8, expires_at: Option<u64>) -> SigningKey {
        let expires_at = expires_at.map(|ms| Millis(0).plus(ms));
        SigningKey { secret: secret(number), created_at: Millis(0), expires_at }
    }

    /// First byte and expiry of each key.
    fn seen(keys: &[SigningKey]) -> Vec<(u8, Option<i64>)> {
        keys.iter().map(|key| (key.secret.key()[0], key.expires_at.map(|at| at.0))).collect()
    }

    #[test]
    fn rotation_has_an_overlap_and_zero_revokes() {
        let keys = [key(1, None)];
        let with_overlap = rotated(&keys, &secret(2), 5000, NOW).unwrap();
        assert_eq!(seen(&with_overlap), [(2, None), (1, Some(1_005_000))]);
        assert_eq!(with_overlap[0].created_at, NOW);
        assert_eq!(seen(&rotated(&keys, &secret(2), 0, NOW).unwrap()), [(2, None)]);
    }

    #[test]
    fn a_key_signs_until_it_expires_and_not_at_that_moment() {
        let keys = [key(1, None), key(2, Some(1_000_001)), key(3, Some(1_000_000))];
        let now = |now| valid(&keys, now).map(|key| key.secret.key()[0]).collect::<Vec<_>>();
        assert_eq!(now(NOW), [1, 2]);
        assert_eq!(now(NOW.plus(1)), [1]);
    }

    #[test]
    fn expired_keys_are_dropped_and_no_rotation_lengthens_a_life() {
        let keys = [key(1, None), key(2, Some(1_000_500)), key(3, Some(999_999))];
        let rotated = rotated(&keys, &secret(4), 5000, NOW).unwrap();
        assert_eq!(seen(&rotated), [(4, None), (1, Some(1_005_000)), (2, Some(1_000_500))]);
    }

    #[test]
    fn a_key_that_signed_before_can_come_back_and_the_one_in_use_cannot() {
        let keys = [key(2, None), key(1, Some(2_000_000))];
        assert_eq!(rotated(&keys, &secret(2), 5000, NOW).unwrap_err(), NotRotated::SameKey);
        assert_eq!(seen(&rotated(&keys, &secret(1), 5000, NOW).unwrap()), [(1, None), (2, Some(1_005_000))]);
    }

    #[test]
    fn no_more_than_five_keys_sign_at_once() {
        let mut keys = vec![key(0, None)];
        for number in 1..5 {
            keys = rotated(&keys, &secret(number), 5000, NOW).unwrap();
        }
        assert_eq!(keys.len(), SIGNING_KEYS_MAX);
        assert_eq!(rotated(&keys, &secret(9), 5000, NOW).unwrap_err(), NotRotated::TooMany);
        assert_eq!(rotated(&keys, &secret(9), 5000, NOW.plus(5000)).unwrap().len(), 2, "the others have expired");
        assert_eq!(rotated(&keys, &secret(9), 0, NOW).unwrap().len(), 1, "revoking is always possible");
    }
}
