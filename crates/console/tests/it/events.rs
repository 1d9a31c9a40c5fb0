//! Server-sent events: as they come, from where a reader was, and for no more readers than there is room for.

use telex_model::Tagged;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Console, DEADLINE, article, store_from};

/// A reader of a stream.
pub(crate) struct Reader {
    stream: TcpStream,
    text: String,
}

impl Reader {
    pub(crate) async fn open(console: &Console, path: &str, last: Option<u64>) -> Self {
        let mut stream = TcpStream::connect(console.address).await.unwrap();
        let last = last
            .map(|id| format!("Last-Event-ID: {id}\r\n"))
            .unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{last}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let text = String::new();
        Self { stream, text }
    }

    /// Reads until this was said.
    pub(crate) async fn until(&mut self, said: &str) -> &str {
        let read = async {
            let mut buffer = [0; 4096];
            while !self.text.contains(said) {
                let n = self.stream.read(&mut buffer).await.unwrap();
                assert!(n > 0, "the stream ended before {said:?}: {}", self.text);
                self.text.push_str(&String::from_utf8_lossy(&buffer[..n]));
            }
        };
        tokio::time::timeout(DEADLINE, read)
            .await
            .unwrap_or_else(|_| panic!("no {said:?}"));
        &self.text
    }

    /// Id of the last event.
    pub(crate) fn last(&self) -> u64 {
        let ids = self
            .text
            .lines()
            .rev()
            .find_map(|l| l.strip_prefix("id: ")?.parse().ok());
        ids.unwrap()
    }
}

fn store(console: &Console, from: u64, articles: &[Tagged]) {
    store_from(&console.folder().join("articles.sqlite"), from, articles);
}

fn url(n: u32) -> String {
    format!("https://news.example/{n}\"")
}

#[tokio::test]
async fn articles_come_as_they_are_stored_and_nothing_is_missed() {
    let console = Console::with(&[article(1)]).await;
    let mut reader = Reader::open(&console, "/api/v1/events", None).await;
    reader.until("event: here").await;
    store(&console, 1, &[article(2)]);
    assert!(
        !reader.until(&url(2)).await.contains(&url(1)),
        "what was there before does not come"
    );
    let last = reader.last();
    drop(reader);

    // While nobody listens.
    let stored: Vec<Tagged> = (3..=140).map(article).collect();
    store(&console, 2, &stored);
    let mut reader = Reader::open(&console, "/api/v1/events", Some(last)).await;
    let text = reader.until(&url(140)).await;
    let came: Vec<u32> = (1..=140).filter(|n| text.contains(&url(*n))).collect();
    assert_eq!(
        came,
        (3..=140).collect::<Vec<u32>>(),
        "each that was missed, in order"
    );

    // The number may stand in the address as well.
    let mut reader = Reader::open(&console, "/api/v1/events?after=1", None).await;
    reader.until(&url(2)).await;
}

#[tokio::test]
async fn a_tag_is_followed_alone() {
    let console = Console::with(&[article(1)]).await;
    let mut reader = Reader::open(&console, "/api/v1/events?tag=ukraine", None).await;
    reader.until("event: here").await;
    let (other, mut wanted) = (article(2), article(3));
    "ukraine".clone_into(&mut wanted.tags[0].topic);
    store(&console, 1, &[other, wanted]);
    assert!(!reader.until(&url(3)).await.contains(&url(2)));
}

#[tokio::test]
async fn a_source_and_a_language_are_followed_alone() {
    let console = Console::with(&[article(1)]).await;
    let path = "/api/v1/events?source=Paper.example&language=uk";
    let mut reader = Reader::open(&console, path, None).await;
    reader.until("event: here").await;
    let mut stored: Vec<Tagged> = (2..=6).map(article).collect();
    for (a, (domain, language)) in stored.iter_mut().zip([
        ("news.paper.example", "en"),
        ("newspaper.example", "uk"),
        ("paper.example", "ukx"),
        ("paper.example.org", "uk"),
        ("news.paper.example", "uk-UA"),
    ]) {
        domain.clone_into(&mut a.source.domain);
        a.language = Some(language.to_owned());
    }
    store(&console, 1, &stored);
    let text = reader.until(&url(6)).await;
    let came: Vec<u32> = (2..=6).filter(|n| text.contains(&url(*n))).collect();
    assert_eq!(came, [6]);
    for wrong in ["source=a/b", "tag=No+Tag", "colour=red", "after=x"] {
        let answer = console.get(&format!("/api/v1/events?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn who_was_away_too_long_is_told() {
    let console = Console::with(&[article(1)]).await;
    let mut reader = Reader::open(&console, "/api/v1/events", Some(999_999)).await;
    reader.until("event: lost").await;
    assert_eq!(reader.last(), 1);
    let wrong = console
        .send("GET", "/api/v1/events", &[("Last-Event-ID", "x")], "")
        .await;
    assert_eq!(wrong.status, 400);
    let none = Console::with(&[]).await;
    assert_eq!(
        none.get("/api/v1/events").await.status,
        503,
        "no database, no stream"
    );
}

#[tokio::test]
async fn there_are_so_many_places_and_no_more() {
    let console = Console::with(&[article(1)]).await;
    let mut readers = Vec::new();
    for _ in 0..64 {
        let mut reader = Reader::open(&console, "/api/v1/events", None).await;
        reader.until("event: here").await;
        readers.push(reader);
    }
    let refused = console.get("/api/v1/events").await;
    assert_eq!(refused.status, 503);
    assert!(refused.body.contains("64 streams"), "{refused:?}");
    assert_eq!(
        console.get("/articles").await.status,
        200,
        "pages are answered still"
    );
    drop(readers);
    let begun = std::time::Instant::now();
    loop {
        let mut stream = TcpStream::connect(console.address).await.unwrap();
        stream
            .write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        if head.ends_with(b"200") {
            break;
        }
        assert!(begun.elapsed() < DEADLINE, "places come free");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_overview_is_sent_anew() {
    let console = Console::with(&[article(1)]).await;
    let mut reader = Reader::open(&console, "/events", None).await;
    let text = reader.until("No feed is on the list").await;
    assert!(
        text.contains("event: overview") && text.contains("data: <h1"),
        "{text}"
    );
}
