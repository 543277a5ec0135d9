//! Typed ids: a prefix and a UUIDv7 (RFC 9562), so that a wrong kind of id is a parse error and ids sort by time.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::clock::Millis;
use super::described::{self, described};

/// Why a text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id like `{prefix}_` followed by 32 hexadecimal digits")]
pub struct InvalidId {
    /// The prefix that was expected, without the underscore.
    pub prefix: &'static str,
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The prefix, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id for this time; `entropy` comes from the caller's source of randomness.
            pub fn new(now: Millis, entropy: u128) -> Self {
                Self(uuid_v7(now, entropy))
            }

            /// The id as stored.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// When it was made.
            pub fn made_at(self) -> Millis {
                Millis(i64::try_from(self.0.as_u128() >> TIME_SHIFT).unwrap_or(i64::MAX))
            }

            /// The id to be stored.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = InvalidId { prefix: $prefix };
                let hex = text
                    .strip_prefix(concat!($prefix, "_"))
                    .filter(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
                    .ok_or_else(|| invalid.clone())?;
                Uuid::try_parse(hex).map(Self).map_err(|_| invalid)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        described!(
            $name,
            described::text(
                "An id.",
                concat!("^", $prefix, "_[0-9a-f]{32}$"),
                concat!($prefix, "_019c1426fa0074c9a3b1d6e08f5b7a21")
            )
        );
    };
}

id_type!(
    /// A project: everything in it is isolated from every other.
    ProjectId, "prj");
id_type!(
    /// Something that happened at the provider.
    EventId, "evt");
id_type!(
    /// A registered webhook.
    WebhookId, "whk");
id_type!(
    /// One event on its way to one webhook. Its last 16 bits are zero: see [`DeliveryId::request`].
    DeliveryId, "dlv");
id_type!(
    /// One HTTP request of a delivery; also the `webhook-id` that receivers see.
    RequestId, "req");
id_type!(
    /// An immutable version of a plugin.
    PluginVersionId, "plg");
id_type!(
    /// Long work that goes on by itself.
    JobId, "job");
id_type!(
    /// An event that is emitted at certain times.
    ScheduleId, "sch");
id_type!(
    /// An API token.
    TokenId, "tok");
id_type!(
    /// A person.
    UserId, "usr");
id_type!(
    /// A login.
    SessionId, "ses");
id_type!(
    /// A line of the audit log.
    AuditId, "aud");

/// The project of a server that has no others.
pub const DEFAULT_PROJECT: ProjectId = ProjectId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));

/// Bits below the time of an id.
const TIME_SHIFT: u32 = 80;

/// No id that is made at this time or later is smaller, and every one that was made before is.
pub fn first_at(time: Millis) -> Uuid {
    const TIME_MAX: u64 = (1 << 48) - 1;
    Uuid::from_u128(u128::from(u64::try_from(time.0).unwrap_or(0).min(TIME_MAX)) << TIME_SHIFT)
}

/// Bits of a delivery id that number its requests.
const REQUEST_BITS: u128 = 0xffff;

impl DeliveryId {
    /// A new delivery id that has room for its requests.
    pub fn with_room(now: Millis, entropy: u128) -> Self {
        Self(Uuid::from_u128(uuid_v7(now, entropy).as_u128() & !REQUEST_BITS))
    }

    /// The id of this delivery's request at `position` (from 0). It needs no storage and no index: a crash between
    /// making and storing a request cannot change what the receiver sees as `webhook-id`.
    pub fn request(self, position: u16) -> RequestId {
        RequestId(Uuid::from_u128(self.0.as_u128() | (u128::from(position) + 1)))
    }

    /// The highest id that a request of this delivery can have.
    pub fn last_request(self) -> RequestId {
        RequestId(Uuid::from_u128(self.0.as_u128() | REQUEST_BITS))
    }
}

impl RequestId {
    /// The delivery that this request belongs to.
    pub fn delivery(self) -> DeliveryId {
        DeliveryId(Uuid::from_u128(self.0.as_u128() & !REQUEST_BITS))
    }

    /// Which of its delivery's requests this is, from 0.
    pub fn position(self) -> u16 {
        u16::try_from(self.0.as_u128() & REQUEST_BITS).expect("masked to 16 bits").saturating_sub(1)
    }
}

fn uuid_v7(now: Millis, entropy: u128) -> Uuid {
    let millis = u64::try_from(now.0).unwrap_or(0);
    let mut random = [0; 10];
    random.copy_from_slice(&entropy.to_le_bytes()[..10]);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_refuse_other_kinds() {
        let id = EventId::new(Millis(1_700_000_000_000), 42);
        assert_eq!(id.to_string().parse::<EventId>(), Ok(id));
        assert!(id.to_string().parse::<WebhookId>().is_err());
        assert!("evt_".parse::<EventId>().is_err());
        assert!(id.to_string().to_uppercase().parse::<EventId>().is_err());
    }

    #[test]
    fn requests_are_numbered_within_their_delivery() {
        let delivery = DeliveryId::with_room(Millis(1_700_000_000_000), u128::MAX);
        let request = delivery.request(3);
        assert_eq!((request.delivery(), request.position()), (delivery, 3));
        assert!(request.uuid() > delivery.uuid() && request <= delivery.last_request());
    }

    #[test]
    fn ids_tell_when_they_were_made() {
        let at = |millis| EventId::new(Millis(millis), u128::MAX);
        assert_eq!(at(1_700_000_000_123).made_at(), Millis(1_700_000_000_123));
        assert!(at(6).uuid() < first_at(Millis(7)) && first_at(Millis(7)) <= EventId::new(Millis(7), 0).uuid());
        assert_eq!(first_at(Millis(-1)), Uuid::nil());
        assert!(first_at(Millis(i64::MAX)) > at(1_700_000_000_123).uuid());
    }

    #[test]
    fn later_ids_sort_later() {
        assert!(EventId::new(Millis(1), u128::MAX) < EventId::new(Millis(2), 0));
    }
}
