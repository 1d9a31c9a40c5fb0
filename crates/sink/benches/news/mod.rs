//! Articles of 5 kB, their words drawn by a Zipf-like law from 50,000, so that an index has the shape that it has with
//! real text.

use jiff::Timestamp;
use telex_model::{Article, ArticleId, Kind, Source, Tag, Tagged};

const TEXT_BYTES: usize = 5_000;

/// Pseudo-random numbers of xorshift64.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A word whose rank has a density of 1/rank.
    fn word(&mut self) -> String {
        let uniform = (self.next() % 1_000_000) as f64 / 1e6;
        let mut rank = 50_000_f64.powf(uniform) as u64;
        let mut word = String::new();
        loop {
            let syllable = ["ka", "то", "mi", "re", "ни", "sol", "an", "ве"];
            word.push_str(syllable.get((rank % 8) as usize).copied().unwrap_or("a"));
            rank /= 8;
            if rank == 0 {
                return word;
            }
        }
    }

    fn text(&mut self, bytes: usize) -> String {
        let mut text = String::new();
        while text.len() < bytes {
            text.push_str(&self.word());
            text.push(if self.next().is_multiple_of(90) { '\n' } else { ' ' });
        }
        text
    }

    /// Article number `n`.
    pub(crate) fn tagged(&mut self, n: u64) -> Tagged {
        let text = self.text(TEXT_BYTES);
        let article = Article {
            id: ArticleId::of_link(&format!("https://news.example/{n}").parse().expect("a URL")),
            revision: 1,
            url: format!("https://news.example/{n}"),
            canonical_url: None,
            title: self.text(60),
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
}
