//! Pages from templates, and texts of others made harmless.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind};
use serde::Serialize;

use crate::assets;

/// The templates, by name.
const TEMPLATES: [(&str, &str); 15] = [
    ("base.html", include_str!("../templates/base.html")),
    ("macros.html", include_str!("../templates/macros.html")),
    ("overview.html", include_str!("../templates/overview.html")),
    (
        "overview_live.html",
        include_str!("../templates/overview_live.html"),
    ),
    ("articles.html", include_str!("../templates/articles.html")),
    ("article.html", include_str!("../templates/article.html")),
    ("feeds.html", include_str!("../templates/feeds.html")),
    (
        "dead_letters.html",
        include_str!("../templates/dead_letters.html"),
    ),
    ("dead_letter.html", include_str!("../templates/dead_letter.html")),
    ("replayed.html", include_str!("../templates/replayed.html")),
    ("trace.html", include_str!("../templates/trace.html")),
    ("topics.html", include_str!("../templates/topics.html")),
    ("settings.html", include_str!("../templates/settings.html")),
    ("login.html", include_str!("../templates/login.html")),
    ("problem.html", include_str!("../templates/problem.html")),
];

/// The templates, compiled.
#[derive(Debug)]
pub(crate) struct Renderer(Environment<'static>);

impl Renderer {
    pub(crate) fn new() -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_formatter(|out, state, value| match (state.auto_escape(), value.as_str()) {
            (AutoEscape::Html, Some(text)) if !value.is_safe() => {
                out.write_str(&escape(text)).map_err(Error::from)
            }
            _ => minijinja::escape_formatter(out, state, value),
        });
        environment.add_filter("ago", ago_filter);
        environment.add_filter("time", time_filter);
        environment.add_global("style", Value::from(assets::style().path.clone()));
        environment.add_global("script", Value::from(assets::script().path.clone()));
        environment.add_global("version", Value::from(env!("CARGO_PKG_VERSION")));
        for (name, source) in TEMPLATES {
            environment.add_template(name, source)?;
        }
        Ok(Self(environment))
    }

    pub(crate) fn render(&self, template: &str, view: &impl Serialize) -> Result<String, Error> {
        self.0.get_template(template)?.render(Serde(view))
    }
}

/// Escapes text for HTML and XML; control characters and those that turn the order of what follows become spaces.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if is_hostile(c) => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Characters that nobody needs in news: controls, turns of direction that go on beyond the text, and what XML does
/// not know.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
}

/// Gives an address that can be followed: http or https, nothing that runs, no password.
pub(crate) fn link(address: &str) -> Option<String> {
    let url = url::Url::parse(&telex_operate::without_user(address)).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| url.to_string())
}

/// Says how long ago a time is, or how long it is to it.
pub(crate) fn ago(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(time).as_secs();
    let (n, unit) = match seconds.unsigned_abs() {
        n if n < 90 => (n, "s"),
        n if n < 90 * 60 => (n / 60, "min"),
        n if n < 48 * 3600 => (n / 3600, "h"),
        n => (n / 86_400, "days"),
    };
    match seconds {
        0 => "now".to_owned(),
        s if s > 0 => format!("{n} {unit} ago"),
        _ => format!("in {n} {unit}"),
    }
}

/// Says how long something takes.
pub(crate) fn span(time: SignedDuration) -> String {
    let mut text = String::new();
    let (n, unit) = match time.as_secs() {
        n if n < 90 => (n, "s"),
        n if n < 90 * 60 => (n / 60, "min"),
        n if n < 48 * 3600 => (n / 3600, "h"),
        n => (n / 86_400, "days"),
    };
    // Writing to a string cannot fail.
    let _ok = write!(text, "{n} {unit}");
    text
}

fn parse(text: &str) -> Result<Timestamp, Error> {
    let wrong = |e: jiff::Error| Error::new(ErrorKind::InvalidOperation, e.to_string());
    text.parse().map_err(wrong)
}

fn ago_filter(text: &str) -> Result<String, Error> {
    Ok(ago(parse(text)?, Timestamp::now()))
}

fn time_filter(text: &str) -> Result<String, Error> {
    Ok(parse(text)?.strftime("%Y-%m-%d %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text() {
        assert_eq!(
            escape("<script>alert('x')</script>&\"\u{202e}gnp\0\u{1b}[2J\n"),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot; gnp  [2J\n"
        );
    }

    #[test]
    fn only_web_addresses_are_links() {
        assert!(link("https://example.org/a?b=c").is_some());
        for other in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " javascript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "/relative",
            "",
            "http://",
        ] {
            assert_eq!(link(other), None, "{other}");
        }
    }

    #[test]
    fn tells_times_in_few_words() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        for (seconds, words) in [
            (0, "now"),
            (40, "40 s ago"),
            (600, "10 min ago"),
            (-600, "in 10 min"),
            (7200, "2 h ago"),
            (864_000, "10 days ago"),
        ] {
            assert_eq!(ago(now - SignedDuration::from_secs(seconds), now), words);
        }
    }
}
