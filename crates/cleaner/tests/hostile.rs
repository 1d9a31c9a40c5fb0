//! Pages made to be slow: each of a shape on which some parser is quadratic or overflows the stack.

use std::time::{Duration, Instant};

use telex_cleaner::{Page, clean_html, clean_text};

/// Bytes of each page; without optimisation a fifth, so that the test stays short.
const SIZE: usize = if cfg!(debug_assertions) {
    200_000
} else {
    1_000_000
};

/// Time for a page. The promise is 0.5 s a MB in an optimised build on a free core; on a busy machine and without
/// optimisation several times that is normal, while quadratic work takes minutes.
const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 15 } else { 2 });

fn shapes() -> Vec<(&'static str, String)> {
    let times = |piece: &str| piece.repeat(SIZE / piece.len());
    vec![
        ("nested boxes", times("<div>")),
        (
            "nested and closed boxes",
            format!("{}x{}", "<div>".repeat(SIZE / 11), "</div>".repeat(SIZE / 11)),
        ),
        ("nested inline elements", times("<b class=x>")),
        ("nested links with text", times("<a href=x>y")),
        ("nested lists", times("<ul><li>x")),
        ("nested tables", times("<table><tr><td>x")),
        ("paragraphs", times("<p>x")),
        (
            "paragraphs of prose",
            times("<p>The ferry was found on Monday, the coast guard said, and all are well.</p>"),
        ),
        ("attributes", format!("<p {}>x", times("a=b "))),
        ("meta elements", times("<meta name=author content='A, B'>")),
        (
            "one long class",
            format!(
                "<div class='{}'>{}",
                "a ".repeat(SIZE / 4),
                "<p>x".repeat(SIZE / 8)
            ),
        ),
        (
            "authors",
            format!(
                "<meta name=author content='{}'>",
                (0..SIZE / 7).map(|n| format!("n{n},")).collect::<String>()
            ),
        ),
        ("open brackets", times("<")),
        ("open tags", times("<a ")),
        ("open comments", times("<!-- -")),
        ("open quotes", times("<a b=\"")),
        ("references", times("&am")),
        ("more references", times("&#x1F600;&ngE;&")),
        (
            "stray ends",
            format!(
                "<section>{}{}",
                "<div>".repeat(500),
                "</section></p></b>".repeat(SIZE / 20)
            ),
        ),
        ("drawings without end", times("<svg>")),
        ("scripts", times("<script></script>")),
        (
            "statements",
            times("<script type=application/ld+json>{\"@type\":\"Article\"}</script>"),
        ),
        (
            "deep statements",
            format!("<script type=application/ld+json>{}</script>", "[".repeat(SIZE)),
        ),
        ("line breaks", times("x<br>")),
        ("one word", times("x")),
        ("spaces", times(" ")),
        ("times", times("<time datetime=2026-01-01>x</time>")),
    ]
}

#[test]
fn no_shape_of_page_is_slow() {
    for (name, html) in shapes() {
        let begin = Instant::now();
        let cleaned = clean_html(&Page {
            url: Some("https://bell.example/"),
            html: &html,
        });
        let took = begin.elapsed();
        assert!(took < LIMIT, "{name}: {took:?}");
        assert!(
            cleaned.text.len() <= html.len() * 2,
            "{name}: {} bytes",
            cleaned.text.len()
        );
    }
}

#[test]
fn no_shape_of_text_is_slow() {
    for text in [
        "x\n".repeat(SIZE / 2),
        "* a b c d\n".repeat(SIZE / 10),
        "word ".repeat(SIZE / 5),
    ] {
        let begin = Instant::now();
        clean_text(&text);
        assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
    }
}
