//! Makes links absolute without otherwise changing them.

use url::Url;

/// Longest address used as a base, in bytes: a base is copied into every relative link of the feed.
const MAX_BASE: usize = 2048;

/// Longest address accepted, in bytes. Servers and browsers agree on limits well below this.
const MAX_LINK: usize = 8192;

/// Returns the base that `given` makes, itself perhaps relative to `outer`.
pub(crate) fn base(outer: Option<&Url>, given: &str) -> Option<Url> {
    let given = given.trim();
    if given.is_empty() || given.len() > MAX_BASE {
        return None;
    }
    let url = match outer {
        Some(outer) => outer.join(given).ok()?,
        None => Url::parse(given).ok()?,
    };
    (!url.cannot_be_a_base() && url.as_str().len() <= MAX_BASE).then_some(url)
}

/// Returns the link absolute where a base is known, else as given; none where it is empty or absurdly long.
///
/// An absolute address stays as the publisher wrote it: readers compare it, and a normal form is somebody else's job.
pub(crate) fn absolute(base: Option<&Url>, given: &str) -> Option<String> {
    let mut given = std::borrow::Cow::Borrowed(given.trim());
    if given.is_empty() || given.len() > MAX_LINK {
        return None;
    }
    if given.contains(|c: char| c.is_whitespace()) {
        // Line breaks come from wrapped source, spaces from unescaped addresses.
        given = given.replace(['\n', '\r', '\t'], "").replace(' ', "%20").into();
    }
    if has_scheme(&given) {
        return Some(given.into_owned());
    }
    let host_first = given
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("www."));
    if host_first {
        let scheme = base.map_or("http", Url::scheme);
        return Some(format!("{scheme}://{given}"));
    }
    match base.and_then(|base| base.join(&given).ok()) {
        Some(url) => Some(url.into()),
        None => Some(given.into_owned()),
    }
}

/// Returns whether the text is an absolute address of a page.
pub(crate) fn is_web_address(text: &str) -> bool {
    let text = text.trim();
    let has = |scheme: &str| {
        text.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    (has("http://") || has("https://")) && !text.contains(|c: char| c.is_whitespace())
}

/// Returns whether the text begins with a URI scheme (RFC 3986, 3.1).
fn has_scheme(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    // `example.com:8080/x` has no scheme, though it looks like one.
    scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        && !(scheme.contains('.') && rest.starts_with(|c: char| c.is_ascii_digit()))
}
