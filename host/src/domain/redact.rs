//! Finds secrets in bytes that come from outside and puts their names there instead.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// Secrets shorter than this cannot be told from ordinary text, so they are not looked for.
pub const SECRET_MIN_BYTES: usize = 4;

/// What `encodeURIComponent` of JavaScript leaves as it is, besides letters and digits.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// Replaces every form of a set of secrets by their names.
#[derive(Debug, Default)]
pub struct Redactor {
    search: Option<AhoCorasick>,
    names: Vec<String>,
}

impl Redactor {
    /// A redactor of these named secrets: as they stand, percent-encoded, as inside a JSON string, in hexadecimal, and in
    /// base64 (also as a part of a longer encoded text, as in basic authentication).
    pub fn new(secrets: &[(String, Vec<u8>)]) -> Self {
        let mut patterns = Vec::new();
        let mut names = Vec::new();
        for (name, secret) in secrets.iter().filter(|(_, secret)| secret.len() >= SECRET_MIN_BYTES) {
            for form in forms(secret) {
                patterns.push(form);
                names.push(format!("[secret:{name}]"));
            }
        }
        // Every webhook has one in memory, and the table that is fastest to search would take half a megabyte.
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::LeftmostLongest).kind(Some(AhoCorasickKind::ContiguousNFA));
        let search = (!patterns.is_empty()).then(|| builder.build(&patterns).ok()).flatten();
        Self { search, names }
    }

    /// The bytes without the secrets.
    pub fn bytes<'a>(&self, input: &'a [u8]) -> Cow<'a, [u8]> {
        match &self.search {
            // Almost nothing ever holds one.
            Some(search) if search.is_match(input) => Cow::Owned(search.replace_all_bytes(input, &self.names)),
            _ => Cow::Borrowed(input),
        }
    }

    /// The text without the secrets.
    pub fn text<'a>(&self, input: &'a str) -> Cow<'a, str> {
        match &self.search {
            Some(search) if search.is_match(input) => Cow::Owned(search.replace_all(input, &self.names)),
            _ => Cow::Borrowed(input),
        }
    }
}

fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_vec()];
    let mut encoded = vec![url::form_urlencoded::byte_serialize(secret).collect::<String>()];
    for set in [NON_ALPHANUMERIC, COMPONENT] {
        let text = percent_encode(secret, set).to_string();
        encoded.extend([text.replace("%20", "+"), text]);
    }
    forms.extend(encoded.iter().map(|text| lower_hex(text)));
    forms.extend(encoded.into_iter().map(String::into_bytes));
    let digits = |digits: &[u8; 16]| {
        let two = |byte: &u8| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]];
        secret.iter().flat_map(two).collect::<Vec<_>>()
    };
    forms.extend([digits(b"0123456789abcdef"), digits(b"0123456789ABCDEF")]);
    if let Ok(text) = std::str::from_utf8(secret) {
        forms.extend(json_forms(text));
    }
    // Base64 of a text that holds the secret shows it at one of three alignments; the characters that also carry
    // bits of its neighbours are left out.
    for offset in 0..3 {
        let mut shifted = vec![0; offset];
        shifted.extend_from_slice(secret);
        let first = [0, 2, 3][offset];
        let whole_bits = shifted.len() * 8;
        let last = whole_bits / 6;
        for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            if last > first + SECRET_MIN_BYTES {
                forms.push(encoded.as_bytes()[first..last].to_vec());
            }
        }
    }
    forms.sort();
    forms.dedup();
    forms.retain(|form| form.len() >= SECRET_MIN_BYTES);
    forms
}

/// The same percent-encoded text with small digits.
fn lower_hex(encoded: &str) -> Vec<u8> {
    let mut bytes = encoded.as_bytes().to_vec();
    let escapes: Vec<usize> = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%').map(|(at, _)| at).collect();
    for at in escapes {
        bytes[at + 1..at + 3].make_ascii_lowercase();
    }
    bytes
}

/// As inside a JSON string: some libraries escape slashes, some all that is not ASCII.
fn json_forms(text: &str) -> Vec<Vec<u8>> {
    let json = serde_json::Value::from(text).to_string();
    let json = &json[1..json.len() - 1];
    let ascii: String = json
        .chars()
        .flat_map(|c| {
            let mut units = [0; 2];
            if c.is_ascii() {
                return vec![c.to_string()];
            }
            c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
        })
        .collect();
    let plain = [json.to_owned(), ascii];
    let slashed = plain.clone().map(|text| text.replace('/', "\\/"));
    plain.into_iter().chain(slashed).map(String::into_bytes).collect()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn redactor(secret: &[u8]) -> Redactor {
        Redactor::new(&[("key".to_owned(), secret.to_vec())])
    }

    #[test]
    fn every_form_of_a_secret_is_replaced_by_its_name() {
        let secret = "S3cr3t/+\"töken";
        let redactor = redactor(secret.as_bytes());
        let forms = [
            secret.to_owned(),
            percent_encode(secret.as_bytes(), NON_ALPHANUMERIC).to_string(),
            percent_encode(secret.as_bytes(), COMPONENT).to_string(),
            "S3cr3t%2f%2b%22t%c3%b6ken".to_owned(),
            serde_json::to_string(secret).unwrap(),
            serde_json::to_string(secret).unwrap().replace('/', "\\/"),
            "S3cr3t/+\\\"t\\u00f6ken".to_owned(),
            "5333637233742f2b2274c3b66b656e".to_owned(),
            "5333637233742F2B2274C3B66B656E".to_owned(),
            url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            STANDARD.encode(secret),
            format!("Basic {}", STANDARD.encode(format!("user:{secret}"))),
        ];
        for form in forms {
            let text = format!("before {form} after");
            let clean = redactor.text(&text);
            assert!(clean.contains("[secret:key]"), "{form} -> {clean}");
            assert!(clean.starts_with("before ") && clean.ends_with(" after"), "{clean}");
        }
    }

    #[test]
    fn what_every_webhook_has_in_memory_is_small() {
        let secrets: Vec<_> =
            (0..8).map(|n| (n.to_string(), format!("{n}-wJalrXUtnFEMI/K7MDENG+bPxRfi").into_bytes())).collect();
        let bytes = Redactor::new(&secrets).search.unwrap().memory_usage();
        assert!(bytes < 256 * 1024, "{bytes} bytes");
    }

    #[test]
    fn text_without_secrets_stays_as_it_is() {
        assert_eq!(redactor(b"secret-token").text("nothing to see"), "nothing to see");
        assert_eq!(&*Redactor::default().bytes(b"x"), b"x");
    }

    proptest! {
        #[test]
        fn no_base64_of_a_text_around_a_secret_keeps_it(before in ".{0,20}", after in ".{0,20}") {
            let secret = "wJalrXUtnFEMI-K7MDENG";
            let redactor = redactor(secret.as_bytes());
            let text = STANDARD.encode(format!("{before}{secret}{after}"));
            let clean = redactor.text(&text);
            prop_assert!(clean.contains("[secret:key]"), "{}", clean);
        }
    }
}
