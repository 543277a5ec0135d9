//! Verifying as a consumer does, from the Standard Webhooks specification.
//!
//! On purpose not the server's own code: a mistake in signing must not be able to hide here.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::domain::clock::Clock;

const TOLERANCE_SECONDS: u64 = 5 * 60;

/// Whether one of the signatures is made with this secret over exactly these bytes, and not long ago.
pub(super) fn verify(secret: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), &'static str> {
    let now = u64::try_from(Clock::System.now().unix_seconds()).map_err(|_| "the clock stands before 1970")?;
    verify_at(now, secret, headers, body)
}

fn verify_at(now: u64, secret: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), &'static str> {
    let id = text(headers, "webhook-id").ok_or("webhook-id is missing")?;
    let timestamp = text(headers, "webhook-timestamp").ok_or("webhook-timestamp is missing")?;
    let signatures = text(headers, "webhook-signature").ok_or("webhook-signature is missing")?;

    let sent: u64 = timestamp.parse().map_err(|_| "webhook-timestamp is not a number")?;
    if sent.abs_diff(now) > TOLERANCE_SECONDS {
        return Err("webhook-timestamp is more than five minutes off");
    }

    let encoded = secret.strip_prefix("whsec_").ok_or("the secret does not begin with whsec_")?;
    let key = STANDARD.decode(encoded).map_err(|_| "the secret is not base64")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| "the secret has no usable length")?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);

    // Several, while a secret is being rotated.
    let matches = signatures
        .split(' ')
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
        .any(|signature| mac.clone().verify_slice(&signature).is_ok());
    if matches { Ok(()) } else { Err("no signature matches the bytes that arrived") }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::verify_at;

    // The example of the Standard Webhooks specification.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const TIME: u64 = 1_614_265_330;

    fn headers(signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".parse().unwrap());
        headers.insert("webhook-timestamp", "1614265330".parse().unwrap());
        headers.insert("webhook-signature", signature.parse().unwrap());
        headers
    }

    #[test]
    fn accepts_the_specifications_example_alone_and_among_others() {
        let good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(verify_at(TIME, SECRET, &headers(good), BODY), Ok(()));
        let among = format!("v1,AAAA v1a,xyz {good}");
        assert_eq!(verify_at(TIME + 299, SECRET, &headers(&among), BODY), Ok(()));
    }

    #[test]
    fn refuses_other_bytes_other_keys_and_old_ones() {
        let good = headers("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(verify_at(TIME, SECRET, &good, br#"{"test":2432232314}"#).is_err());
        assert!(verify_at(TIME, "whsec_AAAA", &good, BODY).is_err());
        assert!(verify_at(TIME + 301, SECRET, &good, BODY).is_err());
        assert!(verify_at(TIME, SECRET, &headers("v1,"), BODY).is_err());
    }
}
