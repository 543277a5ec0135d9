//! What every payload carries, so that the receiver can tell which event came and how long it took. It is text
//! without punctuation, because a plugin puts it into another shape and may escape it.

/// Number and time of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) n: u64,
    pub(super) sent_ns: u64,
}

const N_DIGITS: usize = 12;
const TIME_DIGITS: usize = 19;
/// `n`, digits, `t`, digits.
pub(super) const LENGTH: usize = N_DIGITS + TIME_DIGITS + 2;

impl Mark {
    /// Writes it over the first [`LENGTH`] bytes of a place.
    pub(super) fn write(self, place: &mut [u8]) {
        place[0] = b'n';
        write_number(self.n, &mut place[1..=N_DIGITS]);
        place[N_DIGITS + 1] = b't';
        write_number(self.sent_ns, &mut place[N_DIGITS + 2..LENGTH]);
    }

    /// The first mark in a body.
    pub(super) fn find(body: &[u8]) -> Option<Self> {
        body.windows(LENGTH).find_map(Self::read)
    }

    fn read(place: &[u8]) -> Option<Self> {
        if place[0] != b'n' || place[N_DIGITS + 1] != b't' {
            return None;
        }
        Some(Self { n: read_number(&place[1..=N_DIGITS])?, sent_ns: read_number(&place[N_DIGITS + 2..LENGTH])? })
    }
}

fn write_number(mut number: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("a digit");
        number /= 10;
    }
}

fn read_number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        digit.is_ascii_digit().then(|| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
    })
}
