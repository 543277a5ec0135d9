//! What can happen to a store, as random values. They name webhooks and leases by position, so that every script can be
//! played and every shorter one too.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::domain::delivery::DeliveryStatus;

/// Most steps of a script; half as many on average.
const STEPS_MAX: usize = 99;
/// Webhooks and leases are named by a number below this, taken modulo how many there are.
const NAMES: usize = 60;
/// Results that come together.
const TOGETHER: usize = 6;
/// About one and a half leases, so that some end and some do not.
const WAIT_MAX_MS: u64 = 90_000;

/// What is played, and the seed of the ids and tokens in it.
#[derive(Clone)]
pub(super) struct Script {
    pub(super) seed: u64,
    pub(super) ops: Vec<Op>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ops.iter().try_for_each(|op| writeln!(f, "{op:?}"))
    }
}

#[derive(Debug, Clone)]
pub(super) enum Op {
    Register {
        node: usize,
        transforms: bool,
        /// Whether its deliveries wait for earlier ones of their subject.
        ordered: bool,
    },
    Edit {
        node: usize,
        hook: usize,
    },
    Disable {
        node: usize,
        hook: usize,
    },
    Enable {
        node: usize,
        hook: usize,
    },
    Delete {
        node: usize,
        hook: usize,
    },
    Publish {
        node: usize,
        /// Whether there is a place in hand for its deliveries.
        leased: bool,
        key: Option<usize>,
        subject: u128,
    },
    Claim {
        node: usize,
        total: usize,
        per_webhook: usize,
    },
    /// Results of work, some at once.
    Results(Vec<Outcome>),
    /// A result whose answer was lost is told again.
    Again {
        node: usize,
        result: usize,
    },
    /// A person has a delivery sent again, or also what of it has arrived.
    Resend {
        node: usize,
        delivery: usize,
        all: bool,
    },
    /// A person gives a delivery up.
    Cancel {
        node: usize,
        delivery: usize,
    },
    Wait {
        ms: u64,
    },
    /// To the very moment at which some open work is due or its lease ends, or just before.
    WaitToEdge {
        work: usize,
        before: bool,
    },
    /// The process is gone, and another one comes.
    Crash {
        node: usize,
    },
}

/// What comes of work in hand; which part counts depends on the work.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// A lease that was given, whether or not it still holds.
    pub(super) paper: usize,
    pub(super) transform: Transformed,
    pub(super) end: End,
    /// Given back instead.
    pub(super) postponed: Option<Postponed>,
    /// The attempt is a reason to disable its webhook.
    pub(super) disable: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Transformed {
    Requests {
        leased: bool,
    },
    /// Together with the first one's result.
    Sent {
        leased: bool,
    },
    Settled(DeliveryStatus),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Succeeded,
    Retry { ms: u64 },
    Failed,
    Uncertain,
    Held,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Postponed {
    /// Until then.
    For { ms: u64, counts: bool },
    /// Until the webhook is enabled.
    WhileDisabled,
}

pub(super) fn script() -> impl Strategy<Value = Script> {
    // The seed is not made simpler: another one is another story.
    (any::<u64>().no_shrink(), vec(op(), 1..=STEPS_MAX)).prop_map(|(seed, ops)| Script { seed, ops })
}

fn op() -> impl Strategy<Value = Op> {
    let node = || 0..2_usize;
    let hook = || 0..NAMES;
    prop_oneof![
        2 => (node(), any::<bool>(), any::<bool>())
            .prop_map(|(node, transforms, ordered)| Op::Register { node, transforms, ordered }),
        1 => (node(), hook()).prop_map(|(node, hook)| Op::Edit { node, hook }),
        2 => (node(), hook()).prop_map(|(node, hook)| Op::Disable { node, hook }),
        3 => (node(), hook()).prop_map(|(node, hook)| Op::Enable { node, hook }),
        1 => (node(), hook()).prop_map(|(node, hook)| Op::Delete { node, hook }),
        8 => (node(), any::<bool>(), proptest::option::weighted(0.3, 0..3_usize), 1..=2_u128)
            .prop_map(|(node, leased, key, subject)| Op::Publish { node, leased, key, subject }),
        9 => (node(), 1..=16_usize, 1..=4_usize)
            .prop_map(|(node, total, per_webhook)| Op::Claim { node, total, per_webhook }),
        14 => vec(outcome(), 1..=TOGETHER).prop_map(Op::Results),
        1 => (node(), 0..NAMES).prop_map(|(node, result)| Op::Again { node, result }),
        4 => (node(), 0..NAMES, proptest::bool::weighted(0.3))
            .prop_map(|(node, delivery, all)| Op::Resend { node, delivery, all }),
        2 => (node(), 0..NAMES).prop_map(|(node, delivery)| Op::Cancel { node, delivery }),
        3 => (0..=WAIT_MAX_MS).prop_map(|ms| Op::Wait { ms }),
        5 => (0..NAMES, any::<bool>()).prop_map(|(work, before)| Op::WaitToEdge { work, before }),
        1 => node().prop_map(|node| Op::Crash { node }),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let transform = prop_oneof![
        3 => any::<bool>().prop_map(|leased| Transformed::Requests { leased }),
        3 => any::<bool>().prop_map(|leased| Transformed::Sent { leased }),
        1 => prop_oneof![
            Just(DeliveryStatus::Skipped),
            Just(DeliveryStatus::Parked),
            Just(DeliveryStatus::Failed),
            Just(DeliveryStatus::Cancelled),
        ]
        .prop_map(Transformed::Settled),
    ];
    let end = prop_oneof![
        5 => Just(End::Succeeded),
        4 => (0..=WAIT_MAX_MS).prop_map(|ms| End::Retry { ms }),
        1 => Just(End::Failed),
        1 => Just(End::Uncertain),
        1 => Just(End::Held),
    ];
    let postponed = prop_oneof![
        (0..=WAIT_MAX_MS, any::<bool>()).prop_map(|(ms, counts)| Postponed::For { ms, counts }),
        Just(Postponed::WhileDisabled),
    ];
    (0..NAMES, transform, end, proptest::option::weighted(0.2, postponed), proptest::bool::weighted(0.05))
        .prop_map(|(paper, transform, end, postponed, disable)| Outcome { paper, transform, end, postponed, disable })
}
