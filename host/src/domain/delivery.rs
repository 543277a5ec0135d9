//! One event on its way to one webhook, and the requests and attempts it is made of.

use serde::{Deserialize, Serialize};

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $text:tt),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum $name {
            $($(#[$case_doc])* #[serde(rename = $text)] $case),+
        }

        impl $name {
            /// Every case.
            pub const ALL: &'static [Self] = &[$(Self::$case),+];

            /// The text in the API and the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$case => $text),+ }
            }

            /// Reads that text.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$case),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(super) use text_enum;

text_enum!(
    /// Where a delivery stands; derived from its requests once it has some.
    DeliveryStatus {
        /// Not tried yet.
        Pending = "pending",
        /// Tried, and will be again.
        Retrying = "retrying",
        /// Every request arrived.
        Succeeded = "succeeded",
        /// Done, and at least one request did not arrive.
        Failed = "failed",
        /// Nothing was sent, on purpose.
        Skipped = "skipped",
        /// The plugin failed; waits to be reprocessed.
        Parked = "parked",
        /// Waits for a person.
        Held = "held",
        /// Given up by a person.
        Cancelled = "cancelled",
        /// Waits to go out in a digest.
        Collecting = "collecting",
        /// Went out in a digest, whose delivery says what became of it.
        Collected = "collected",
    }
);

impl DeliveryStatus {
    /// Whether work is still to come without anybody's doing.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Retrying | Self::Collecting)
    }
}

text_enum!(
    /// Where a request stands.
    RequestStatus {
        /// Not tried yet.
        Pending = "pending",
        /// On its way.
        Sending = "sending",
        /// Tried, and will be again.
        Retrying = "retrying",
        /// Arrived.
        Succeeded = "succeeded",
        /// Did not arrive and will not.
        Failed = "failed",
        /// May have arrived; not tried again.
        Uncertain = "uncertain",
        /// Waits for a person.
        Held = "held",
        /// Given up by a person.
        Cancelled = "cancelled",
    }
);

text_enum!(
    /// Why a delivery exists.
    Trigger {
        /// An event matched.
        Event = "event",
        /// A person asked for it.
        Manual = "manual",
        /// A person tests the webhook.
        Test = "test",
        /// A schedule fired.
        Schedule = "schedule",
        /// Run again after its plugin failed.
        Reprocess = "reprocess",
    }
);

impl Trigger {
    /// Whether a person waits for it: it waits neither for other deliveries nor for a breaker, and is never repeated by
    /// itself.
    pub const fn is_by_hand(self) -> bool {
        matches!(self, Self::Manual | Self::Test)
    }

    /// Whether a failed attempt is tried again by itself.
    pub const fn retries(self) -> bool {
        !self.is_by_hand()
    }
}

text_enum!(
    /// How one attempt ended.
    AttemptOutcome {
        /// Delivered.
        Succeeded = "succeeded",
        /// Not delivered.
        Failed = "failed",
        /// The body was sent and no answer came.
        Uncertain = "uncertain",
    }
);

text_enum!(
    /// What kept an attempt from success.
    ErrorClass {
        /// The receiver answered with another status than 2xx.
        Status = "status",
        /// The plugin read in the answer that it did not arrive, whatever the status says.
        Verdict = "verdict",
        /// The name did not resolve.
        Dns = "dns",
        /// The address is not one that may be called.
        AddressRefused = "address_refused",
        /// No connection.
        Connect = "connect",
        /// The connection could not be secured.
        Tls = "tls",
        /// The time for the attempt was over.
        Timeout = "timeout",
        /// The connection broke while the answer was awaited.
        ConnectionLost = "connection_lost",
        /// The answer was no HTTP.
        InvalidResponse = "invalid_response",
        /// The request could not be made: a secret is missing, or a rule no longer holds.
        InvalidRequest = "invalid_request",
        /// The server stopped while it was sent.
        Interrupted = "interrupted",
    }
);

/// What became of a delivery's requests, for its own status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// All of them.
    pub total: u32,
    /// Those that arrived.
    pub succeeded: u32,
    /// Those that are still open.
    pub open: u32,
    /// Those that wait for a person.
    pub held: u32,
    /// Those given up by a person.
    pub cancelled: u32,
}

impl Tally {
    /// The delivery's status; `tried` says whether any attempt was made.
    pub fn status(self, tried: bool) -> DeliveryStatus {
        if self.total == 0 {
            DeliveryStatus::Skipped
        } else if self.open > 0 {
            if tried { DeliveryStatus::Retrying } else { DeliveryStatus::Pending }
        } else if self.held > 0 {
            DeliveryStatus::Held
        } else if self.succeeded == self.total {
            DeliveryStatus::Succeeded
        } else if self.cancelled > 0 && self.succeeded + self.cancelled == self.total {
            DeliveryStatus::Cancelled
        } else {
            DeliveryStatus::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deliverys_status_follows_from_its_requests() {
        let tally = |total, succeeded, open| Tally { total, succeeded, open, ..Tally::default() };
        assert_eq!(tally(0, 0, 0).status(false), DeliveryStatus::Skipped);
        assert_eq!(tally(4, 0, 4).status(false), DeliveryStatus::Pending);
        assert_eq!(tally(4, 3, 1).status(true), DeliveryStatus::Retrying);
        assert_eq!(tally(4, 4, 0).status(true), DeliveryStatus::Succeeded);
        assert_eq!(tally(4, 3, 0).status(true), DeliveryStatus::Failed);
        assert_eq!(Tally { held: 1, ..tally(4, 3, 0) }.status(true), DeliveryStatus::Held);
        assert_eq!(Tally { cancelled: 1, ..tally(4, 3, 0) }.status(true), DeliveryStatus::Cancelled);
    }

    #[test]
    fn texts_round_trip() {
        for status in DeliveryStatus::ALL {
            assert_eq!(DeliveryStatus::parse(status.as_str()), Some(*status));
        }
        assert_eq!(Trigger::parse("other"), None);
    }
}
