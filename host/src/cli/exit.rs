//! What a command ends with, for scripts. 0 is success, 1 whatever has no code of its own; `plugin` has two more.

use std::process::ExitCode;

use super::Failure;
use super::client::CallError;

/// The command, or a field of what it sends, is wrong. The parser of the command line uses it too.
pub(super) const WRONG: u8 = 2;
/// It was not delivered, or a job did not come to its end.
pub(super) const NOT_DELIVERED: u8 = 3;
/// No token, a wrong one, or one that does not allow this.
const NOT_ALLOWED: u8 = 5;
/// There is no such thing.
const NOT_THERE: u8 = 6;
/// The server cannot be reached, or cannot answer now: trying again may help.
const UNREACHABLE: u8 = 7;
/// It is not as it has to be for this, or has changed meanwhile.
const CONFLICT: u8 = 8;

/// The code of a failure.
pub(super) fn code(failure: &Failure) -> ExitCode {
    match failure.downcast_ref::<CallError>() {
        None | Some(CallError::NotUnderstood { .. }) => ExitCode::FAILURE,
        Some(CallError::Unreachable { .. }) => ExitCode::from(UNREACHABLE),
        Some(CallError::Refused { status, .. }) => ExitCode::from(of_status(status.as_u16())),
    }
}

const fn of_status(status: u16) -> u8 {
    match status {
        401 | 403 => NOT_ALLOWED,
        404 | 410 => NOT_THERE,
        409 | 412 => CONFLICT,
        408 | 429 | 500..=599 => UNREACHABLE,
        400..=499 => WRONG,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_refusal_has_a_code() {
        assert_eq!([400, 413, 415, 422].map(of_status), [WRONG; 4]);
        assert_eq!([401, 403].map(of_status), [NOT_ALLOWED; 2]);
        assert_eq!([404, 409, 412].map(of_status), [NOT_THERE, CONFLICT, CONFLICT]);
        assert_eq!([429, 500, 503].map(of_status), [UNREACHABLE; 3]);
        assert_eq!(of_status(302), 1);
    }
}
