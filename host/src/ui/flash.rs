//! What one page has to tell on the next: it travels in a cookie that lives for a minute.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::viewer::cookie;

const COOKIE: &str = "hookwright_told";
const MAX_CHARS: usize = 500;

/// Something that was done, or was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flash {
    pub(super) is_good: bool,
    pub(super) text: String,
}

impl Flash {
    /// Of the page before.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = percent_decode_str(cookie(headers, COOKIE)?).decode_utf8().ok()?;
        let (kind, text) = value.split_at_checked(1)?;
        Some(Self { is_good: kind == "+", text: text.chars().take(MAX_CHARS).collect() })
    }

    fn cookie(&self) -> HeaderValue {
        let text: String = self.text.chars().take(MAX_CHARS).collect();
        let value = format!("{}{text}", if self.is_good { '+' } else { '-' });
        let value = utf8_percent_encode(&value, NON_ALPHANUMERIC);
        let cookie = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
        HeaderValue::from_str(&cookie).expect("percent-encoded text is plain ASCII")
    }
}

/// The browser forgets what it was told.
pub(super) fn forgotten() -> HeaderValue {
    const GONE: &str = "hookwright_told=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0";
    HeaderValue::from_static(GONE)
}

/// Goes to another page, which tells that something was done.
pub(super) fn done(to: &str, text: impl Into<String>) -> Response {
    told(to, &Flash { is_good: true, text: text.into() })
}

/// Goes to another page, which tells that something was not done.
pub(super) fn failed(to: &str, text: impl Into<String>) -> Response {
    told(to, &Flash { is_good: false, text: text.into() })
}

fn told(to: &str, flash: &Flash) -> Response {
    let mut response = Redirect::to(to).into_response();
    response.headers_mut().append(header::SET_COOKIE, flash.cookie());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_told_arrives() {
        let flash = Flash { is_good: false, text: "„<b>; a=b\n%".to_owned() };
        let cookie = flash.cookie();
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(pair).unwrap())]);
        assert_eq!(Flash::of(&headers), Some(flash));
        assert_eq!(Flash::of(&HeaderMap::new()), None);
    }
}
