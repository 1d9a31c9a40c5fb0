//! What holds for every page, however broken.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail loudly")]

use proptest::prelude::*;
use telex_cleaner::{Page, clean_html, clean_text, distance, fragment_text};

/// Pieces of which the pages are made: every kind of markup that the engine treats apart.
const PIECES: [&str; 29] = [
    "<div class=\"article-body\">",
    "</div>",
    "<p>",
    "</p>",
    "<a href=/x>",
    "</a>",
    "<br>",
    "<b>",
    "</b>",
    "<ul><li>",
    "</ul>",
    "<table><tr><td>",
    "</table>",
    "<script>var SECRET = '<p>SECRET</p>';</script>",
    "<style>.SECRET{}</style>",
    "<!-- SECRET -->",
    "<h1>The ferry is found</h1>",
    "<svg><text>SECRET</text></svg>",
    "<button>SECRET</button>",
    "&amp; ",
    "&nbsp;",
    "&#x41;",
    "<section id='comments' hidden>",
    "<blockquote>",
    "<time datetime='2026-03-01'>",
    "<textarea>SECRET</textarea>",
    "<template>SECRET</template>",
    "</template>",
    "<noscript>SECRET</noscript>",
];

/// Pieces of broken markup: they turn elements that follow into words, as in a browser.
const STRAYS: [&str; 3] = ["<", "\"", "</span"];

const SENTENCES: [&str; 4] = [
    "The ferry that was lost in the storm, the coast guard said on Monday, has been found on the northern shore. ",
    "Nobody was hurt. ",
    "船は北の海岸で見つかった。けが人はいなかった。",
    "Více se dočtete zde ",
];

fn page() -> impl Strategy<Value = String> {
    let stray = proptest::sample::select(STRAYS.to_vec()).prop_map(str::to_owned);
    pages(prop_oneof![2 => stray, 1 => "\\PC{0,12}"].boxed())
}

fn unbroken_page() -> impl Strategy<Value = String> {
    pages("[^<>\"'\\pC]{0,12}".boxed())
}

fn pages(others: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => proptest::sample::select(PIECES.to_vec()).prop_map(str::to_owned),
        2 => proptest::sample::select(SENTENCES.to_vec()).prop_map(str::to_owned),
        1 => others,
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Tells whether the words of one text are all in the other, in that order.
fn is_subsequence(part: &str, whole: &str) -> bool {
    let mut words = whole.split_whitespace();
    part.split_whitespace()
        .all(|word| words.any(|other| other == word))
}

proptest! {
    #[test]
    fn text_is_a_subsequence_of_what_the_page_shows(html in page()) {
        let cleaned = clean_html(&Page { url: Some("https://bell.example/2026/03/01/ferry"), html: &html });
        prop_assert!(is_subsequence(&cleaned.text, &fragment_text(&html)), "{}", cleaned.text);
        prop_assert!((0.0..=1.0).contains(&cleaned.quality));
        prop_assert_eq!(cleaned.fingerprint.is_some(), cleaned.text.chars().any(char::is_alphanumeric));
    }

    #[test]
    fn nothing_that_is_not_shown_gets_out(html in unbroken_page()) {
        prop_assert!(!fragment_text(&html).contains("SECRET"), "{html}");
    }

    #[test]
    fn any_characters_are_survived(text in "\\PC{0,400}") {
        clean_html(&Page { url: Some(&text), html: &text });
        let cleaned = clean_text(&text);
        prop_assert!(is_subsequence(&cleaned.text, &text));
    }
}

const STORY: [&str; 5] = [
    "The ferry that was lost in the storm of last week has been found on the northern shore, the coast guard said on Monday.",
    "Nobody was on board when it broke loose from the pier at night, and nobody was hurt when it ran aground.",
    "The harbour master, who had looked for her for three days, said that the hull was whole and that she would sail again.",
    "The owner thanked the people of the village, who had tied the ship to a tree until the tug arrived from the capital.",
    "An inquiry will look into the question why three ropes of the same make broke within one hour of each other.",
];

fn framed(site: &str, story: &[&str]) -> String {
    let paragraphs: String = story.iter().map(|line| format!("<p>{line}</p>")).collect();
    let teasers: String = (0..12)
        .map(|n| format!("<li><a href=/{site}/{n}>{site} headline number {n} of today</a></li>"))
        .collect();
    format!(
        "<html><head><title>Ferry found | {site}</title></head><body><nav><ul>{teasers}</ul></nav><main><article>\
         <h1>Ferry found</h1><div class='{site}-content article-body'>{paragraphs}</div></article></main>\
         <footer><p>Copyright {site}. All rights reserved.</p></footer></body></html>"
    )
}

fn print_of(html: &str) -> String {
    clean_html(&Page { url: None, html })
        .fingerprint
        .expect("the page has text")
}

#[test]
fn the_story_comes_out_of_its_frame() {
    let cleaned = clean_html(&Page {
        url: None,
        html: &framed("bell", &STORY),
    });
    assert_eq!(cleaned.text, STORY.join("\n"));
    assert_eq!(cleaned.title.as_deref(), Some("Ferry found"));
    assert_eq!(cleaned.language.as_deref(), Some("en"));
}

#[test]
fn a_story_that_only_scripts_draw_is_read_and_no_other() {
    let markup: String = STORY
        .iter()
        .map(|line| format!("<p class=\"a\">{line}</p>"))
        .collect();
    let data = serde_json::json!({"title": "Ferry found", "body": markup}).to_string();
    let script = format!("<script>window.data = {}</script>", data.replace('<', "\\u003c"));
    let page = |shown: &str| format!("<title>Ferry found</title><body>{script}<div>{shown}</div>");
    let text = |html: &str| clean_html(&Page { url: None, html }).text;
    assert_eq!(text(&page("")), STORY.join("\n"));
    let other = STORY.map(|line| line.replace("ferry", "barge"));
    let paragraphs: String = other.iter().map(|line| format!("<p>{line}</p>")).collect();
    assert_eq!(text(&page(&paragraphs)), other.join("\n"));
}

#[test]
fn a_syndicated_copy_has_nearly_the_same_fingerprint_and_another_story_has_not() {
    let first = print_of(&framed("bell", &STORY));
    let mut copy = STORY.to_vec();
    copy.push("This report was written by an agency.");
    let copied = print_of(&framed("gazette", &copy));
    let other = [
        "A ship that tore loose in a storm lies on a beach in the north of the island since Monday morning, police said.",
        "Crews hope to pull the ferry free at high tide, if the wind does not turn; the first try failed on Sunday.",
        "For the coast guard the case is clear: the ropes were old, and nobody had looked at them since the autumn.",
        "In the village they talk of little else, and the school let the children go down to see the wreck.",
    ];
    let different = print_of(&framed("herald", &other));
    assert!(
        distance(&first, &copied).unwrap() <= telex_cleaner::NEAR_COPY_BITS,
        "{first} {copied}"
    );
    assert!(
        distance(&first, &different).unwrap() > telex_cleaner::NEAR_COPY_BITS + 5,
        "{first} {different}"
    );
}
