//! Articles of 5 kB.

use jiff::Timestamp;
use telex_model::{Article, ArticleId, Kind, Source, Tag, Tagged};
use telex_site::Words;

const TEXT_BYTES: usize = 5_000;

/// Makes article number `n`.
pub(crate) fn tagged(words: &mut Words, n: u64) -> Tagged {
    let text = words.text(TEXT_BYTES);
    let article = Article {
        id: ArticleId::of_link(&format!("https://news.example/{n}").parse().expect("a URL")),
        revision: 1,
        url: format!("https://news.example/{n}"),
        canonical_url: None,
        title: words.text(60),
        fingerprint: telex_cleaner::fingerprint(&text),
        text,
        authors: vec!["A. Writer".to_owned()],
        published: None,
        modified: None,
        first_seen: Timestamp::from_second(1_790_000_000 + n as i64).expect("a time"),
        language: Some("uk".to_owned()),
        kind: Kind::Article,
        source: Source::default(),
        lead_image: None,
        quality: 0.9,
        fetch_error: None,
    };
    let tags = vec![Tag {
        topic: "ukraine".to_owned(),
        score: 0.9,
        evidence: Vec::new(),
    }];
    Tagged::new(article, "0a", tags, Vec::new())
}
