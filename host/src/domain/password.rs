//! Passwords: hashed by Argon2id (RFC 9106) in the PHC string format, and what is asked of them. Slow on purpose: never on a
//! thread that others wait for.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

/// Fewest characters of a password, if the settings do not say (NIST SP 800-63B asks for 8, and for 15 where a password is all
/// there is).
pub const MIN_CHARS_DEFAULT: usize = 12;
/// Most bytes of a password.
pub const MAX_BYTES: usize = 1024;

/// Memory in KiB, passes and lanes.
type Cost = (u32, u32, u32);

/// The first choice of OWASP's cheat sheet that fits 19 MiB.
const COST: Cost = (19 * 1024, 2, 1);
/// More than any hash that this server made; whoever writes to the database must not make it use more.
const COST_MAX: Cost = (1024 * 1024, 16, 16);
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// Why a password is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is easy to guess.
    #[error("has at least {0} characters")]
    TooShort(usize),
    /// It would take long to hash.
    #[error("has at most {MAX_BYTES} bytes")]
    TooLong,
    /// Everybody tries that first.
    #[error("is not the name or the email address")]
    IsTheName,
}

/// Whether a password may be used by the person of this email address and name.
pub fn check(password: &SecretString, min_chars: usize, email: &str, name: &str) -> Result<(), Unfit> {
    let text = password.expose_secret();
    if text.chars().count() < min_chars {
        return Err(Unfit::TooShort(min_chars));
    }
    if text.len() > MAX_BYTES {
        return Err(Unfit::TooLong);
    }
    let is = |other: &str| text.to_lowercase() == other.to_lowercase();
    if is(email) || is(name) { Err(Unfit::IsTheName) } else { Ok(()) }
}

/// A hash as it is stored: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash")
    }
}

impl PasswordHash {
    /// As it was stored.
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// To be stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Hashes a password with a salt that nobody else has.
    pub fn new(password: &SecretString, salt: [u8; SALT_BYTES]) -> Self {
        let (memory, passes, lanes) = COST;
        let hash = hash(password, &salt, COST).expect("the cost is one that Argon2 allows");
        let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
        Self(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}"))
    }

    /// Whether this is the password.
    pub fn is_of(&self, password: &SecretString) -> bool {
        let Some((cost, salt, stored)) = self.parts() else { return false };
        hash(password, &salt, cost).is_some_and(|hash| hash[..].ct_eq(&stored).into())
    }

    fn parts(&self) -> Option<(Cost, Vec<u8>, Vec<u8>)> {
        let [cost, salt, hash]: [&str; 3] =
            self.0.strip_prefix("$argon2id$v=19$")?.split('$').collect::<Vec<_>>().try_into().ok()?;
        let [memory, passes, lanes]: [&str; 3] = cost.split(',').collect::<Vec<_>>().try_into().ok()?;
        let number = |text: &str, name: &str| text.strip_prefix(name)?.parse::<u32>().ok();
        let cost = (number(memory, "m=")?, number(passes, "t=")?, number(lanes, "p=")?);
        let fits = cost.0 <= COST_MAX.0 && cost.1 <= COST_MAX.1 && cost.2 <= COST_MAX.2;
        let decode = |text: &str| STANDARD_NO_PAD.decode(text).ok();
        fits.then_some((cost, decode(salt)?, decode(hash)?))
    }
}

fn hash(password: &SecretString, salt: &[u8], (memory, passes, lanes): Cost) -> Option<[u8; HASH_BYTES]> {
    let params = Params::new(memory, passes, lanes, Some(HASH_BYTES)).ok()?;
    let mut hash = [0; HASH_BYTES];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password.expose_secret().as_bytes(), salt, &mut hash).ok()?;
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn only_the_password_is_the_password() {
        let hash = PasswordHash::new(&secret("correct horse battery"), [7; 16]);
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        let stored = PasswordHash::from_stored(hash.as_str().to_owned());
        assert!(stored.is_of(&secret("correct horse battery")));
        assert!(!stored.is_of(&secret("correct horse batterz")) && !stored.is_of(&secret("")));
        assert_ne!(PasswordHash::new(&secret("correct horse battery"), [8; 16]), hash, "the salt counts");
        assert!(!format!("{hash:?}").contains("argon2id"));
    }

    #[test]
    fn a_hash_of_others_is_understood_and_nonsense_is_nobodys() {
        // From the tests of the reference implementation.
        let reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(PasswordHash::from_stored(reference.to_owned()).is_of(&secret("password")));
        for text in [
            "",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ",
            "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFh",
            "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        ] {
            assert!(!PasswordHash::from_stored(text.to_owned()).is_of(&secret("password")), "{text}");
        }
    }

    #[test]
    fn passwords_have_a_least_and_a_greatest_length() {
        let check = |text: &str| check(&secret(text), 12, "ada@example.com", "Ada of Lovelace");
        assert_eq!(check(&"x".repeat(11)), Err(Unfit::TooShort(12)));
        assert_eq!(check(&"\u{fc}".repeat(12)), Ok(()), "characters, not bytes");
        assert_eq!(check(&"x".repeat(MAX_BYTES)), Ok(()));
        assert_eq!(check(&"x".repeat(MAX_BYTES + 1)), Err(Unfit::TooLong));
        assert_eq!(check("ADA@example.com"), Err(Unfit::IsTheName));
        assert_eq!(check("ada of lovelace"), Err(Unfit::IsTheName));
    }
}
