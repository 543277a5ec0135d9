//! When to try again, and whether at all. Each rule is a line of `Rules` in the design's "By status".

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::clock::Millis;
use super::delivery::{ErrorClass, Trigger};
use super::described::{self, described};
use super::verdict::{Decision, Verdict};
use super::webhook::OnUncertain;

/// Most attempts that a schedule may have.
pub const ATTEMPTS_MAX: usize = 50;
/// Longest wait between two attempts, also when the receiver asks for more: 24 hours.
pub const WAIT_MAX_MS: u64 = 24 * 60 * 60 * 1000;
/// Waits vary by this share up and down, so that retries of one outage do not come at once.
const JITTER: f64 = 0.2;
/// Shortest wait that a plugin may ask for, in milliseconds.
pub const ASKED_WAIT_MIN_MS: u64 = 1000;

/// When to try: a wait in milliseconds before each attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Schedule(Vec<u64>);

/// Why a schedule is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// Too few or too many.
    #[error("a schedule has 1 to {ATTEMPTS_MAX} attempts")]
    Attempts,
    /// Too long a wait.
    #[error("a wait is at most {WAIT_MAX_MS} ms (24 hours)")]
    Wait,
    /// Not a factor.
    #[error("`factor` is 1 to 100")]
    Factor,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exponential {
    initial_ms: u64,
    factor: f64,
    max_ms: u64,
    attempts: usize,
}

impl Schedule {
    /// A schedule of these waits before each attempt, the first one's among them.
    pub fn list(waits_ms: Vec<u64>) -> Result<Self, InvalidSchedule> {
        if waits_ms.is_empty() || waits_ms.len() > ATTEMPTS_MAX {
            return Err(InvalidSchedule::Attempts);
        }
        if waits_ms.iter().any(|wait| *wait > WAIT_MAX_MS) {
            return Err(InvalidSchedule::Wait);
        }
        Ok(Self(waits_ms))
    }

    /// At once, then waits that grow by `factor` from `initial_ms` up to `max_ms`.
    pub fn exponential(initial_ms: u64, factor: f64, max_ms: u64, attempts: usize) -> Result<Self, InvalidSchedule> {
        if !(1.0..=100.0).contains(&factor) {
            return Err(InvalidSchedule::Factor);
        }
        if !(1..=ATTEMPTS_MAX).contains(&attempts) {
            return Err(InvalidSchedule::Attempts);
        }
        if initial_ms > WAIT_MAX_MS || max_ms > WAIT_MAX_MS {
            return Err(InvalidSchedule::Wait);
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "waits are bounded by 24 hours"
        )]
        let wait = |n: i32| ((initial_ms as f64 * factor.powi(n)).min(max_ms as f64)) as u64;
        let growing = (0..i32::try_from(attempts).unwrap_or(i32::MAX) - 1).map(wait);
        Self::list(std::iter::once(0).chain(growing).collect())
    }

    /// How many attempts there are.
    pub fn attempts(&self) -> usize {
        self.0.len()
    }

    /// The wait before attempt `number` (from 1), without jitter; none when there is no such attempt.
    pub fn wait_before(&self, number: u32) -> Option<u64> {
        usize::try_from(number).ok()?.checked_sub(1).and_then(|index| self.0.get(index)).copied()
    }
}

impl Default for Schedule {
    /// The example of Standard Webhooks: ten attempts over three days.
    fn default() -> Self {
        const MINUTE: u64 = 60 * 1000;
        const HOUR: u64 = 60 * MINUTE;
        Self(vec![0, 5000, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR])
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By hand, so that a mistake inside is told at its own field.
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = Schedule;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of waits in ms, or {initial_ms, factor, max_ms, attempts}")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut waits: A) -> Result<Schedule, A::Error> {
                let mut list = Vec::new();
                while let Some(wait) = waits.next_element()? {
                    list.push(wait);
                }
                Schedule::list(list).map_err(serde::de::Error::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Schedule, A::Error> {
                let e = Exponential::deserialize(MapAccessDeserializer::new(map))?;
                Schedule::exponential(e.initial_ms, e.factor, e.max_ms, e.attempts).map_err(serde::de::Error::custom)
            }
        }

        deserializer.deserialize_any(Forms)
    }
}

described!(
    Schedule,
    described::json(json!({
        "description": "Waits in ms before each attempt, the first one's among them; or waits that grow. Shown as a list.",
        "oneOf": [
            {
                "type": "array",
                "items": { "type": "integer", "format": "int64", "minimum": 0, "maximum": WAIT_MAX_MS },
                "minItems": 1,
                "maxItems": ATTEMPTS_MAX,
            },
            {
                "type": "object",
                "description": "At once, then waits that grow by `factor` from `initial_ms` up to `max_ms`.",
                "required": ["initial_ms", "factor", "max_ms", "attempts"],
                "properties": {
                    "initial_ms": { "type": "integer", "format": "int64", "minimum": 0, "maximum": WAIT_MAX_MS },
                    "factor": { "type": "number", "minimum": 1.0, "maximum": 100.0 },
                    "max_ms": { "type": "integer", "format": "int64", "minimum": 0, "maximum": WAIT_MAX_MS },
                    "attempts": { "type": "integer", "minimum": 1, "maximum": ATTEMPTS_MAX },
                },
                "additionalProperties": false,
            },
        ],
        "examples": [[0, 5000, 300_000]],
    }))
);

/// A wait with jitter; `entropy` spreads it evenly over ±20 %.
pub fn jittered(wait_ms: u64, entropy: u32) -> u64 {
    let share = f64::from(entropy) / f64::from(u32::MAX);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "waits are bounded by 24 hours"
    )]
    let wait = (wait_ms as f64 * (1.0 - JITTER + 2.0 * JITTER * share)) as u64;
    wait
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds or an HTTP date in any of its three forms (§5.6.7), as a wait from `now`, at
/// most 24 hours.
pub fn retry_after_ms(value: &str, now: Millis) -> Option<u64> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are simply very long.
        value.parse::<u64>().map_or(u64::MAX, |seconds| seconds.saturating_mul(1000))
    } else {
        Millis(http_date_ms(value)?).since(now)
    };
    Some(wait.min(WAIT_MAX_MS))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, and as older servers write it: with the whole day and two digits of the year, or as
/// `asctime` of C does.
fn http_date_ms(text: &str) -> Option<i64> {
    const OLDER: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    if let Ok(date) = chrono::DateTime::parse_from_rfc2822(text) {
        return Some(date.timestamp_millis());
    }
    let older = |form| chrono::NaiveDateTime::parse_from_str(text, form).ok();
    OLDER.into_iter().find_map(older).map(|date| date.and_utc().timestamp_millis())
}

/// How an attempt ended, as far as the next step depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The receiver answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// The wait it asked for in milliseconds, already bounded.
        retry_after_ms: Option<u64>,
    },
    /// No answer.
    Broken {
        /// Why.
        class: ErrorClass,
        /// Whether the receiver may have got the request.
        body_sent: bool,
    },
}

/// What the next step depends on besides the ending.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// When to try.
    pub schedule: &'a Schedule,
    /// The attempt that ended, from 1.
    pub attempt: u32,
    /// Why the delivery exists.
    pub trigger: Trigger,
    /// Whether a plugin made the request.
    pub by_plugin: bool,
    /// Whether it went to the webhook's own URL, not below it.
    pub to_own_url: bool,
    /// What to do when nobody knows whether it arrived.
    pub on_uncertain: OnUncertain,
}

/// What happens to a request after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// It arrived.
    Succeeded,
    /// Try again after so many milliseconds.
    Retry {
        /// The wait.
        wait_ms: u64,
    },
    /// It did not arrive and will not.
    Failed {
        /// Why, for people.
        reason: String,
        /// Whether the webhook's destination is gone.
        disable: bool,
    },
    /// It may have arrived and is not tried again by itself.
    Uncertain,
    /// It may have arrived; a person decides.
    Held,
}

enum ByStatus {
    Done,
    Retry,
    Final,
    Gone,
}

/// The rules by status: 2xx is done; 408, 425, 429 and 5xx retry; 3xx is never followed. Other 3xx and 4xx are retried
/// without a plugin (Standard Webhooks: only 2xx is success); with one, what no repetition would change is
/// final. 410 says that the destination is gone, when it was the webhook's own URL.
fn by_status(status: u16, by_plugin: bool, to_own_url: bool) -> ByStatus {
    match status {
        200..=299 => ByStatus::Done,
        410 if to_own_url => ByStatus::Gone,
        410 => ByStatus::Final,
        400 | 404 | 405 | 409 | 413 | 415 | 422 if by_plugin => ByStatus::Final,
        _ => ByStatus::Retry,
    }
}

/// Whether a person decides what becomes of a request that may have arrived. Whoever triggered it by hand sees that anyway.
fn is_held(situation: Situation<'_>) -> bool {
    situation.on_uncertain == OnUncertain::Hold && situation.trigger.retries()
}

/// What happens after an attempt. `verdict` is what the plugin made of the answer, if it was asked; `entropy` makes the
/// jitter.
pub fn next_step(situation: Situation<'_>, ending: &Ending, verdict: Option<&Verdict>, entropy: u32) -> NextStep {
    let again = |asked_ms: Option<u64>, because: String| {
        let wait = situation.trigger.retries().then(|| situation.schedule.wait_before(situation.attempt + 1)).flatten();
        match wait {
            // A receiver may ask for a longer wait, never for a shorter one than the schedule's.
            Some(wait_ms) => NextStep::Retry { wait_ms: jittered(wait_ms, entropy).max(asked_ms.unwrap_or(0)) },
            None => NextStep::Failed { reason: because, disable: false },
        }
    };
    if let (Ending::Answered { retry_after_ms, .. }, Some(verdict)) = (ending, verdict) {
        let said = || verdict.message.clone().unwrap_or_else(|| "the plugin says so".to_owned());
        let failed = |reason: String, disable| NextStep::Failed { reason, disable };
        match verdict.decision {
            Decision::ByStatus => {}
            Decision::Delivered => return NextStep::Succeeded,
            Decision::Retry => {
                let because = format!("the last of {} attempts did not arrive: {}", situation.attempt, said());
                return match (again(*retry_after_ms, because), verdict.wait_ms) {
                    // The plugin knows its receiver better than the schedule does.
                    (NextStep::Retry { .. }, Some(asked_ms)) => {
                        NextStep::Retry { wait_ms: asked_ms.clamp(ASKED_WAIT_MIN_MS, WAIT_MAX_MS) }
                    }
                    (step, _) => step,
                };
            }
            Decision::Rejected => return failed(format!("rejected: {}", said()), false),
            Decision::Disable => return failed(format!("the destination is of no use any more: {}", said()), true),
            Decision::Uncertain if is_held(situation) => return NextStep::Held,
            Decision::Uncertain => {
                return match again(verdict.wait_ms, String::new()) {
                    NextStep::Failed { .. } => NextStep::Uncertain,
                    step => step,
                };
            }
        }
    }
    match *ending {
        Ending::Answered { status, retry_after_ms } => {
            match by_status(status, situation.by_plugin, situation.to_own_url) {
                ByStatus::Done => NextStep::Succeeded,
                ByStatus::Retry => {
                    again(retry_after_ms, format!("the last of {} attempts was answered {status}", situation.attempt))
                }
                ByStatus::Final => NextStep::Failed {
                    reason: format!("answered {status}, which no repetition would change"),
                    disable: false,
                },
                ByStatus::Gone => {
                    NextStep::Failed { reason: "answered 410: the destination is gone".to_owned(), disable: true }
                }
            }
        }
        Ending::Broken { body_sent: true, .. } if is_held(situation) => NextStep::Held,
        Ending::Broken { class, body_sent } => {
            match again(None, format!("the last of {} attempts ended with {class}", situation.attempt)) {
                NextStep::Failed { .. } if body_sent => NextStep::Uncertain,
                step => step,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIDDLE: u32 = u32::MAX / 2;

    fn situation(schedule: &Schedule) -> Situation<'_> {
        Situation {
            schedule,
            attempt: 1,
            trigger: Trigger::Event,
            by_plugin: false,
            to_own_url: true,
            on_uncertain: OnUncertain::Retry,
        }
    }

    fn answered(status: u16) -> Ending {
        Ending::Answered { status, retry_after_ms: None }
    }

    #[test]
    fn by_status_without_a_plugin_only_2xx_is_success_and_all_else_retries() {
        let schedule = Schedule::default();
        for status in (200..600).filter(|status| *status != 410) {
            let step = next_step(situation(&schedule), &answered(status), None, MIDDLE);
            if status < 300 {
                assert_eq!(step, NextStep::Succeeded, "{status}");
            } else {
                assert!(matches!(step, NextStep::Retry { .. }), "{status}: {step:?}");
            }
        }
    }

    #[test]
    fn by_status_with_a_plugin_what_no_repetition_changes_is_final() {
        let schedule = Schedule::default();
        let situation = Situation { by_plugin: true, ..situation(&schedule) };
        let last = Situation { attempt: 10, ..situation };
        for status in 200..600 {
            let step = next_step(situation, &answered(status), None, MIDDLE);
            match status {
                200..=299 => assert_eq!(step, NextStep::Succeeded, "{status}"),
                400 | 404 | 405 | 409 | 413 | 415 | 422 => {
                    assert!(matches!(step, NextStep::Failed { disable: false, .. }), "{status}: {step:?}");
                }
                410 => {}
                _ => {
                    assert!(matches!(step, NextStep::Retry { .. }), "{status}: {step:?}");
                    let step = next_step(last, &answered(status), None, MIDDLE);
                    assert!(matches!(step, NextStep::Failed { disable: false, .. }), "{status}: {step:?}");
                }
            }
        }
    }

    #[test]
    fn gone_disables_at_the_own_url_and_is_final_below_it() {
        let schedule = Schedule::default();
        for (by_plugin, to_own_url, disables) in [(false, true, true), (true, true, true), (true, false, false)] {
            let situation = Situation { by_plugin, to_own_url, ..situation(&schedule) };
            match next_step(situation, &answered(410), None, MIDDLE) {
                NextStep::Failed { disable, .. } => assert_eq!(disable, disables, "{situation:?}"),
                step => panic!("{situation:?}: {step:?}"),
            }
        }
    }

    #[test]
    fn the_default_schedule_is_ten_attempts_over_three_days() {
        let (minute, hour) = (60_000, 3_600_000);
        let waits = [0, 5000, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour];
        let schedule = Schedule::default();
        assert_eq!(schedule.attempts(), waits.len());
        for (number, wait) in (1..).zip(waits) {
            assert_eq!(schedule.wait_before(number), Some(wait));
        }
        assert_eq!((schedule.wait_before(0), schedule.wait_before(11)), (None, None));
        for (entropy, share) in [(0, 8), (MIDDLE, 10), (u32::MAX, 12)] {
            let step = next_step(situation(&schedule), &answered(500), None, entropy);
            assert!(matches!(step, NextStep::Retry { wait_ms } if wait_ms.abs_diff(500 * share) <= 1), "{step:?}");
        }
    }

    #[test]
    fn transport_errors_retry_with_and_without_a_plugin() {
        let schedule = Schedule::default();
        let last = Situation { attempt: 10, ..situation(&schedule) };
        for class in [
            ErrorClass::Dns,
            ErrorClass::AddressRefused,
            ErrorClass::Connect,
            ErrorClass::Tls,
            ErrorClass::Timeout,
            ErrorClass::ConnectionLost,
            ErrorClass::InvalidResponse,
            ErrorClass::InvalidRequest,
        ] {
            let broken = Ending::Broken { class, body_sent: false };
            for by_plugin in [false, true] {
                let step = next_step(Situation { by_plugin, ..situation(&schedule) }, &broken, None, MIDDLE);
                assert!(matches!(step, NextStep::Retry { .. }), "{class}: {step:?}");
            }
            let step = next_step(last, &broken, None, MIDDLE);
            assert!(matches!(step, NextStep::Failed { disable: false, .. }), "{class}: {step:?}");
        }
    }

    #[test]
    fn attempts_end_with_the_schedule() {
        let schedule = Schedule::list(vec![0, 10]).unwrap();
        let last = Situation { attempt: 2, ..situation(&schedule) };
        assert!(matches!(next_step(last, &answered(500), None, MIDDLE), NextStep::Failed { disable: false, .. }));
    }

    #[test]
    fn retry_after_lengthens_a_wait_and_never_shortens_it() {
        let schedule = Schedule::default();
        let step = |ms| {
            next_step(situation(&schedule), &Ending::Answered { status: 503, retry_after_ms: Some(ms) }, None, MIDDLE)
        };
        assert_eq!(step(60_000), NextStep::Retry { wait_ms: 60_000 });
        assert!(matches!(step(1), NextStep::Retry { wait_ms: 4990..=5010 }), "{:?}", step(1));
    }

    #[test]
    fn retry_after_takes_seconds_and_dates_up_to_a_day() {
        let now = Millis::parse("2026-01-31T12:00:00Z").unwrap();
        assert_eq!(retry_after_ms("120", now), Some(120_000));
        assert_eq!(retry_after_ms("0", now), Some(0));
        assert_eq!(retry_after_ms("1000000000", now), Some(WAIT_MAX_MS));
        assert_eq!(retry_after_ms("99999999999999999999999", now), Some(WAIT_MAX_MS));
        for date in ["Sat, 31 Jan 2026 12:00:30 GMT", "Saturday, 31-Jan-26 12:00:30 GMT", "Sat Jan 31 12:00:30 2026"] {
            assert_eq!(retry_after_ms(date, now), Some(30_000), "{date}");
        }
        assert_eq!(retry_after_ms("Sun Feb  1 13:00:00 2026", now), Some(WAIT_MAX_MS), "an hour more than a day");
        assert_eq!(retry_after_ms("86400", now), Some(WAIT_MAX_MS));
        assert_eq!(retry_after_ms("86399", now), Some(WAIT_MAX_MS - 1000));
        assert_eq!(retry_after_ms("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(0));
        assert_eq!(retry_after_ms("Sunday, 06-Nov-94 08:49:37 GMT", now), Some(0));
        assert_eq!(retry_after_ms("Sun Nov  6 08:49:37 1994", now), Some(0));
        assert_eq!(retry_after_ms("Fri, 30 Jan 2026 12:00:00 GMT", now), Some(0));
        assert_eq!(retry_after_ms("soon", now), None);
        for none in ["-5", "", " ", "1.5", "Sat, 31 Jan 2026", "2026-01-31T12:00:30Z"] {
            assert_eq!(retry_after_ms(none, now), None, "{none}");
        }
    }

    #[test]
    fn uncertain_is_retried_or_held_as_the_webhook_says() {
        let schedule = Schedule::default();
        let lost = Ending::Broken { class: ErrorClass::Timeout, body_sent: true };
        assert!(matches!(next_step(situation(&schedule), &lost, None, MIDDLE), NextStep::Retry { .. }));
        let hold = Situation { on_uncertain: OnUncertain::Hold, ..situation(&schedule) };
        assert_eq!(next_step(hold, &lost, None, MIDDLE), NextStep::Held);
        let refused = Ending::Broken { class: ErrorClass::Connect, body_sent: false };
        assert!(matches!(next_step(hold, &refused, None, MIDDLE), NextStep::Retry { .. }));
        let last = Situation { attempt: 10, ..situation(&schedule) };
        assert_eq!(next_step(last, &lost, None, MIDDLE), NextStep::Uncertain);
    }

    #[test]
    fn a_verdict_goes_before_the_status() {
        let schedule = Schedule::default();
        let step = |situation, status, decision, wait_ms| {
            let message = Some("why".to_owned());
            let verdict = Verdict { decision, message, wait_ms, link: None, facts: Vec::new(), items: Vec::new() };
            next_step(situation, &answered(status), Some(&verdict), MIDDLE)
        };
        let first = situation(&schedule);
        assert_eq!(step(first, 409, Decision::Delivered, None), NextStep::Succeeded);
        assert!(matches!(step(first, 200, Decision::Retry, None), NextStep::Retry { wait_ms: 4990..=5010 }));
        assert_eq!(step(first, 200, Decision::Retry, Some(90_000)), NextStep::Retry { wait_ms: 90_000 });
        assert_eq!(step(first, 200, Decision::Retry, Some(0)), NextStep::Retry { wait_ms: ASKED_WAIT_MIN_MS });
        assert_eq!(step(first, 200, Decision::Retry, Some(u64::MAX)), NextStep::Retry { wait_ms: WAIT_MAX_MS });
        let last = Situation { attempt: 10, ..first };
        let ended = "the last of 10 attempts did not arrive: why".to_owned();
        assert_eq!(step(last, 200, Decision::Retry, Some(9)), NextStep::Failed { reason: ended, disable: false });
        let rejected = "rejected: why".to_owned();
        assert_eq!(step(first, 503, Decision::Rejected, None), NextStep::Failed { reason: rejected, disable: false });
        assert!(matches!(step(first, 401, Decision::Disable, None), NextStep::Failed { disable: true, .. }));
        assert!(matches!(step(first, 502, Decision::Uncertain, None), NextStep::Retry { .. }));
        assert_eq!(step(last, 502, Decision::Uncertain, None), NextStep::Uncertain);
        let hold = Situation { on_uncertain: OnUncertain::Hold, ..first };
        assert_eq!(step(hold, 502, Decision::Uncertain, None), NextStep::Held);
        assert_eq!(step(first, 204, Decision::ByStatus, None), NextStep::Succeeded);
        let test = Situation { trigger: Trigger::Test, ..first };
        assert!(matches!(step(test, 200, Decision::Retry, Some(9)), NextStep::Failed { .. }));
    }

    #[test]
    fn what_a_person_waits_for_is_neither_retried_nor_held() {
        let schedule = Schedule::default();
        let lost = Ending::Broken { class: ErrorClass::Timeout, body_sent: true };
        for trigger in Trigger::ALL.iter().copied() {
            let situation = Situation { trigger, on_uncertain: OnUncertain::Hold, ..situation(&schedule) };
            let (failed, lost) =
                (next_step(situation, &answered(500), None, MIDDLE), next_step(situation, &lost, None, MIDDLE));
            if matches!(trigger, Trigger::Manual | Trigger::Test) {
                assert!(matches!(failed, NextStep::Failed { .. }), "{trigger}: {failed:?}");
                assert_eq!(lost, NextStep::Uncertain, "{trigger}");
            } else {
                assert!(matches!(failed, NextStep::Retry { .. }), "{trigger}: {failed:?}");
                assert_eq!(lost, NextStep::Held, "{trigger}");
            }
        }
    }

    #[test]
    fn a_schedule_is_a_list_or_exponential() {
        let read = |text: &str| serde_json::from_str::<Schedule>(text);
        assert_eq!(read("[0, 50]").unwrap(), Schedule(vec![0, 50]));
        let exponential = r#"{"initial_ms": 1000, "factor": 2, "max_ms": 3000, "attempts": 4}"#;
        assert_eq!(read(exponential).unwrap(), Schedule(vec![0, 1000, 2000, 3000]));
        for bad in
            ["[]", "[86400001]", r#"{"initial_ms":1}"#, r#"{"initial_ms":1,"factor":0.5,"max_ms":1,"attempts":2}"#]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(Schedule::list(vec![0; ATTEMPTS_MAX]).is_ok());
        assert_eq!(Schedule::list(vec![0; ATTEMPTS_MAX + 1]), Err(InvalidSchedule::Attempts));
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_fifth(wait in 0..WAIT_MAX_MS, entropy: u32) {
            let jittered = jittered(wait, entropy);
            prop_assert!(jittered + 1 >= wait * 8 / 10 && jittered <= wait * 12 / 10 + 1);
        }
    }
}
