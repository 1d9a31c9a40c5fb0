//! robots.txt (RFC 9309): fetched once a day for each origin, remembered, asked before each page.
//!
//! Parsing is `robotxt`'s: linear matching without regular expressions, its own 500 KiB cap, no panics on any bytes.
//! `texting_robots` was rejected: it compiles a regular expression for every rule with `$`, and pulls in nom and regex.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tokio::time::Instant;
use url::Url;

use crate::limits::{HostLimits, Permit, host_key};
use crate::{Client, FetchError, Request};

/// RFC 9309, section 2.4: not longer than a day.
const TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// An unreachable robots.txt closes a host, so it is asked for again soon.
const RETRY: Duration = Duration::from_secs(10 * 60);

/// RFC 9309, section 2.5: at least 500 KiB are to be read; what follows is ignored.
const MAX_BYTES: usize = 500 * 1024;

/// A redirect waits this long for its host, then the fetch is given up: two fetches that redirect to each other's hosts
/// would wait for each other.
const ADMISSION_LIMIT: Duration = Duration::from_secs(10);

/// Fixed part of what one origin costs in memory: key, cache entry, the parsed file's frame.
const ENTRY_BYTES: usize = 512;

/// Fixed part of what one rule costs in memory, beside its pattern.
const RULE_BYTES: usize = 48;

/// What robots.txt says about one URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be fetched.
    Allowed {
        /// Least time between two requests to the host, as the file asks; not clamped, see
        /// [`HostLimits::set_crawl_delay`].
        crawl_delay: Option<Duration>,
    },
    /// It may not be fetched.
    Disallowed,
    /// The file cannot be had for now, so nothing may be fetched; to be tried again in minutes.
    Unreachable,
}

#[derive(Clone)]
struct Entry {
    rules: Rules,
    expires: Instant,
}

#[derive(Clone)]
enum Rules {
    /// There is no such file (any 4xx): everything is allowed.
    Absent,
    Parsed(Arc<robotxt::Robots>),
    Unreachable,
}

/// The robots.txt files of all origins; clones share them.
#[derive(Clone)]
pub struct Robots {
    agent: Arc<str>,
    cache: Cache<String, Entry>,
}

impl Robots {
    /// Makes an empty store that holds files worth `max_bytes` of memory once parsed.
    ///
    /// `agent` is the product token that `User-agent` lines are compared with, such as `telex`.
    #[must_use]
    pub fn new(agent: &str, max_bytes: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|origin: &String, entry| weight(origin, entry))
            .build();
        Self {
            agent: Arc::from(agent),
            cache,
        }
    }

    /// Tells whether `url` may be fetched, and fetches its origin's robots.txt where it is not known.
    ///
    /// Fetches of one file at the same time become one. A file that cannot be renewed stays in force while it is
    /// remembered. The fetch takes no [`Permit`]: it is one small request a day.
    pub async fn allowed(&self, client: &Client, url: &Url) -> Verdict {
        let origin = url.origin().ascii_serialization();
        let known = self.cache.get(&origin).await;
        let rules = match known {
            Some(entry) if entry.expires > Instant::now() => entry.rules,
            known => {
                let old = known.map_or(Rules::Unreachable, |entry| entry.rules);
                let load = self.load(client, url, old);
                let entry = self.cache.entry(origin);
                let fresh = entry
                    .or_insert_with_if(load, |entry| entry.expires <= Instant::now())
                    .await;
                fresh.into_value().rules
            }
        };
        match rules {
            Rules::Absent => Verdict::Allowed { crawl_delay: None },
            Rules::Unreachable => Verdict::Unreachable,
            Rules::Parsed(robots) if robots.is_url_allowed(url) => Verdict::Allowed {
                crawl_delay: robots.crawl_delay(),
            },
            Rules::Parsed(_) => Verdict::Disallowed,
        }
    }

    /// Number of origins remembered; approximate.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.cache.entry_count()
    }

    /// Whether no origin is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the remembered files are worth; approximate.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.cache.weighted_size()
    }

    async fn load(&self, client: &Client, url: &Url, old: Rules) -> Entry {
        let rules = match self.fetch(client, url).await {
            Rules::Unreachable => old.clone(),
            rules => {
                return Entry {
                    rules,
                    expires: Instant::now() + TTL,
                };
            }
        };
        Entry {
            rules,
            expires: Instant::now() + RETRY,
        }
    }

    async fn fetch(&self, client: &Client, url: &Url) -> Rules {
        let Ok(location) = url.join("/robots.txt") else {
            return Rules::Unreachable;
        };
        let mut request = Request::new(location);
        request.accept = "text/plain, */*;q=0.5".into();
        request.cut_at = Some(MAX_BYTES);
        match client.get(&request).await {
            Ok(response) => match response.status {
                200..=299 => {
                    let text = whole_lines(&response.body);
                    Rules::Parsed(Arc::new(robotxt::Robots::parse(text, &*self.agent)))
                }
                // RFC 9309 puts 429 with the other 4xx; but "too many requests" is no leave to make more.
                429 => Rules::Unreachable,
                300..=499 => Rules::Absent,
                _ => Rules::Unreachable,
            },
            // RFC 9309, section 2.3.1.2: too many redirects may count as absent.
            Err(
                FetchError::TooManyRedirects { .. } | FetchError::RedirectLoop(_) | FetchError::BadRedirect,
            ) => Rules::Absent,
            Err(_) => Rules::Unreachable,
        }
    }
}

/// Leaves out a last line that the cap cut in two: half a rule forbids too much.
fn whole_lines(text: &[u8]) -> &[u8] {
    if text.len() < MAX_BYTES {
        return text;
    }
    let end = text
        .iter()
        .rposition(|byte| matches!(byte, b'\n' | b'\r'))
        .unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

fn weight(origin: &str, entry: &Entry) -> u32 {
    let rules = match &entry.rules {
        Rules::Parsed(robots) => {
            let rules = robots
                .rules()
                .iter()
                .map(|rule| RULE_BYTES + rule.pattern().len())
                .sum::<usize>();
            let sitemaps = robots
                .sitemaps()
                .iter()
                .map(|url| RULE_BYTES + url.as_str().len())
                .sum::<usize>();
            rules + sitemaps
        }
        Rules::Absent | Rules::Unreachable => 0,
    };
    u32::try_from(ENTRY_BYTES + origin.len() + rules).unwrap_or(u32::MAX)
}

/// What a fetch asks before it follows a redirect.
pub struct Politeness<'a> {
    /// Limits of the host that the redirect leads to.
    pub limits: &'a HostLimits,
    /// robots.txt, where it matters: for pages, not for feeds.
    pub robots: Option<&'a Robots>,
}

impl Politeness<'_> {
    /// Asks whether the redirect to `url` may be followed; `crossed` tells that it leads to another host.
    pub(crate) async fn admit(
        &self,
        client: &Client,
        url: &Url,
        crossed: bool,
    ) -> Result<Option<Permit>, FetchError> {
        let host = host_key(url);
        if let Some(robots) = self.robots {
            // Boxed, for that fetch contains this future's type again.
            match Box::pin(robots.allowed(client, url)).await {
                Verdict::Allowed { crawl_delay } => {
                    self.limits
                        .set_crawl_delay(&host, crawl_delay.unwrap_or_default());
                }
                Verdict::Disallowed => return Err(FetchError::RobotsDisallowed(url.to_string())),
                Verdict::Unreachable => return Err(FetchError::RobotsUnreachable(host)),
            }
        }
        if !crossed {
            return Ok(None);
        }
        let admission = tokio::time::timeout(ADMISSION_LIMIT, self.limits.acquire(&host)).await;
        admission.map(Some).map_err(|_| FetchError::HostClosed(host))
    }
}

#[cfg(test)]
mod tests;
