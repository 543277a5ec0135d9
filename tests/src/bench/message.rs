//! As much of HTTP/1.1 as publishers and the receiver need among known partners. A library does more and takes more,
//! and what these two take is missing to what is measured: all share the machine.

use super::Failure;

const SPACE: u8 = b' ';
const CONTENT_LENGTH: &[u8] = b"content-length";
const TRANSFER_ENCODING: &[u8] = b"transfer-encoding";
/// Larger heads are none of ours.
const HEAD_MAX: usize = 64 << 10;

/// A message that has come whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// The second word of the first line: what is asked for, or the status.
    pub(super) subject: &'a str,
    pub(super) body: &'a [u8],
    /// Bytes of all of it.
    pub(super) length: usize,
}

impl<'a> Message<'a> {
    /// The message at the start of these bytes; none when more of it has to come.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Option<Self>, Failure> {
        let mut subject = None;
        let mut body_bytes = 0;
        let mut at = 0;
        loop {
            let Some(end) = bytes[at..].iter().position(|byte| *byte == b'\n') else {
                return if bytes.len() > HEAD_MAX { Err("a head without an end".into()) } else { Ok(None) };
            };
            let line = bytes[at..at + end].trim_ascii_end();
            at += end + 1;
            if subject.is_none() {
                let word = line.split(|byte| *byte == SPACE).nth(1).ok_or("a first line of one word")?;
                subject = Some(std::str::from_utf8(word)?);
            } else if line.is_empty() {
                break;
            } else if let Some(length) = value(line, CONTENT_LENGTH) {
                body_bytes = std::str::from_utf8(length)?.parse()?;
            } else if value(line, TRANSFER_ENCODING).is_some() {
                return Err("a body whose length is not told".into());
            }
        }
        let Some(body) = bytes.get(at..at + body_bytes) else { return Ok(None) };
        Ok(subject.map(|subject| Self { subject, body, length: at + body_bytes }))
    }
}

/// What stands behind a header's name, if the line is that header.
fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}
