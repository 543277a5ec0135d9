//! Projects: everything in one is isolated from every other.

use super::clock::Millis;
use super::id::ProjectId;
use super::retention::Retention;

/// Most characters of a project's name.
pub const NAME_MAX_CHARS: usize = 255;
/// Most characters of its description.
pub const DESCRIPTION_MAX_CHARS: usize = 2000;
/// Most characters of its external id.
pub const EXTERNAL_ID_MAX_CHARS: usize = 255;

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What somebody else calls it; stands for the id in `X-Project`.
    pub external_id: Option<String>,
    /// How long its history is kept, where it says so.
    pub retention: Retention,
    /// Grows with each change.
    pub version: i64,
    /// When it was made.
    pub created_at: Millis,
    /// When it was changed.
    pub updated_at: Millis,
}

/// Whether a text can be an external id: it has to fit a header, and must not look like an id of ours.
pub fn check_external_id(text: &str) -> Result<(), String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain || !(1..=EXTERNAL_ID_MAX_CHARS).contains(&text.len()) {
        return Err(format!("is 1 to {EXTERNAL_ID_MAX_CHARS} visible ASCII characters without spaces"));
    }
    if text.parse::<ProjectId>().is_ok() {
        return Err("looks like an id of this server's own".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::DEFAULT_PROJECT;

    #[test]
    fn an_external_id_fits_a_header_and_is_no_id_of_ours() {
        assert!(check_external_id("team-7/board:9").is_ok());
        assert!(check_external_id(&"x".repeat(EXTERNAL_ID_MAX_CHARS)).is_ok());
        for text in ["", " ", "a b", "gr\u{fc}n", "a\n", &"x".repeat(EXTERNAL_ID_MAX_CHARS + 1)] {
            assert!(check_external_id(text).is_err(), "{text:?}");
        }
        assert!(check_external_id(&DEFAULT_PROJECT.to_string()).is_err());
    }
}
