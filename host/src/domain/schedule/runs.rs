//! When an expression runs: by the clocks of a time zone, which stand still, jump and go back.
//!
//! A run whose local time is left out when clocks go forward happens at the first instant after; several of them happen
//! once. A local time that comes twice when clocks go back counts once, the first time; but what runs in every hour of the
//! day runs in both hours, since one hour is as long as the other.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, SubsecRound as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::clock::Millis;
use super::super::described::{self, described};
use super::expression::Expression;

/// More than any clock was ever moved at once.
const WIDEST_JUMP: TimeDelta = TimeDelta::hours(26);
/// More than any clock was ever put back for the winter.
const LONGEST_REPEAT: TimeDelta = TimeDelta::hours(3);

/// No such time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is a name of the time zone database, like `Europe/Berlin` or `UTC`")]
pub struct InvalidZone;

/// A time zone, by its name in the time zone database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The name.
    pub fn as_str(self) -> &'static str {
        self.0.name()
    }

    /// A time as clocks there show it, with their offset (RFC 3339).
    pub fn shown(self, at: Millis) -> String {
        let utc = utc(at);
        utc.with_timezone(&self.0).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    fn local(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.0).naive_local()
    }

    /// The first and the last instant at which clocks show this, or the first one at which they show more.
    fn instants(self, local: NaiveDateTime) -> (DateTime<Utc>, DateTime<Utc>) {
        match self.0.from_local_datetime(&local) {
            MappedLocalTime::Single(at) => (at.to_utc(), at.to_utc()),
            MappedLocalTime::Ambiguous(first, last) => (first.to_utc(), last.to_utc()),
            MappedLocalTime::None => {
                let after = self.first_after(local);
                (after, after)
            }
        }
    }

    /// The first instant at which clocks show more than a time that they leave out, found by halving.
    fn first_after(self, left_out: NaiveDateTime) -> DateTime<Utc> {
        let (mut before, mut after) = (left_out.and_utc() - WIDEST_JUMP, left_out.and_utc() + WIDEST_JUMP);
        while after - before > TimeDelta::seconds(1) {
            let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
            if self.local(middle) > left_out { after = middle } else { before = middle }
        }
        after
    }
}

impl FromStr for Zone {
    type Err = InvalidZone;

    fn from_str(text: &str) -> Result<Self, InvalidZone> {
        Tz::from_str(text).map(Self).map_err(|_| InvalidZone)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

described!(
    Zone,
    described::json(json!({
        "type": "string",
        "description": "A name of the time zone database.",
        "examples": ["Europe/Berlin"],
    }))
);

impl Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn utc(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.0).unwrap_or_default()
}

fn millis(at: DateTime<Utc>) -> Millis {
    Millis(at.timestamp_millis())
}

impl Expression {
    /// The first run after this time; none when there is none before the year 2101.
    pub fn next_after(&self, after: Millis, zone: Zone) -> Option<Millis> {
        let after = utc(after);
        let repeats = self.fields.hours.is_all();
        let now = zone.local(after);
        // In the first of two equal hours, what has passed comes again.
        let comes_again = repeats && zone.instants(now).1 > after;
        let from = if comes_again { now - LONGEST_REPEAT } else { now };
        let mut next: Option<DateTime<Utc>> = None;
        for local in self.local_times(from) {
            let (first, last) = zone.instants(local);
            if first > after {
                // What comes later on the clock does not come earlier than this.
                return Some(millis(next.map_or(first, |next| next.min(first))));
            }
            if repeats && last > after {
                next = Some(next.map_or(last, |next| next.min(last)));
            }
        }
        next.map(millis)
    }

    /// The next so many runs after this time.
    pub fn next_runs(&self, after: Millis, zone: Zone, most: usize) -> Vec<Millis> {
        let next = |last: &Millis| self.next_after(*last, zone);
        std::iter::successors(self.next_after(after, zone), next).take(most).collect()
    }

    /// The last run at this time or before, of those after `since`.
    pub fn last_until(&self, since: Millis, until: Millis, zone: Zone) -> Option<Millis> {
        const HOUR_MS: i64 = 60 * 60 * 1000;
        // What runs often is found in the last hour, and what runs seldom in few steps.
        for hours in [1, 24, 24 * 32, 24 * 366, 24 * 366 * 200] {
            let from = Millis(until.0.saturating_sub(hours * HOUR_MS).max(since.0));
            let mut last = None;
            let mut next = self.next_after(from, zone);
            while let Some(run) = next.filter(|run| *run <= until) {
                last = Some(run);
                next = self.next_after(run, zone);
            }
            if last.is_some() || from == since {
                return last;
            }
        }
        None
    }

    /// What clocks show when it runs, later than this, in order.
    fn local_times(&self, from: NaiveDateTime) -> impl Iterator<Item = NaiveDateTime> {
        let from = from.trunc_subsecs(0).and_utc();
        let mut each: Vec<_> = self.any_of.iter().map(|schedule| schedule.after(&from).peekable()).collect();
        std::iter::from_fn(move || {
            let next = each.iter_mut().filter_map(|times| times.peek().copied()).min()?;
            for times in &mut each {
                times.next_if_eq(&next);
            }
            Some(next.naive_utc())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Millis {
        Millis::parse(text).unwrap()
    }

    /// The next runs, as clocks there show them.
    fn runs(expression: &str, zone: &str, after: &str, most: usize) -> Vec<String> {
        let (expression, zone) = (Expression::parse(expression).unwrap(), zone.parse::<Zone>().unwrap());
        expression.next_runs(at(after), zone, most).into_iter().map(|run| zone.shown(run)).collect()
    }

    #[test]
    fn what_clocks_leave_out_runs_right_after_and_once() {
        // Berlin, 29 March 2026: 02:00 becomes 03:00.
        assert_eq!(
            runs("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", 3),
            ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
        );
        assert_eq!(
            runs("0,30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 3),
            ["2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:00:00+02:00"],
            "02:00, 02:30 and 03:00 are one instant"
        );
        assert_eq!(
            runs("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:10:00Z", 3),
            ["2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"]
        );
        // Lord Howe moves by half an hour.
        assert_eq!(
            runs("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2),
            ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"]
        );
        // Apia left out the whole 30 December 2011.
        assert_eq!(runs("0 12 30 * *", "Pacific/Apia", "2011-12-20T00:00:00Z", 1), ["2011-12-31T00:00:00+14:00"]);
    }

    #[test]
    fn what_clocks_show_twice_runs_once_unless_it_runs_every_hour() {
        // Berlin, 25 October 2026: 03:00 becomes 02:00.
        assert_eq!(
            runs("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]
        );
        assert_eq!(
            runs("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1),
            ["2026-10-26T02:30:00+01:00"],
            "also for who asks between the two"
        );
        assert_eq!(runs("0 3 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", 1), ["2026-10-25T03:00:00+01:00"]);
        assert_eq!(
            runs("30 * * * *", "Europe/Berlin", "2026-10-24T23:40:00Z", 4),
            [
                "2026-10-25T02:30:00+02:00",
                "2026-10-25T02:30:00+01:00",
                "2026-10-25T03:30:00+01:00",
                "2026-10-25T04:30:00+01:00"
            ]
        );
    }

    #[test]
    fn what_runs_every_hour_never_pauses_and_never_doubles() {
        let expression = Expression::parse("*/15 * * * *").unwrap();
        for (zone, from) in [
            ("Europe/Berlin", "2026-10-24T20:00:00Z"),
            ("Europe/Berlin", "2026-03-28T20:00:00Z"),
            ("America/New_York", "2026-11-01T00:00:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T10:00:00Z"),
            ("Asia/Kathmandu", "2026-01-01T00:00:00Z"),
        ] {
            let runs = expression.next_runs(at(from), zone.parse().unwrap(), 60);
            assert!(runs.windows(2).all(|pair| pair[1].since(pair[0]) == 15 * 60_000), "{zone}: {runs:?}");
        }
    }

    #[test]
    fn a_leap_day_runs_when_there_is_one() {
        assert_eq!(
            runs("0 9 29 2 *", "UTC", "2026-01-01T00:00:00Z", 3),
            ["2028-02-29T09:00:00Z", "2032-02-29T09:00:00Z", "2036-02-29T09:00:00Z"]
        );
        assert_eq!(
            runs("0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", 2),
            ["2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"]
        );
        assert_eq!(
            runs("0 0 * * *", "UTC", "2028-02-27T12:00:00Z", 3),
            ["2028-02-28T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"]
        );
        assert_eq!(runs("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", 1), Vec::<String>::new(), "2100 has no leap day");
    }

    #[test]
    fn days_of_the_month_and_of_the_week_are_either_when_both_are_named() {
        assert_eq!(
            runs("0 0 13 * fri", "UTC", "2026-02-01T00:00:00Z", 4),
            ["2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z", "2026-02-27T00:00:00Z"]
        );
        assert_eq!(
            runs("0 0 15 * 1", "UTC", "2026-01-13T00:00:00Z", 2),
            ["2026-01-15T00:00:00Z", "2026-01-19T00:00:00Z"]
        );
        assert_eq!(
            runs("0 0 */2 * mon", "UTC", "2026-01-01T00:00:00Z", 1),
            ["2026-01-05T00:00:00Z"],
            "both with a `*`"
        );
    }

    #[test]
    fn weekdays_are_those_of_cron() {
        // 5 January 2026 is a Monday.
        assert_eq!(runs("0 0 * * 1", "UTC", "2026-01-01T00:00:00Z", 1), ["2026-01-05T00:00:00Z"]);
        assert_eq!(runs("0 0 * * 0", "UTC", "2026-01-01T00:00:00Z", 1), ["2026-01-04T00:00:00Z"]);
    }

    #[test]
    fn a_run_is_after_the_time_and_never_at_it() {
        assert_eq!(runs("0 9 * * *", "UTC", "2026-01-01T08:59:59.999Z", 1), ["2026-01-01T09:00:00Z"]);
        assert_eq!(runs("0 9 * * *", "UTC", "2026-01-01T09:00:00Z", 1), ["2026-01-02T09:00:00Z"]);
        assert_eq!(runs("0 9 * * *", "UTC", "2026-01-01T09:00:00.001Z", 1), ["2026-01-02T09:00:00Z"]);
        assert_eq!(
            runs("*/10 * * * * *", "UTC", "2026-01-01T00:00:05Z", 2),
            ["2026-01-01T00:00:10Z", "2026-01-01T00:00:20Z"]
        );
    }

    #[test]
    fn the_last_run_is_found_however_long_ago() {
        let last = |text: &str, since: &str, until: &str| {
            Expression::parse(text).unwrap().last_until(at(since), at(until), Zone::UTC)
        };
        assert_eq!(last("* * * * *", "2020-01-01T00:00:00Z", "2026-01-01T00:00:30Z"), Some(at("2026-01-01T00:00:00Z")));
        assert_eq!(
            last("0 9 29 2 *", "2020-03-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            Some(at("2024-02-29T09:00:00Z"))
        );
        assert_eq!(last("0 9 * * *", "2026-01-01T09:00:00Z", "2026-01-02T08:00:00Z"), None);
        assert_eq!(last("0 9 * * *", "2026-01-01T09:00:00Z", "2026-01-02T09:00:00Z"), Some(at("2026-01-02T09:00:00Z")));
    }

    #[test]
    fn zones_are_known_by_name_only() {
        assert_eq!("Europe/Berlin".parse::<Zone>().unwrap().as_str(), "Europe/Berlin");
        for text in ["", "berlin", "+01:00", "Europe/Berlin ", "../etc/localtime"] {
            assert_eq!(text.parse::<Zone>(), Err(InvalidZone), "{text:?}");
        }
    }
}
