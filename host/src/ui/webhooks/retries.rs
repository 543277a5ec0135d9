//! A schedule of retries as people write and read it: `at once, 5 s, 5 min, 30 min`.

use serde_json::Value;

use super::super::parts::span;
use crate::domain::retry::Schedule;

/// The schedule that a text says, as the API reads it: null for none.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let waits = text.split([',', '\n']).map(str::trim).filter(|wait| !wait.is_empty());
    let waits = waits.map(wait).collect::<Result<Vec<u64>, String>>()?;
    Ok(if waits.is_empty() { Value::Null } else { waits.into() })
}

fn wait(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let wrong = || format!("`{text}` is not a wait like `5 s`, `10 min` or `2 h`");
    if matches!(text, "at once" | "now") {
        return Ok(0);
    }
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (_, unit) = UNITS.into_iter().find(|(name, _)| *name == &rest[..letters]).ok_or_else(wrong)?;
        rest = rest[letters..].trim_start();
        total = total.saturating_add(number.saturating_mul(unit));
    }
    Ok(total)
}

fn waits(schedule: &Value) -> Vec<u64> {
    schedule.as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
}

fn exact(ms: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")];
    let unit = UNITS.into_iter().find(|(unit, _)| ms >= *unit && ms.is_multiple_of(*unit));
    match (ms, unit) {
        (0, _) => "at once".to_owned(),
        (_, Some((unit, name))) => format!("{} {name}", ms / unit),
        (_, None) => format!("{ms} ms"),
    }
}

/// A schedule as [`read`] takes it; empty for the server's own.
pub(super) fn written(schedule: &Value) -> String {
    waits(schedule).into_iter().map(exact).collect::<Vec<_>>().join(", ")
}

/// What a schedule comes to, in words.
pub(super) fn told(schedule: &Value) -> String {
    let own = waits(schedule);
    let default = serde_json::to_value(Schedule::default()).unwrap_or_default();
    let (waits, whose) = if own.is_empty() { (waits(&default), "the standard schedule: ") } else { (own, "") };
    let times: Vec<String> = waits.iter().copied().map(exact).collect();
    let total = span(waits.iter().sum());
    match waits.len() {
        1 if waits[0] == 0 => format!("{whose}1 attempt, at once; a failure is final."),
        1 => format!("{whose}1 attempt, after {total}; a failure is final."),
        many => format!(
            "{whose}{many} attempts ({}); the last one {total} after the first, give or take a fifth.",
            times.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schedules_are_read_as_they_are_written() {
        let schedule = json!([0, 5000, 300_000, 7_200_000, 86_400_000, 1500]);
        assert_eq!(written(&schedule), "at once, 5 s, 5 min, 2 h, 1 d, 1500 ms");
        assert_eq!(read(&written(&schedule)), Ok(schedule));
        assert_eq!(read("  "), Ok(Value::Null));
        assert_eq!(read("1 h 30min"), Ok(json!([5_400_000])));
        for wrong in ["5", "s", "5 years", "-1 s", "5 s x", "é"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn schedules_are_told_in_words() {
        assert_eq!(told(&json!([0])), "1 attempt, at once; a failure is final.");
        assert!(told(&json!([0, 5000])).starts_with("2 attempts (at once, 5 s); the last one 5 s after the first"));
        assert!(told(&Value::Null).starts_with("the standard schedule: 10 attempts (at once, 5 s"));
    }
}
