//! An expression in words, for people.

use super::expression::{Expression, Fields, Values};
use super::runs::Zone;

/// Times of a day that are listed; more are told in another way.
const TIMES_MAX: usize = 6;

const DAY_NAMES: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTH_NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Expression {
    /// Like `every weekday at 09:00, Europe/Berlin`.
    pub fn words(&self, zone: Zone) -> String {
        let fields = &self.fields;
        let told = match at_times(fields) {
            Some(times) => match days(fields) {
                Days::All => format!("every day{} at {times}", of_months(fields)),
                Days::Every(days) => format!("every {days}{} at {times}", in_months(fields)),
                Days::On(days) => format!("{days} at {times}"),
            },
            None => match days(fields) {
                Days::All => format!("{}{}", often(fields), of_months(fields)),
                Days::Every(days) => format!("{} on every {days}{}", often(fields), in_months(fields)),
                Days::On(days) => format!("{} {days}", often(fields)),
            },
        };
        format!("{told}, {zone}")
    }
}

/// On which days.
enum Days {
    All,
    /// Days of the week, without the word `every`.
    Every(String),
    /// Days of the month, with their months.
    On(String),
}

fn days(fields: &Fields) -> Days {
    let week = || weekdays(&fields.weekdays);
    let month = || format!("on the {}{}", listed(fields.days.values.iter().map(|day| ordinal(*day))), of_which(fields));
    match (fields.days.is_all(), fields.weekdays.is_all()) {
        (true, true) => Days::All,
        (true, false) => Days::Every(week()),
        (false, true) => Days::On(month()),
        (false, false) if fields.days_are_either() => Days::On(format!("{} and on every {}", month(), week())),
        (false, false) => Days::On(format!("{} if that is a {}", month(), or_listed(&fields.weekdays))),
    }
}

fn weekdays(days: &Values) -> String {
    let values: Vec<u32> = days.values.iter().copied().collect();
    match values.as_slice() {
        [1, 2, 3, 4, 5] => "weekday".to_owned(),
        [0, 6] => "Saturday and Sunday".to_owned(),
        _ => listed(from_monday(&values).map(day_name)),
    }
}

fn or_listed(days: &Values) -> String {
    let values: Vec<u32> = days.values.iter().copied().collect();
    from_monday(&values).map(day_name).collect::<Vec<_>>().join(" or ")
}

fn from_monday(days: &[u32]) -> impl Iterator<Item = u32> {
    let sunday = days.contains(&0).then_some(0);
    let others: Vec<u32> = days.iter().copied().filter(|day| *day != 0).collect();
    others.into_iter().chain(sunday)
}

fn day_name(day: u32) -> String {
    DAY_NAMES[day as usize % 7].to_owned()
}

fn months(fields: &Fields) -> String {
    listed(fields.months.values.iter().map(|month| MONTH_NAMES[(*month as usize - 1) % 12].to_owned()))
}

fn in_months(fields: &Fields) -> String {
    if fields.months.is_all() { String::new() } else { format!(" in {}", months(fields)) }
}

fn of_months(fields: &Fields) -> String {
    if fields.months.is_all() { String::new() } else { format!(" of {}", months(fields)) }
}

fn of_which(fields: &Fields) -> String {
    if fields.months.is_all() { " of every month".to_owned() } else { format!(" of {}", months(fields)) }
}

/// Times of the day, if there are few.
fn at_times(fields: &Fields) -> Option<String> {
    let Fields { seconds, minutes, hours, .. } = fields;
    if hours.is_all() || hours.values.len() * minutes.values.len() * seconds.values.len() > TIMES_MAX {
        return None;
    }
    let with_seconds = !is_zero(seconds);
    let mut times = Vec::new();
    for hour in &hours.values {
        for minute in &minutes.values {
            for second in &seconds.values {
                let seconds = if with_seconds { format!(":{second:02}") } else { String::new() };
                times.push(format!("{hour:02}:{minute:02}{seconds}"));
            }
        }
    }
    Some(listed(times.into_iter()))
}

fn is_zero(values: &Values) -> bool {
    values.values.iter().eq(&[0])
}

/// How often in a day.
fn often(fields: &Fields) -> String {
    let Fields { seconds, minutes, hours, .. } = fields;
    let of_hours = within(hours);
    if is_zero(seconds) {
        if is_zero(minutes) {
            return match hours.step() {
                _ if hours.is_all() => "every hour".to_owned(),
                Some(step) => format!("every {step} hours"),
                None => format!("every hour{of_hours}"),
            };
        }
        return format!("{}{}", every(minutes, "minute", "hour"), of_hours);
    }
    let of_minutes = if minutes.is_all() { String::new() } else { format!(" in {}", which(minutes, "minute")) };
    format!("{}{of_minutes}{of_hours}", every(seconds, "second", "minute"))
}

/// All of a unit, every so many, or these of each larger one.
fn every(values: &Values, unit: &str, larger: &str) -> String {
    match values.step() {
        _ if values.is_all() => format!("every {unit}"),
        Some(step) => format!("every {step} {unit}s"),
        None => format!("at {} of every {larger}", which(values, unit)),
    }
}

fn which(values: &Values, unit: &str) -> String {
    let plural = if values.values.len() == 1 { "" } else { "s" };
    format!("{unit}{plural} {}", listed(values.values.iter().map(u32::to_string)))
}

/// Hours of the day, unless it is all of them.
fn within(hours: &Values) -> String {
    let (Some(first), Some(last)) = (hours.values.first(), hours.values.last()) else { return String::new() };
    if hours.is_all() {
        String::new()
    } else if hours.values.len() > 1 && (last - first) as usize + 1 == hours.values.len() {
        format!(" from {first:02}:00 to {last:02}:59")
    } else {
        format!(" in {}", which(hours, "hour"))
    }
}

fn listed(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        items => items.join(""),
    }
}

fn ordinal(day: u32) -> String {
    let ending = match (day % 100, day % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{day}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_told_in_words() {
        for (text, words) in [
            ("0 9 * * 1-5", "every weekday at 09:00"),
            ("0 9 * * *", "every day at 09:00"),
            ("0 9,17 * * sat,sun", "every Saturday and Sunday at 09:00 and 17:00"),
            ("30 8 * * 1,4,0", "every Monday, Thursday and Sunday at 08:30"),
            ("* * * * *", "every minute"),
            ("*/15 * * * *", "every 15 minutes"),
            ("0 * * * *", "every hour"),
            ("0 */6 * * *", "every day at 00:00, 06:00, 12:00 and 18:00"),
            ("0 */2 * * *", "every 2 hours"),
            ("5 * * * *", "at minute 5 of every hour"),
            ("5,35 * * * mon", "at minutes 5 and 35 of every hour on every Monday"),
            ("*/10 9-17 * * 1-5", "every 10 minutes from 09:00 to 17:59 on every weekday"),
            ("0 8-18 * * *", "every hour from 08:00 to 18:59"),
            ("0 0 1 * *", "on the 1st of every month at 00:00"),
            ("0 0 2,3,11,22,31 * *", "on the 2nd, 3rd, 11th, 22nd and 31st of every month at 00:00"),
            ("0 12 29 2 *", "on the 29th of February at 12:00"),
            ("0 12 * 6-8 *", "every day of June, July and August at 12:00"),
            ("0 12 * 1,7 mon", "every Monday in January and July at 12:00"),
            ("0 0 13 * fri", "on the 13th of every month and on every Friday at 00:00"),
            (
                "0 0 1-7 * */7",
                "on the 1st, 2nd, 3rd, 4th, 5th, 6th and 7th of every month if that is a Sunday at 00:00",
            ),
            ("*/10 * * * * *", "every 10 seconds"),
            ("30 0 9 * * *", "every day at 09:00:30"),
            ("0,20 5 * * * *", "at seconds 0 and 20 of every minute in minute 5"),
            ("* * 3 * * *", "every second in hour 3"),
            ("@weekly", "every Sunday at 00:00"),
        ] {
            let told = Expression::parse(text).unwrap().words(Zone::UTC);
            assert_eq!(told, format!("{words}, UTC"), "{text}");
        }
    }
}
