//! The console of an installation that stores in PostgreSQL alone.

use std::time::{Duration, Instant};

use telex_model::{ArticleId, Tagged};
use telex_sink::{Change, Database, PostgresDatabase, PostgresSink, Row, Sink};

use crate::events::Reader;
use crate::server::{Server, missing};
use crate::support::{Answer, Console, DEADLINE, TOKEN, article, store_in, time, versions};

/// A server with an empty database.
struct World {
    server: Server,
    url: String,
    database: String,
}

/// What blocks does so on a thread of its own, outside the runtime.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join().unwrap())
}

impl World {
    fn new() -> Option<Self> {
        let made = apart(|| {
            let server = Server::start(&[])?;
            let database = server.database();
            let url = server.url(&database);
            Ok::<_, String>(Self {
                server,
                url,
                database,
            })
        });
        made.map_err(|reason| missing(&reason)).ok()
    }

    /// Its console.
    async fn console(&self) -> Console {
        let database = Database::Postgres(PostgresDatabase::new(&self.url).unwrap());
        let folder = tempfile::tempdir().unwrap();
        Console::start(folder, Some(database), Some(TOKEN)).await
    }

    fn store(&self, offset: u64, articles: &[Tagged]) {
        apart(|| store_in(&mut PostgresSink::new(&self.url).unwrap(), offset, articles));
    }

    fn withdraw(&self, offset: u64, id: ArticleId) {
        let row = Row {
            partition: 0,
            offset,
            next: offset + 1,
            timestamp: time(0),
            change: Change::Retract(id),
        };
        apart(|| {
            PostgresSink::new(&self.url)
                .unwrap()
                .store("test", &[row])
                .unwrap()
        });
    }

    fn execute(&self, sql: &str) {
        apart(|| self.server.client(&self.database).batch_execute(sql).unwrap());
    }
}

fn urls(answer: &Answer) -> Vec<String> {
    let list = answer.json();
    let url = |a: &serde_json::Value| a["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    list["articles"].as_array().unwrap().iter().map(url).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn articles_are_listed_filtered_sought_and_shown() {
    let Some(world) = World::new() else { return };
    let console = world.console().await;
    let empty = console.get("/api/v1/articles").await;
    assert_eq!(empty.status, 503);
    assert!(empty.body.contains("telex run sink"), "{empty:?}");

    let mut articles: Vec<Tagged> = (1..=7).map(article).collect();
    articles[1].language = Some("uk".to_owned());
    articles[1].title = "Нові переговори".to_owned();
    articles[4].tags[0].topic = "ukraine".to_owned();
    articles[5].source.domain = "live.paper.example".to_owned();
    world.store(0, &articles);
    for (filter, wanted) in [
        ("", "7 6 5 4 3 2 1"),
        ("tag=nato", "7 6 4 3 2 1"),
        ("tag=ukraine&q=council", "5"),
        ("language=UK", "2"),
        ("source=paper.example", "6"),
        ("q=переговор*", "2"),
        ("q=report+-kyiv", ""),
        ("since=2026-11-20T00:03:00Z&until=2026-11-20T00:05:00Z", "4 3"),
    ] {
        let answer = console.get(&format!("/api/v1/articles?{filter}")).await;
        assert_eq!(answer.status, 200, "{filter}: {answer:?}");
        assert_eq!(urls(&answer).join(" "), wanted, "{filter}");
    }
    for filter in ["", "&q=council", "&tag=nato"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let answer = console
                .get(&format!("/api/v1/articles?limit=2{filter}{cursor}"))
                .await;
            seen.extend(urls(&answer));
            let Some(next) = answer.json()["next"].as_str().map(str::to_owned) else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        let all = if filter == "&tag=nato" { 6 } else { 7 };
        assert_eq!(
            (seen.len(), seen.is_sorted_by(|a, b| a > b)),
            (all, true),
            "{seen:?}"
        );
    }
    let page = console.page("/articles?q=council").await;
    assert!(page.contains(">council</mark>"), "{page}");
    let whole = console.get(&format!("/api/v1/articles/{}", articles[0].id)).await;
    assert_eq!(
        serde_json::from_value::<Tagged>(whole.json()).unwrap(),
        articles[0]
    );
    let unknown = console
        .get("/api/v1/articles/00000000000000000000000000000001")
        .await;
    assert_eq!(unknown.status, 404);
    let atom = console.page("/feeds/nato.atom").await;
    assert_eq!(atom.matches("<entry").count(), 6, "{atom}");
    let json = console.get("/feeds/ukraine.json").await.json();
    assert_eq!(json["items"].as_array().unwrap().len(), 1);
    let topics = console.get("/api/v1/topics").await.json();
    assert_eq!(topics["topics"][0]["evidence"][0]["term"], "nato", "{topics}");
    let overview = console.page("/").await;
    assert!(!overview.contains("Articles cannot be read"), "{overview}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_article_names_the_others_of_its_story() {
    let Some(world) = World::new() else { return };
    let same = versions();
    world.store(0, &same);
    let console = world.console().await;
    let page = console.page(&format!("/articles/{}", same[1].id)).await;
    let (_, story) = page.split_once("The same story").expect("a story");
    let (story, _) = story.split_once("</ul>").expect("a list");
    assert!(story.contains("Report number 1 from Kyiv") && story.contains("Report number 3 from Kyiv"));
    assert!(!story.contains("Report number 2 from Kyiv"), "{story}");
    let story = console
        .get(&format!("/api/v1/articles/{}/story", same[2].id))
        .await;
    assert_eq!(urls(&story), ["1", "2", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn articles_are_followed_and_nothing_is_missed() {
    let Some(world) = World::new() else { return };
    world.store(0, &[article(1)]);
    let console = world.console().await;
    let url = |n: u32| format!("https://news.example/{n}\"");
    let mut reader = Reader::open(&console, "/api/v1/events", None).await;
    reader.until("event: here").await;
    world.store(1, &[article(2)]);
    assert!(!reader.until(&url(2)).await.contains(&url(1)));
    let last = reader.last();
    drop(reader);
    // While nobody listens.
    world.store(2, &(3..=60).map(article).collect::<Vec<_>>());
    world.withdraw(60, article(2).id);
    let mut reader = Reader::open(&console, "/api/v1/events", Some(last)).await;
    let text = reader.until("event: withdrawn").await;
    let came: Vec<u32> = (1..=60).filter(|n| text.contains(&url(*n))).collect();
    assert_eq!(came, (3..=60).collect::<Vec<u32>>());
    assert!(text.contains(&article(2).id.to_string()));
    let mut lost = Reader::open(&console, "/api/v1/events", Some(999_999)).await;
    lost.until("event: lost").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_down_is_told_and_read_again_when_it_is_up() {
    let Some(mut world) = World::new() else {
        return;
    };
    world.store(0, &[article(1)]);
    let console = world.console().await;
    let mut reader = Reader::open(&console, "/api/v1/events", None).await;
    reader.until("event: here").await;
    assert!(console.page("/articles").await.contains("Report number 1"));
    apart(|| world.server.stop());
    for page in ["/articles", "/api/v1/articles", "/feeds/nato.atom"] {
        let down = console.get(page).await;
        assert_eq!(down.status, 503, "{down:?}");
        assert!(
            down.body.contains("does not answer") && down.body.contains(&world.database),
            "{down:?}"
        );
        assert!(
            !down.body.contains("correct") && !down.body.contains("battery"),
            "{down:?}"
        );
    }
    apart(|| world.server.launch().unwrap());
    assert!(console.page("/articles").await.contains("Report number 1"));
    // The stream goes on as well.
    world.store(1, &[article(2)]);
    reader.until("https://news.example/2\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_is_ended_and_the_next_is_answered() {
    let Some(world) = World::new() else { return };
    world.store(0, &(1..=80).map(article).collect::<Vec<_>>());
    world.execute(
        "ALTER TABLE telex.article RENAME TO article_itself;
             CREATE VIEW telex.article AS SELECT * FROM telex.article_itself WHERE pg_sleep(0.2) IS NOT NULL",
    );
    let console = world.console().await;
    let slow = console.get("/api/v1/articles?source=none.example").await;
    assert_eq!(slow.status, 503);
    assert!(slow.body.contains("ask for less"), "{slow:?}");
    world.execute("DROP VIEW telex.article; ALTER TABLE telex.article_itself RENAME TO article");
    assert_eq!(console.get("/api/v1/articles").await.status, 200);
    // It is ended at the server as well.
    let sql =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'telex-console' AND state = 'active'";
    apart(|| {
        let mut client = world.server.client(&world.database);
        let begun = Instant::now();
        while client.query_one(sql, &[]).unwrap().get::<_, i64>(0) > 0 {
            assert!(begun.elapsed() < DEADLINE);
            std::thread::sleep(Duration::from_millis(20));
        }
    });
}
