//! What becomes of a schedule that is due: it runs, or its run was missed.

use super::super::clock::Millis;
use super::Missed;
use super::expression::Expression;
use super::runs::Zone;

/// What is done about a schedule that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The run that is made: when it was due.
    pub fires: Option<Millis>,
    /// The last run that is not made.
    pub skipped: Option<Millis>,
    /// When it is due next.
    pub next: Option<Millis>,
}

/// Decides about a schedule that is due at `due`, which is `now` or before. A run that is late by no more than `late_ms` is
/// on time: each of those is made. When the first one is later than that, it and those before `now - late_ms` were missed.
pub fn decide(expression: &Expression, zone: Zone, due: Millis, now: Millis, missed: Missed, late_ms: u64) -> Decision {
    let next = |after| expression.next_after(after, zone);
    let on_time_from = Millis(now.0.saturating_sub(i64::try_from(late_ms).unwrap_or(i64::MAX)));
    if due >= on_time_from {
        return Decision { fires: Some(due), skipped: None, next: next(due) };
    }
    let before = Millis(due.0.saturating_sub(1));
    let last_missed = expression.last_until(before, Millis(on_time_from.0 - 1), zone).unwrap_or(due);
    // A run on time makes up for those that were missed.
    if let Some(on_time) = next(last_missed).filter(|on_time| *on_time <= now) {
        return Decision { fires: Some(on_time), skipped: Some(last_missed), next: next(on_time) };
    }
    match missed {
        Missed::RunOnce => Decision { fires: Some(last_missed), skipped: None, next: next(now) },
        Missed::Skip => Decision { fires: None, skipped: Some(last_missed), next: next(now) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Millis {
        Millis::parse(&format!("2026-01-01T{text}Z")).unwrap()
    }

    fn decision(text: &str, due: &str, now: &str, missed: Missed) -> (Option<Millis>, Option<Millis>, Option<Millis>) {
        let expression = Expression::parse(text).unwrap();
        let Decision { fires, skipped, next } = decide(&expression, Zone::UTC, at(due), at(now), missed, 60_000);
        (fires, skipped, next)
    }

    #[test]
    fn what_is_due_runs_and_each_that_is_a_little_late() {
        for missed in [Missed::Skip, Missed::RunOnce] {
            let on_time = (Some(at("10:00:00")), None, Some(at("11:00:00")));
            assert_eq!(decision("0 * * * *", "10:00:00", "10:00:00", missed), on_time);
            assert_eq!(decision("0 * * * *", "10:00:00", "10:01:00", missed), on_time);
            let each = (Some(at("10:00:00")), None, Some(at("10:00:10")));
            assert_eq!(decision("*/10 * * * * *", "10:00:00", "10:00:45", missed), each, "the next follows at once");
        }
    }

    #[test]
    fn what_was_missed_is_skipped_or_made_once() {
        let skipped = (None, Some(at("13:00:00")), Some(at("14:00:00")));
        assert_eq!(decision("0 * * * *", "10:00:00", "13:01:00.001", Missed::Skip), skipped);
        let once = (Some(at("13:00:00")), None, Some(at("14:00:00")));
        assert_eq!(decision("0 * * * *", "10:00:00", "13:01:00.001", Missed::RunOnce), once);
    }

    #[test]
    fn a_run_on_time_makes_up_for_those_before() {
        for missed in [Missed::Skip, Missed::RunOnce] {
            let made = (Some(at("13:00:00")), Some(at("12:00:00")), Some(at("14:00:00")));
            assert_eq!(decision("0 * * * *", "10:00:00", "13:00:30", missed), made);
            assert_eq!(decision("0 * * * *", "10:00:00", "13:01:00", missed), made);
        }
    }

    #[test]
    fn the_last_run_of_all_has_no_next() {
        let expression = Expression::parse("0 0 1 1 *").unwrap();
        let (due, now) =
            (Millis::parse("2100-01-01T00:00:00Z").unwrap(), Millis::parse("2100-01-01T00:00:01Z").unwrap());
        let decision = decide(&expression, Zone::UTC, due, now, Missed::Skip, 60_000);
        assert_eq!((decision.fires, decision.next), (Some(due), None));
    }
}
