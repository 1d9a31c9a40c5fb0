//! Who may change something: the token, and what browsers get instead of it.
//!
//! A browser that was given the token gets a cookie with a time and a keyed hash of it, so the token itself is kept
//! nowhere, a cookie ends, and there is no list of sessions to fill memory. The key follows from the token: a restart
//! signs nobody out, another token everybody. Forms carry a second hash, of the cookie, that other sites cannot know.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use blake3::Hash;
use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::ask::Fields;
use crate::failure::Failure;
use crate::guard;

/// Name of the cookie.
const COOKIE: &str = "telex_console";

/// A browser stays signed in so long: a working day.
const SIGNED_IN: i64 = 12 * 3600;

/// What a wrong token costs; one at a time.
const WRONG: Duration = Duration::from_millis(250);

/// The token, as keys.
#[derive(Debug)]
pub(crate) struct Keys {
    key: Option<[u8; 32]>,
    /// Names that the console has beside its addresses.
    hosts: Vec<String>,
    wrong: Mutex<()>,
}

/// A browser that is signed in.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    /// What its forms carry.
    pub(crate) form: String,
}

impl Keys {
    /// Keys of a token; without one nothing can be changed.
    pub(crate) fn new(token: Option<&str>, hosts: &[String]) -> Self {
        Self {
            key: token.and_then(key),
            hosts: hosts.to_owned(),
            wrong: Mutex::default(),
        }
    }

    /// Tells whether changes are possible at all.
    pub(crate) fn exist(&self) -> bool {
        self.key.is_some()
    }

    /// Takes a token; gives the cookie to set.
    pub(crate) async fn sign_in(&self, headers: &HeaderMap, token: &str) -> Result<String, Failure> {
        guard::same_origin(headers, &self.hosts)?;
        self.right(token).await?;
        let ends = Timestamp::now().as_second() + SIGNED_IN;
        let value = self.cookie(ends).unwrap_or_default();
        Ok(set_cookie(headers, &value, SIGNED_IN))
    }

    /// Gives the cookie that takes the other away.
    pub(crate) fn sign_out(headers: &HeaderMap) -> String {
        set_cookie(headers, "", 0)
    }

    /// Looks whether a request comes from a browser that is signed in.
    pub(crate) fn signed_in(&self, headers: &HeaderMap) -> Option<SignedIn> {
        let cookies = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|v| v.to_str().ok());
        let mut pairs = cookies
            .flat_map(|c| c.split(';'))
            .filter_map(|c| c.trim().split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == COOKIE)?;
        let ends = value.split_once('.')?.0.parse::<i64>().ok()?;
        let expected = self.cookie(ends)?;
        let known = same(expected.as_bytes(), value.as_bytes()) && ends > Timestamp::now().as_second();
        known.then(|| SignedIn {
            form: self.hash("form", &expected).unwrap_or_default(),
        })
    }

    /// Tells whether a request may see secrets: a browser that is signed in, a program that sends the token.
    ///
    /// # Errors
    /// 401 with a wrong token.
    pub(crate) async fn may_see(&self, headers: &HeaderMap) -> Result<bool, Failure> {
        match bearer(headers) {
            Some(token) if self.exist() => self.right(token).await.map(|()| true),
            _ => Ok(self.signed_in(headers).is_some()),
        }
    }

    /// Lets a program pass that sends the token, or a page's own form.
    ///
    /// # Errors
    /// 401 without a token or with a wrong one, 403 where another site sent it or nothing can be changed at all.
    pub(crate) async fn may_change(&self, headers: &HeaderMap, form: Option<&str>) -> Result<(), Failure> {
        guard::same_origin(headers, &self.hosts)?;
        if let Some(token) = bearer(headers) {
            return self.right(token).await;
        }
        let Some(signed_in) = self.signed_in(headers) else {
            self.possible()?;
            return Err(unauthorized(
                "sign in first, or send `Authorization: Bearer TOKEN`",
            ));
        };
        if form.is_some_and(|form| same(form.as_bytes(), signed_in.form.as_bytes())) {
            Ok(())
        } else {
            Err(Failure::forbidden(
                "the form is not of this session; load the page again",
            ))
        }
    }

    /// Reads the fields of a page's form, and lets it pass as [`Keys::may_change`] does.
    ///
    /// # Errors
    /// As there; 400 and 413 where the fields cannot be read.
    pub(crate) async fn form(
        &self,
        headers: &HeaderMap,
        body: Body,
        known: &[&str],
    ) -> Result<Fields, Failure> {
        let known = [&["form"], known].concat();
        let fields = Fields::parse(&guard::body(body).await?, &known)?;
        self.may_change(headers, Some(fields.get("form").unwrap_or_default()))
            .await?;
        Ok(fields)
    }

    fn possible(&self) -> Result<(), Failure> {
        if self.exist() {
            return Ok(());
        }
        Err(Failure::forbidden(
            "this console is read-only: set console.token, best by TELEX__CONSOLE__TOKEN_FILE, to change things here",
        ))
    }

    async fn right(&self, token: &str) -> Result<(), Failure> {
        self.possible()?;
        if self.equal(token) {
            return Ok(());
        }
        let _one_at_a_time = self.wrong.lock().await;
        tokio::time::sleep(WRONG).await;
        Err(unauthorized("that is not the token"))
    }

    fn equal(&self, token: &str) -> bool {
        match (self.key, key(token)) {
            // Compared in constant time.
            (Some(ours), Some(theirs)) => Hash::from_bytes(ours) == Hash::from_bytes(theirs),
            _ => false,
        }
    }

    fn cookie(&self, ends: i64) -> Option<String> {
        Some(format!("{ends}.{}", self.hash("cookie", &ends.to_string())?))
    }

    fn hash(&self, what: &str, text: &str) -> Option<String> {
        let hash = blake3::keyed_hash(&self.key?, format!("{what} {text}").as_bytes());
        Some(hash.to_hex().to_string())
    }
}

fn key(token: &str) -> Option<[u8; 32]> {
    (!token.is_empty()).then(|| blake3::derive_key("telex console token", token.as_bytes()))
}

fn set_cookie(headers: &HeaderMap, value: &str, seconds: i64) -> String {
    // Where only the way to the proxy is safe.
    let secure = if guard::is_https(headers) { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// Gives the token of `Authorization: Bearer`; other kinds are for a proxy before us.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let sent = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (kind, token) = sent.split_once(' ')?;
    kind.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Compares in constant time, but for the length.
fn same(a: &[u8], b: &[u8]) -> bool {
    blake3::hash(a) == blake3::hash(b)
}

fn unauthorized(detail: &str) -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, detail)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn sent(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).expect("a header"));
        headers
    }

    fn pair(cookie: &str) -> String {
        cookie.split(';').next().unwrap_or_default().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn the_token_and_nothing_else_opens() {
        let keys = Keys::new(Some("a long token"), &[]);
        assert!(
            keys.may_change(&sent("authorization", "Bearer a long token"), None)
                .await
                .is_ok()
        );
        for wrong in [
            "Bearer a long toke",
            "Bearer ",
            "Basic a long token",
            "a long token",
        ] {
            let refused = keys.may_change(&sent("authorization", wrong), None).await;
            assert_eq!(
                refused.expect_err("refused").status,
                StatusCode::UNAUTHORIZED,
                "{wrong}"
            );
        }
        let nothing = keys.may_change(&HeaderMap::new(), None).await;
        assert_eq!(nothing.expect_err("refused").status, StatusCode::UNAUTHORIZED);
        for none in [Keys::new(None, &[]), Keys::new(Some(""), &[])] {
            let refused = none.may_change(&sent("authorization", "Bearer "), None).await;
            assert_eq!(refused.expect_err("read-only").status, StatusCode::FORBIDDEN);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cookie_opens_with_the_form_of_its_session_alone() {
        let keys = Keys::new(Some("a long token"), &[]);
        let cookie = keys
            .sign_in(&HeaderMap::new(), "a long token")
            .await
            .expect("signed in");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
        let headers = sent("cookie", &format!("a=b; {}", pair(&cookie)));
        let form = keys.signed_in(&headers).expect("signed in").form;
        assert!(keys.may_change(&headers, Some(&form)).await.is_ok());
        let mut behind = headers.clone();
        behind.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic dTpw"));
        assert!(
            keys.may_change(&behind, Some(&form)).await.is_ok(),
            "what a proxy asks for is not for us"
        );
        for forged in [None, Some(""), Some("x"), Some(&*form.replace('a', "b"))] {
            let refused = keys.may_change(&headers, forged).await;
            assert_eq!(refused.expect_err("refused").status, StatusCode::FORBIDDEN);
        }
        let other = Keys::new(Some("another token"), &[]);
        assert!(other.signed_in(&headers).is_none());
        let past = keys.cookie(1).expect("a key");
        for forged in [&*past, "", "1", "99999999999.00", ".", "99999999999999999999.0"] {
            let headers = sent("cookie", &format!("{COOKIE}={forged}"));
            assert!(keys.signed_in(&headers).is_none(), "{forged}");
        }
        assert!(keys.sign_in(&HeaderMap::new(), "wrong").await.is_err());
        assert!(!cookie.contains("Secure"));
        let proxied = sent("x-forwarded-proto", "https");
        let cookie = keys.sign_in(&proxied, "a long token").await.expect("signed in");
        assert!(cookie.ends_with("; Secure") && Keys::sign_out(&proxied).ends_with("; Secure"));
    }
}
