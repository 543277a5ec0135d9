//! Cron expressions: five fields, or six with seconds in front. What they mean is what cron means by them; the search for
//! times that match is the `cron` crate's, which counts weekdays from 1 and wants both kinds of days to match, so it is given
//! lists of values that mean the same to it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::super::clock::Millis;
use super::runs::Zone;

/// Most characters of an expression.
pub const EXPRESSION_MAX_CHARS: usize = 255;
/// So many runs are looked at to tell how often an expression runs; each pattern of minutes and seconds shows in fewer.
const RUNS_LOOKED_AT: usize = 130;

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExpression {
    /// Too long.
    #[error("has at most {EXPRESSION_MAX_CHARS} characters")]
    TooLong,
    /// Another number of fields.
    #[error(
        "has five fields (minute, hour, day of the month, month, day of the week), or six with seconds in front, not {0}; \
         @hourly, @daily, @weekly, @monthly and @yearly stand for some"
    )]
    Fields(usize),
    /// A part of a field is not understood.
    #[error("`{part}` is no {field}: {wanted}")]
    Part {
        /// What was written, shortened.
        part: String,
        /// Which field.
        field: &'static str,
        /// What could stand there.
        wanted: String,
    },
    /// It names days that no month has, or years that have passed.
    #[error("never happens")]
    Never,
    /// It runs more often than is allowed.
    #[error("runs every {every_ms} ms; allowed is once in {allowed_ms} ms (`schedules.interval_min_ms`)")]
    TooOften {
        /// The shortest time between two runs, in milliseconds.
        every_ms: u64,
        /// The shortest time that is allowed, in milliseconds.
        allowed_ms: u64,
    },
}

/// What one field may hold.
struct Kind {
    name: &'static str,
    least: u32,
    most: u32,
    /// Names of values, from the least one on.
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const SECOND: Kind = Kind { name: "second", least: 0, most: 59, names: &[] };
const MINUTE: Kind = Kind { name: "minute", least: 0, most: 59, names: &[] };
const HOUR: Kind = Kind { name: "hour", least: 0, most: 23, names: &[] };
const DAY: Kind = Kind { name: "day of the month", least: 1, most: 31, names: &[] };
const MONTH: Kind = Kind { name: "month", least: 1, most: 12, names: &MONTHS };
/// 7 is Sunday too.
const WEEKDAY: Kind = Kind { name: "day of the week", least: 0, most: 7, names: &WEEKDAYS };

/// The values of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the values of a field are its values")]
pub(super) struct Values {
    pub(super) values: BTreeSet<u32>,
    /// Whether it begins with `*`: then the other kind of days decides alone.
    pub(super) is_open: bool,
    /// How many there could be.
    pub(super) of: usize,
}

impl Values {
    /// Whether every value is among them.
    pub(super) fn is_all(&self) -> bool {
        self.values.len() == self.of
    }

    /// The step, when they are every so many of all there are, from the first on.
    pub(super) fn step(&self) -> Option<u32> {
        let mut values = self.values.iter().copied();
        let (first, second) = (values.next()?, values.next()?);
        let (step, of) = (second - first, u32::try_from(self.of).ok()?);
        let is_even = of.is_multiple_of(step) && self.values.len() == (of / step) as usize;
        let are_steps = self.values.iter().zip(0..).all(|(value, n)| *value == first + n * step);
        (first == 0 && is_even && are_steps).then_some(step)
    }

    fn list(&self, shift: u32) -> String {
        let values = self.values.iter().map(|value| (value + shift).to_string());
        values.collect::<Vec<_>>().join(",")
    }
}

/// The fields of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) seconds: Values,
    pub(super) minutes: Values,
    pub(super) hours: Values,
    pub(super) days: Values,
    pub(super) months: Values,
    /// From 0, Sunday.
    pub(super) weekdays: Values,
}

impl Fields {
    /// Whether a day may be one of the month or one of the week: both are named.
    pub(super) fn days_are_either(&self) -> bool {
        !self.days.is_open && !self.weekdays.is_open
    }
}

/// A cron expression.
#[derive(Debug, Clone)]
pub struct Expression {
    source: String,
    pub(super) fields: Fields,
    /// A time matches when it matches one of these.
    pub(super) any_of: Vec<cron::Schedule>,
}

impl Expression {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, InvalidExpression> {
        if text.chars().count() > EXPRESSION_MAX_CHARS {
            return Err(InvalidExpression::TooLong);
        }
        let source = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let written = match source.to_ascii_lowercase().as_str() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            _ => source.as_str(),
        };
        let parts: Vec<&str> = written.split(' ').collect();
        let (second, rest) = match parts.as_slice() {
            [_, _, _, _, _] => ("0", parts.as_slice()),
            [second, rest @ ..] if rest.len() == 5 => (*second, rest),
            _ => return Err(InvalidExpression::Fields(if source.is_empty() { 0 } else { parts.len() })),
        };
        let mut weekdays = values(&WEEKDAY, rest[4])?;
        if weekdays.values.remove(&7) {
            weekdays.values.insert(0);
        }
        let fields = Fields {
            seconds: values(&SECOND, second)?,
            minutes: values(&MINUTE, rest[0])?,
            hours: values(&HOUR, rest[1])?,
            days: values(&DAY, rest[2])?,
            months: values(&MONTH, rest[3])?,
            weekdays: Values { of: 7, ..weekdays },
        };
        let any_of = compiled(&fields).ok_or(InvalidExpression::Never)?;
        Ok(Self { source, fields, any_of })
    }

    /// The text, with single spaces.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Refuses one that never happens again, or that happens more often than is allowed.
    pub fn check(&self, now: Millis, zone: Zone, interval_min_ms: u64) -> Result<(), InvalidExpression> {
        let runs = self.next_runs(now, zone, RUNS_LOOKED_AT);
        if runs.is_empty() {
            return Err(InvalidExpression::Never);
        }
        let shortest = runs.windows(2).map(|pair| pair[1].since(pair[0])).min();
        match shortest {
            Some(every_ms) if every_ms < interval_min_ms => {
                Err(InvalidExpression::TooOften { every_ms, allowed_ms: interval_min_ms })
            }
            _ => Ok(()),
        }
    }
}

impl FromStr for Expression {
    type Err = InvalidExpression;

    fn from_str(text: &str) -> Result<Self, InvalidExpression> {
        Self::parse(text)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// As cron has it: of days of the month and days of the week that are both named, either is enough.
fn compiled(fields: &Fields) -> Option<Vec<cron::Schedule>> {
    let Fields { seconds, minutes, hours, days, months, weekdays } = fields;
    let (all_days, all_weekdays) = ("*".to_owned(), "*".to_owned());
    // The crate counts from Sunday, 1.
    let of_days = if fields.days_are_either() {
        vec![(days.list(0), all_weekdays), (all_days, weekdays.list(1))]
    } else {
        vec![(days.list(0), weekdays.list(1))]
    };
    let time = [seconds.list(0), minutes.list(0), hours.list(0)].join(" ");
    let compile = |(days, weekdays): (String, String)| {
        cron::Schedule::from_str(&format!("{time} {days} {} {weekdays}", months.list(0))).ok()
    };
    of_days.into_iter().map(compile).collect()
}

/// Reads a field: parts with commas between them, each `*`, a value, or a range, perhaps with `/step`.
fn values(kind: &Kind, text: &str) -> Result<Values, InvalidExpression> {
    let mut values = BTreeSet::new();
    for part in text.split(',') {
        values.extend(part_values(kind, part).ok_or_else(|| wrong(kind, part))?);
    }
    let of = (kind.most - kind.least + 1) as usize;
    Ok(Values { values, is_open: text.starts_with(['*', '?']), of })
}

fn part_values(kind: &Kind, part: &str) -> Option<impl Iterator<Item = u32> + use<>> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, number(step).filter(|step| (1..=kind.most).contains(step))?),
        None => (part, 1),
    };
    let is_day = matches!(kind.name, "day of the month" | "day of the week");
    let (from, to) = match range.split_once('-') {
        None if range == "*" || (range == "?" && is_day) => (kind.least, kind.last()),
        None => {
            let from = value(kind, range)?;
            // `5/15`: from there on.
            (from, if part.contains('/') { kind.last().max(from) } else { from })
        }
        Some((from, to)) => {
            let (from, to) = (value(kind, from)?, value(kind, to)?);
            // `fri-sun`: a week may end with its Sunday.
            (from, if kind.most == 7 && to == 0 && from > 0 { 7 } else { to })
        }
    };
    (from <= to).then(|| (from..=to).step_by(step as usize))
}

impl Kind {
    /// The last value that is not another name of the first.
    const fn last(&self) -> u32 {
        if self.most == 7 { 6 } else { self.most }
    }
}

fn value(kind: &Kind, text: &str) -> Option<u32> {
    let named = kind.names.iter().zip(kind.least..).find(|(name, _)| text.eq_ignore_ascii_case(name));
    let value = named.map(|(_, value)| value).or_else(|| number(text))?;
    (kind.least..=kind.most).contains(&value).then_some(value)
}

fn number(text: &str) -> Option<u32> {
    let is_short = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_short { text.parse().ok() } else { None }
}

fn wrong(kind: &Kind, part: &str) -> InvalidExpression {
    let names = match kind.names {
        [] => String::new(),
        [first, .., last] => format!(" or {first} to {last}"),
        [one] => format!(" or {one}"),
    };
    let wanted = format!("{} to {}{names}, `*`, a range like 1-5, or one of these with /step", kind.least, kind.most);
    InvalidExpression::Part { part: part.chars().take(20).collect(), field: kind.name, wanted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Expression::parse(text).unwrap().fields
    }

    fn error(text: &str) -> String {
        Expression::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn fields_are_read_as_cron_reads_them() {
        let list = |values: &Values| values.values.iter().copied().collect::<Vec<_>>();
        let read = fields("*/20 8-10,22 1,15 JAN-mar mon-fri");
        assert_eq!(list(&read.minutes), [0, 20, 40]);
        assert_eq!(list(&read.hours), [8, 9, 10, 22]);
        assert_eq!((list(&read.days), list(&read.months)), (vec![1, 15], vec![1, 2, 3]));
        assert_eq!((list(&read.weekdays), list(&read.seconds)), (vec![1, 2, 3, 4, 5], vec![0]));
        assert_eq!(list(&fields("5/15 0 * * 0,7").minutes), [5, 20, 35, 50]);
        assert_eq!(list(&fields("0 0 * * 7").weekdays), [0], "Sunday has two numbers");
        assert_eq!(list(&fields("0 0 * * fri-sun").weekdays), [0, 5, 6]);
        assert_eq!(list(&fields("10-40/10 0 0 ? * *").seconds), [10, 20, 30, 40]);
        assert!(fields("0 0 * * *").weekdays.is_all() && fields("0 0 * * 0-7").weekdays.is_all());
        assert_eq!(Expression::parse(" 0  9\t* * 1 ").unwrap().source(), "0 9 * * 1");
        assert_eq!(fields("@daily"), fields("0 0 * * *"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(error("60 0 * * *").starts_with("`60` is no minute: 0 to 59"), "{}", error("60 0 * * *"));
        assert!(error("0 0 * * mo").contains("`mo` is no day of the week: 0 to 7 or sun to sat"));
        for text in [
            "0 24 * * *",
            "0 0 0 * *",
            "0 0 32 * *",
            "0 0 * 13 *",
            "0 0 * * 8",
            "0 0 * * 5-1",
            "*/0 * * * *",
            "*/60 * * * *",
            "1,,2 * * * *",
            "-1 * * * *",
            "+1 * * * *",
            "0 0 L * *",
            "0 0 * * 1#2",
            "? 0 * * *",
            "0 0 * * \u{661}",
            "001 0 * * *",
        ] {
            assert!(matches!(Expression::parse(text), Err(InvalidExpression::Part { .. })), "{text}");
        }
        for (text, fields) in [("", 0), ("* * * *", 4), ("0 0 0 * * * 2027", 7), ("@never", 1)] {
            assert_eq!(Expression::parse(text).unwrap_err(), InvalidExpression::Fields(fields), "{text}");
        }
    }

    #[test]
    fn its_length_has_an_edge() {
        let most = format!("0 0 * * {}", vec!["1"; (EXPRESSION_MAX_CHARS - 8).div_ceil(2)].join(","));
        assert_eq!(most.len(), EXPRESSION_MAX_CHARS);
        assert!(Expression::parse(&most).is_ok());
        assert_eq!(Expression::parse(&format!("{most} ")).unwrap_err(), InvalidExpression::TooLong);
    }

    #[test]
    fn how_often_it_may_run_has_an_edge() {
        let now = Millis::parse("2026-01-01T00:00:00Z").unwrap();
        let check = |text: &str, min| Expression::parse(text).unwrap().check(now, Zone::UTC, min);
        assert_eq!(check("* * * * *", 60_000), Ok(()));
        assert_eq!(check("*/59 * * * *", 60_000), Ok(()));
        let too_often = |every_ms, allowed_ms| Err(InvalidExpression::TooOften { every_ms, allowed_ms });
        assert_eq!(check("* * * * *", 60_001), too_often(60_000, 60_001));
        assert_eq!(check("0,59 0,1 0 * * *", 60_000), too_often(1000, 60_000), "from 0:59 to 1:00");
        assert_eq!(check("59,0 23,0 * * *", 60_001), too_often(60_000, 60_001), "from 23:59 to 0:00");
        assert_eq!(check("0 0 30 2 *", 60_000), Err(InvalidExpression::Never));
    }
}
