//! Pages made to be slow: each of a shape on which some parser is quadratic or overflows the stack.

use std::time::{Duration, Instant};

use telex_cleaner::{Page, clean_html, clean_text};

/// A shape of page: how it is called, and its markup in about so many bytes.
type Shape = (&'static str, fn(usize) -> String);

const SHAPES: [Shape; 32] = [
    ("nested boxes", |n| "<div>".repeat(n / 5)),
    ("nested and closed boxes", |n| {
        format!("{}x{}", "<div>".repeat(n / 11), "</div>".repeat(n / 11))
    }),
    ("nested inline elements", |n| "<b class=x>".repeat(n / 11)),
    ("nested links with text", |n| "<a href=x>y".repeat(n / 11)),
    ("nested lists", |n| "<ul><li>x".repeat(n / 9)),
    ("nested tables", |n| "<table><tr><td>x".repeat(n / 16)),
    ("paragraphs", |n| "<p>x".repeat(n / 4)),
    ("paragraphs of prose", |n| {
        "<p>The ferry was found on Monday, the coast guard said, and all are well.</p>".repeat(n / 77)
    }),
    ("attributes", |n| format!("<p {}>x", "a=b ".repeat(n / 4))),
    ("classes", |n| {
        (0..n / 20).map(|k| format!("<p class='a{k} bC{k}'>x")).collect()
    }),
    ("meta elements", |n| {
        "<meta name=author content='A, B'>".repeat(n / 33)
    }),
    ("one long class", |n| {
        format!("<div class='{}'>{}", "a ".repeat(n / 4), "<p>x".repeat(n / 8))
    }),
    ("authors", |n| {
        format!(
            "<meta name=author content='{}'>",
            (0..n / 7).map(|k| format!("n{k},")).collect::<String>()
        )
    }),
    ("open brackets", |n| "<".repeat(n)),
    ("open tags", |n| "<a ".repeat(n / 3)),
    ("open comments", |n| "<!-- -".repeat(n / 6)),
    ("open quotes", |n| "<a b=\"".repeat(n / 6)),
    ("references", |n| "&am".repeat(n / 3)),
    ("more references", |n| "&#x1F600;&ngE;&".repeat(n / 15)),
    ("stray ends", |n| {
        format!(
            "<section>{}{}",
            "<div>".repeat(500),
            "</section></p></b>".repeat(n / 18)
        )
    }),
    ("drawings without end", |n| "<svg>".repeat(n / 5)),
    ("scripts", |n| "<script></script>".repeat(n / 17)),
    ("statements", |n| {
        "<script type=application/ld+json>{\"@type\":\"Article\"}</script>".repeat(n / 61)
    }),
    ("deep statements", |n| {
        format!("<script type=application/ld+json>{}</script>", "[".repeat(n))
    }),
    ("long statement", |n| {
        format!(
            "<script type=application/ld+json>{{\"@type\":\"Article\",\"articleBody\":\"{}\"}}</script>",
            "<p>The ferry is back. ".repeat(n / 22)
        )
    }),
    ("stories in a script", |n| {
        format!(
            "<script>x = \"{}\"</script>",
            "\\u003cp>The ferry is back. ".repeat(n / 27)
        )
    }),
    ("headings", |n| "<h1>Ferry found</h1>".repeat(n / 20)),
    ("line breaks", |n| "x<br>".repeat(n / 5)),
    ("one word", |n| "x".repeat(n)),
    ("spaces", |n| " ".repeat(n)),
    ("signs of many scripts", |n| "船がé ".repeat(n / 9)),
    ("times", |n| "<time datetime=2026-01-01>x</time>".repeat(n / 34)),
];

const TEXTS: [Shape; 4] = [
    ("lines of a letter", |n| "x\n".repeat(n / 2)),
    ("items", |n| "* a b c d\n".repeat(n / 10)),
    ("one line", |n| "word ".repeat(n / 5)),
    ("prose", |n| {
        "The ferry was found on Monday, the coast guard said, and all are well.\n".repeat(n / 71)
    }),
];

fn clean(is_page: bool, input: &str) -> usize {
    let cleaned = if is_page {
        clean_html(&Page {
            url: Some("https://bell.example/"),
            html: input,
        })
    } else {
        clean_text(input)
    };
    cleaned.text.len()
}

fn all() -> impl Iterator<Item = (bool, Shape)> {
    let pages = SHAPES.into_iter().map(|shape| (true, shape));
    pages.chain(TEXTS.into_iter().map(|shape| (false, shape)))
}

#[test]
fn every_shape_is_survived() {
    for (is_page, (name, shape)) in all() {
        let input = shape(50_000);
        let length = clean(is_page, &input);
        assert!(length <= input.len(), "{name}: {length} bytes");
    }
}

/// The promise: half a second a MB on one core.
const LIMIT: Duration = Duration::from_millis(500);
/// Growth of time at most when the input grows fourfold: 4 is linear, 16 is quadratic. Caches account for the rest.
const GROWTH: f64 = 8.0;
/// Time below which growth is not judged.
const TOO_SHORT: Duration = Duration::from_millis(5);

/// The least time of three: other programs on the machine only ever add.
fn time(is_page: bool, input: &str) -> Duration {
    let once = |_| {
        let begin = Instant::now();
        clean(is_page, input);
        begin.elapsed()
    };
    (0..3).map(once).min().unwrap_or_default()
}

#[test]
#[cfg_attr(debug_assertions, ignore = "measures time: run it optimised, with --release")]
fn every_shape_takes_linear_time() {
    for (is_page, (name, shape)) in all() {
        let (small, large) = (time(is_page, &shape(250_000)), time(is_page, &shape(1_000_000)));
        assert!(large < LIMIT, "{name}: {large:?} a MB");
        let growth = large.as_secs_f64() / small.max(TOO_SHORT).as_secs_f64();
        assert!(growth < GROWTH, "{name}: {small:?}, four times as much {large:?}");
    }
}
