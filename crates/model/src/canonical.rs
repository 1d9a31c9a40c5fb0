//! URL canonicalisation: which addresses are the same article.
//!
//! The canonical form is an identity, never an address to fetch: it may drop what a server needs. What was
//! decided, in the order in which it is applied:
//!
//! 1. AMP caches are unwrapped (`www.google.com/amp/s/HOST/PATH`, `HOST.cdn.ampproject.org/c/s/HOST/PATH`).
//! 2. Scheme and host in lower case, host in punycode, no trailing dot, no user name or password; the default
//!    port is dropped; `http` on port 80 becomes `https`, for sites serve both and feeds mix them.
//! 3. A first label `www`, `m`, `mobile` or `amp` is dropped where a registrable domain remains.
//! 4. The fragment is dropped, but for `#!...`, which names a page on some old sites.
//! 5. AMP variants of the path (`/amp` or `/amp/` at the end, `.amp`, `.amp.html`) become the plain path, and a
//!    slash at the end is dropped.
//! 6. Percent escapes: upper case hex, unreserved characters written plainly (RFC 3986, section 6.2.2).
//! 7. Tracking parameters and AMP switches are dropped from the query, the others sorted by name (stable, so
//!    that repeated names keep their order); an empty query disappears.
//!
//! The path stays case-sensitive and `index.html` stays: servers disagree on both.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use url::{Host, Url};

/// Names of parameters that say where a reader came from, never what they read. Collected from the
/// documentation of the advertising and analytics services that set them.
const TRACKING: &[&str] = &[
    "__twitter_impression",
    "_ga",
    "_gl",
    "_hsenc",
    "_hsmi",
    "at_campaign",
    "at_custom1",
    "at_custom2",
    "at_custom3",
    "at_custom4",
    "at_format",
    "at_link_id",
    "at_link_origin",
    "at_link_type",
    "at_medium",
    "at_ptr_name",
    "campaign_id",
    "cmp",
    "cmpid",
    "dclid",
    "echobox",
    "fb_action_ids",
    "fb_action_types",
    "fb_ref",
    "fb_source",
    "fbclid",
    "from_rss",
    "gbraid",
    "gclid",
    "gclsrc",
    "guce_referrer",
    "guce_referrer_sig",
    "guccounter",
    "hsctatracking",
    "icid",
    "igsh",
    "igshid",
    "ito",
    "li_fat_id",
    "mbid",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "msclkid",
    "ncid",
    "ns_campaign",
    "ns_fee",
    "ns_linkname",
    "ns_mchannel",
    "ns_source",
    "ocid",
    "oly_anon_id",
    "oly_enc_id",
    "partner_id",
    "s_cid",
    "sh",
    "smid",
    "smtyp",
    "spref",
    "sr_share",
    "srnd",
    "taid",
    "traffic_source",
    "ttclid",
    "twclid",
    "vero_conv",
    "vero_id",
    "wbraid",
    "wickedid",
    "wt_mc",
    "wt_zmc",
    "xtor",
    "yclid",
    "ysclid",
];

/// Prefixes of such names.
const TRACKING_PREFIXES: &[&str] = &["utm_", "pk_", "mtm_", "matomo_", "hsa_", "wt.", "stm_"];

/// Names that track only with certain values: `ref=home` may be content, `ref=rss` never is.
const TRACKING_VALUES: &[(&str, &[&str])] = &[
    (
        "ref",
        &[
            "rss",
            "feed",
            "twitter",
            "facebook",
            "fb",
            "tw",
            "newsletter",
            "push",
        ],
    ),
    ("source", &["rss", "feed", "twitter", "facebook", "newsletter"]),
    ("from", &["rss", "feed"]),
    ("rss", &["1", "true", "yes", ""]),
    ("feature", &["share", "youtu.be"]),
];

/// Switches that ask for the AMP variant of the same page.
const AMP_SWITCHES: &[(&str, &str)] = &[
    ("amp", ""),
    ("amp", "1"),
    ("amp", "true"),
    ("outputtype", "amp"),
    ("view", "amp"),
];

/// Gives the canonical form of an absolute `http` or `https` URL; other schemes come back as they are.
///
/// Canonicalising twice changes nothing.
///
/// ```
/// # use telex_model::canonical_url;
/// let url = "http://www.Example.org:80/a/?utm_source=rss&b=2&a=1#top".parse().unwrap();
/// assert_eq!(canonical_url(&url), "https://example.org/a?a=1&b=2");
/// ```
pub fn canonical_url(url: &Url) -> String {
    if !matches!(url.scheme(), "http" | "https") {
        return url.as_str().to_owned();
    }
    let url = &at_publisher(url);
    let mut out = String::with_capacity(url.as_str().len());
    let port = url.port().filter(|p| *p != 80 && *p != 443);
    out.push_str(if url.scheme() == "https" || port.is_none() {
        "https"
    } else {
        "http"
    });
    out.push_str("://");
    out.push_str(canonical_host(url.host_str().unwrap_or_default()));
    if let Some(port) = port {
        out.push(':');
        out.push_str(&port.to_string());
    }
    normalize_escapes(canonical_path(url.path()), &mut out);
    push_query(url, &mut out);
    if let Some(fragment) = url.fragment().filter(|f| f.starts_with('!')) {
        out.push('#');
        normalize_escapes(fragment, &mut out);
    }
    out
}

/// Gives the domain that politeness and partitioning go by: the registrable domain by the public suffix list;
/// for IP addresses and single-label hosts `host:port`.
pub fn domain(url: &Url) -> String {
    let url = &at_publisher(url);
    let Some(host) = url.host_str() else {
        return String::new();
    };
    if matches!(url.host(), Some(Host::Domain(_))) {
        let host = host.trim_end_matches('.');
        if let Some(domain) = psl::domain_str(host).filter(|d| d.contains('.')) {
            return domain.to_owned();
        }
    }
    host_key(url)
}

/// Gives `host:port`, the key of limits per host.
pub fn host_key(url: &Url) -> String {
    format!(
        "{}:{}",
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or(0)
    )
}

/// Gives the publisher's own address of a page that a link names in an AMP cache; other links as they are. The cache's
/// host would be asked for pages of half the world, under rules that are not the publisher's.
pub fn at_publisher(url: &Url) -> Cow<'_, Url> {
    in_amp_cache(url).map_or(Cow::Borrowed(url), Cow::Owned)
}

fn in_amp_cache(url: &Url) -> Option<Url> {
    let host = url.host_str()?;
    let rest = if host.starts_with("www.google.") {
        url.path().strip_prefix("/amp/")?
    } else if host.ends_with(".cdn.ampproject.org") {
        let path = url.path();
        path.strip_prefix("/c/").or_else(|| path.strip_prefix("/v/"))?
    } else {
        return None;
    };
    let (scheme, rest) = match rest.strip_prefix("s/") {
        Some(rest) => ("https", rest),
        None => ("http", rest),
    };
    let query = url.query().map(|q| format!("?{q}")).unwrap_or_default();
    Url::parse(&format!("{scheme}://{rest}{query}"))
        .ok()
        .filter(|u| u.host_str().is_some_and(|h| h.contains('.')))
}

fn canonical_host(host: &str) -> &str {
    let host = host.trim_end_matches('.');
    if host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok() || host.parse::<Ipv6Addr>().is_ok()
    {
        return host;
    }
    for label in ["www.", "m.", "mobile.", "amp."] {
        if let Some(rest) = host.strip_prefix(label)
            && psl::domain_str(rest).is_some()
        {
            return rest;
        }
    }
    host
}

fn canonical_path(path: &str) -> &str {
    let mut path = path.trim_end_matches('/');
    for suffix in ["/amp", ".amp.html", ".amp"] {
        if let Some(rest) = path.strip_suffix(suffix) {
            path = rest.trim_end_matches('/');
            break;
        }
    }
    if path.is_empty() { "/" } else { path }
}

fn push_query(url: &Url, out: &mut String) {
    let Some(query) = url.query() else { return };
    let mut pairs: Vec<&str> = query
        .split('&')
        .filter(|p| !p.is_empty() && !is_noise(p))
        .collect();
    pairs.sort_by_key(|p| p.split('=').next().unwrap_or_default());
    for (i, pair) in pairs.iter().enumerate() {
        out.push(if i == 0 { '?' } else { '&' });
        normalize_escapes(pair, out);
    }
}

fn is_noise(pair: &str) -> bool {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let name = name.to_ascii_lowercase();
    let value = value.to_ascii_lowercase();
    TRACKING.contains(&name.as_str())
        || TRACKING_PREFIXES.iter().any(|p| name.starts_with(p))
        || TRACKING_VALUES
            .iter()
            .any(|(n, values)| *n == name && values.contains(&value.as_str()))
        || AMP_SWITCHES.iter().any(|(n, v)| *n == name && *v == value)
}

/// Writes percent escapes as RFC 3986 section 6.2.2 wants them.
fn normalize_escapes(text: &str, out: &mut String) {
    let bytes = text.as_bytes();
    let hex = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16));
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        let escape = (c == '%')
            .then(|| Some((hex(bytes.get(i + 1))?, hex(bytes.get(i + 2))?)))
            .flatten();
        let Some((high, low)) = escape else {
            out.push(c);
            continue;
        };
        chars.next();
        chars.next();
        match u8::try_from(high * 16 + low).map(char::from) {
            Ok(c) if c.is_ascii_alphanumeric() || "-._~".contains(c) => out.push(c),
            _ => out.push_str(&format!("%{:X}{:X}", high, low)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        reason = "a test that cannot parse its own URL must fail"
    )]
    use proptest::prelude::*;

    use super::*;

    fn check(url: &str, canonical: &str) {
        let got = canonical_url(&url.parse().unwrap());
        assert_eq!(got, canonical, "of {url}");
        assert_eq!(
            canonical_url(&got.parse().unwrap()),
            got,
            "canonicalised twice: {url}"
        );
    }

    #[test]
    fn same_article_same_form() {
        for url in [
            "https://example.org/a/b",
            "http://example.org/a/b/",
            "HTTP://WWW.EXAMPLE.ORG:80/a/b",
            "https://example.org:443/a/b#comments",
            "https://user:secret@m.example.org/a/b",
            "https://amp.example.org./a/b/amp/",
            "https://example.org/a/b.amp.html?amp=1",
            "https://example.org/x/../a/%62?utm_source=x&UTM_Medium=y&fbclid=1&ref=rss",
            "https://www.google.com/amp/s/www.example.org/a/b",
            "https://example-org.cdn.ampproject.org/c/s/example.org/a/b?outputType=amp",
        ] {
            check(url, "https://example.org/a/b");
        }
    }

    #[test]
    fn different_articles_stay_apart() {
        check("https://example.org/A/b", "https://example.org/A/b");
        check("https://example.org/?p=12", "https://example.org/?p=12");
        check(
            "https://example.org/a?b=2&a=1&a=0",
            "https://example.org/a?a=1&a=0&b=2",
        );
        check(
            "https://example.org/a?ref=chapter",
            "https://example.org/a?ref=chapter",
        );
        check("https://example.org/#!/a", "https://example.org/#!/a");
        check("https://example.org/a%2fb%zz", "https://example.org/a%2Fb%zz");
        check("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4");
        check("http://127.0.1.1:8099/a1.html", "http://127.0.1.1:8099/a1.html");
        check("https://m.uk/a", "https://m.uk/a");
        check("https://www.gov.uk/a", "https://www.gov.uk/a");
    }

    #[test]
    fn a_page_in_a_cache_belongs_to_its_publisher() {
        let cached = Url::parse("https://www.google.com/amp/s/news.example.co.uk/a/b").expect("a URL");
        assert_eq!(at_publisher(&cached).as_str(), "https://news.example.co.uk/a/b");
        assert_eq!(domain(&cached), "example.co.uk");
        let search = Url::parse("https://www.google.com/search?q=amp").expect("a URL");
        assert_eq!(at_publisher(&search).as_ref(), &search);
    }

    #[test]
    fn domains() {
        let of = |u: &str| domain(&u.parse().unwrap());
        assert_eq!(of("https://news.bbc.co.uk/x"), "bbc.co.uk");
        assert_eq!(of("https://a.example.org./"), "example.org");
        assert_eq!(of("http://127.0.1.2:8099/"), "127.0.1.2:8099");
        assert_eq!(of("http://[::1]/"), "[::1]:80");
        assert_eq!(of("http://localhost/"), "localhost:80");
    }

    proptest! {
        #[test]
        fn canonicalising_twice_changes_nothing(path in "[a-zA-Z0-9/%.~&=?#!äж -]{0,40}", host in "(www\\.|m\\.)?[a-z]{1,8}\\.(org|co\\.uk|test)") {
            if let Ok(url) = Url::parse(&format!("http://{host}/{path}")) {
                let once = canonical_url(&url);
                prop_assert_eq!(canonical_url(&once.parse().unwrap()), once);
            }
        }
    }
}
