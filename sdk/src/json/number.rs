//! Numbers as people read them.

use std::borrow::Cow;

use crate::text::{join, part};

/// Powers of ten beyond which a number is none that programs share.
const GREATEST: i64 = 308;
const LEAST: i64 = -324;

/// A number of JSON without an exponent and without zeros that say nothing: `1.50e1` is `15`. None if it is too large.
///
/// Digit by digit, because reading it as a floating point number and writing that again is a tenth of a plugin.
pub(crate) fn plain(number: &str) -> Option<Cow<'_, str>> {
    if number.contains(['.', 'e', 'E']) { written(number).map(Cow::Owned) } else { Some(Cow::Borrowed(number)) }
}

/// Of a number with a fraction or an exponent.
#[cold]
#[inline(never)]
fn written(number: &str) -> Option<String> {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = join(&[whole, fraction]);
    // Its sign may be a plus; what is too long for a number is larger than any.
    let exponent: i64 = exponent.parse().unwrap_or(if exponent.starts_with('-') { -1_000_000 } else { 1_000_000 });
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let significant = part(&digits, leading, digits.len()).trim_end_matches('0');
    // How many digits stand before the point.
    let point = exponent.saturating_add(i64::try_from(whole.len()).ok()?) - i64::try_from(leading).ok()?;
    if significant.is_empty() || point <= LEAST {
        return Some(join(&[sign, "0"]));
    }
    if point > GREATEST + 1 {
        return None;
    }
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
    let length = i64::try_from(significant.len()).ok()?;
    Some(if point <= 0 {
        join(&[sign, "0.", &zeros(-point), significant])
    } else if point >= length {
        join(&[sign, significant, &zeros(point - length)])
    } else {
        let point = usize::try_from(point).ok()?;
        join(&[sign, part(significant, 0, point), ".", part(significant, point, significant.len())])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_the_one_that_it_is() {
        for number in [
            "0.0",
            "-0.0",
            "1.0",
            "1.50",
            "-2.25",
            "0.5",
            "0.001",
            "1e3",
            "1.5e1",
            "1.25e1",
            "12.5e-1",
            "1E+2",
            "3.10e-5",
            "100.0",
            "0.10",
            "1e22",
            "9.5e20",
            "1e-7",
            "0e5",
            "123456789012345e-3",
            "0.000e9",
            "1.7e308",
            "5e-324",
        ] {
            let value: f64 = number.parse().unwrap();
            assert_eq!(plain(number).unwrap(), value.to_string(), "{number}");
        }
        for integer in ["0", "-0", "7", "-12", "18446744073709551616"] {
            assert_eq!(plain(integer).unwrap(), integer);
        }
        assert_eq!((plain("1e309"), plain("1e99999999999999999999")), (None, None));
        assert_eq!(plain("1e-99999999999999999999").unwrap(), "0");
    }
}
