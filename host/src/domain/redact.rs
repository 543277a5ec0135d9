//! Finds secrets in bytes that come from outside and puts their names there instead.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

/// Secrets shorter than this cannot be told from ordinary text, so they are not looked for.
pub const SECRET_MIN_BYTES: usize = 4;

/// Replaces every form of a set of secrets by their names.
#[derive(Debug, Default)]
pub struct Redactor {
    search: Option<AhoCorasick>,
    names: Vec<String>,
}

impl Redactor {
    /// A redactor of these named secrets: as they stand, percent-encoded, as inside a JSON string, and in base64
    /// (also as a part of a longer encoded text, as in basic authentication).
    pub fn new(secrets: &[(String, Vec<u8>)]) -> Self {
        let mut patterns = Vec::new();
        let mut names = Vec::new();
        for (name, secret) in secrets.iter().filter(|(_, secret)| secret.len() >= SECRET_MIN_BYTES) {
            for form in forms(secret) {
                patterns.push(form);
                names.push(format!("[secret:{name}]"));
            }
        }
        let search = (!patterns.is_empty())
            .then(|| AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&patterns).ok())
            .flatten();
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
    let upper = percent_encode(secret, NON_ALPHANUMERIC).to_string();
    forms.push(upper.to_ascii_lowercase().into_bytes());
    forms.push(upper.into_bytes());
    if let Ok(text) = std::str::from_utf8(secret) {
        let form: String = url::form_urlencoded::byte_serialize(secret).collect();
        forms.push(form.into_bytes());
        if let Ok(json) = serde_json::to_string(text) {
            forms.push(json.trim_matches('"').as_bytes().to_vec());
        }
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
        let secret = "s3cr3t/+\"töken";
        let redactor = redactor(secret.as_bytes());
        let forms = [
            secret.to_owned(),
            percent_encode(secret.as_bytes(), NON_ALPHANUMERIC).to_string(),
            serde_json::to_string(secret).unwrap(),
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
