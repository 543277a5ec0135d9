//! JSON text, piece by piece, once from front to back (RFC 8259).
//!
//! Not that of `serde_json`: reading numbers with a fraction and telling of errors is most of that, and a plugin hardly needs
//! either.

use std::borrow::Cow;

use super::error::Error;
use crate::text::part;

/// As deep as `serde_json` goes: deeper ones would take more stack than a plugin has.
const DEPTH: u8 = 127;

#[derive(Debug)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    pub(super) at: usize,
    depth: u8,
}

/// What a value begins as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    Number,
    Text,
    List,
    Map,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    pub(crate) fn error(&self, message: &str) -> Error {
        Error::new(message, self.at)
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space.
    fn next(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// What comes next.
    pub(crate) fn kind(&mut self) -> Result<Kind, Error> {
        Ok(match self.next() {
            Some(b'"') => Kind::Text,
            Some(b'{') => Kind::Map,
            Some(b'[') => Kind::List,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b'n') => Kind::Null,
            Some(b't') => Kind::True,
            Some(b'f') => Kind::False,
            Some(_) => return Err(self.error("expected value")),
            None => return Err(self.error("EOF while parsing a value")),
        })
    }

    /// Nothing is left.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        if self.next().is_none() { Ok(()) } else { Err(self.error("trailing characters")) }
    }

    /// `null`, `true` or `false`, after [`Reader::kind`] said so.
    pub(crate) fn word(&mut self, word: &str) -> Result<(), Error> {
        if self.rest().starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.error("expected ident"))
        }
    }

    /// A number as it is written, after [`Reader::kind`] said so.
    pub(crate) fn number(&mut self) -> Result<&'a str, Error> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        let leading_zero = self.byte() == Some(b'0');
        let digits = self.digits()?;
        if leading_zero && digits > 1 {
            return Err(self.error("invalid number"));
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(part(self.text, start, self.at))
    }

    fn digits(&mut self) -> Result<usize, Error> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        match self.at - start {
            0 if self.byte().is_none() => Err(self.error("EOF while parsing a value")),
            0 => Err(self.error("invalid number")),
            digits => Ok(digits),
        }
    }

    /// A string, after [`Reader::kind`] said so; copied only if it has escapes.
    pub(crate) fn text(&mut self) -> Result<Cow<'a, str>, Error> {
        let mut out = String::new();
        self.at += 1;
        let mut copied = self.at;
        loop {
            match self.byte() {
                Some(b'"') => {
                    let rest = part(self.text, copied, self.at);
                    self.at += 1;
                    return Ok(if out.is_empty() { Cow::Borrowed(rest) } else { Cow::Owned(out + rest) });
                }
                Some(b'\\') => {
                    out.push_str(part(self.text, copied, self.at));
                    self.at += 1;
                    out.push(self.escape()?);
                    copied = self.at;
                }
                Some(0..b' ') => {
                    return Err(self.error("control character (\\u0000-\\u001F) found while parsing a string"));
                }
                Some(_) => self.at += 1,
                None => return Err(self.error("EOF while parsing a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let byte = self.byte().ok_or_else(|| self.error("EOF while parsing a string"))?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(self.error("invalid escape")),
        })
    }

    fn unicode(&mut self) -> Result<char, Error> {
        let first = self.hex()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            if !self.rest().starts_with(b"\\u") {
                return Err(self.error("lone leading surrogate in hex escape"));
            }
            self.at += 2;
            let second = self.hex()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(self.error("lone leading surrogate in hex escape"));
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| self.error("lone trailing surrogate in hex escape"))
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.error("invalid escape"))?;
            self.at += 1;
        }
        Ok(code)
    }

    /// Begins a list or a map, after [`Reader::kind`] said so.
    pub(crate) fn open(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.error("recursion limit exceeded"));
        }
        self.at += 1;
        Ok(())
    }

    /// Whether there is another item of the list; otherwise it has ended.
    pub(crate) fn item(&mut self, is_first: bool) -> Result<bool, Error> {
        self.more(is_first, b']', "expected `,` or `]`", "EOF while parsing a list")
    }

    /// The next key of the map, its colon read; none if it has ended.
    pub(crate) fn key(&mut self, is_first: bool) -> Result<Option<Cow<'a, str>>, Error> {
        if !self.more(is_first, b'}', "expected `,` or `}`", "EOF while parsing an object")? {
            return Ok(None);
        }
        if self.next() != Some(b'"') {
            return Err(self.error("key must be a string"));
        }
        let key = self.text()?;
        match self.next() {
            Some(b':') => {
                self.at += 1;
                Ok(Some(key))
            }
            Some(_) => Err(self.error("expected `:`")),
            None => Err(self.error("EOF while parsing an object")),
        }
    }

    fn more(&mut self, is_first: bool, end: u8, expected: &str, ended: &str) -> Result<bool, Error> {
        match self.next() {
            Some(byte) if byte == end => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            Some(b',') if !is_first => {
                self.at += 1;
                if self.next() == Some(end) { Err(self.error("trailing comma")) } else { Ok(true) }
            }
            Some(_) if is_first => Ok(true),
            Some(_) => Err(self.error(expected)),
            None => Err(self.error(ended)),
        }
    }

    /// Reads past a value.
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        match self.kind()? {
            Kind::Null => self.word("null"),
            Kind::True => self.word("true"),
            Kind::False => self.word("false"),
            Kind::Number => self.number().map(|_| ()),
            Kind::Text => self.text().map(|_| ()),
            Kind::List => {
                self.open()?;
                let mut is_first = true;
                while self.item(is_first)? {
                    self.skip()?;
                    is_first = false;
                }
                Ok(())
            }
            Kind::Map => {
                self.open()?;
                let mut is_first = true;
                while self.key(is_first)?.is_some() {
                    self.skip()?;
                    is_first = false;
                }
                Ok(())
            }
        }
    }
}
