//! From feeds to tagged articles.

use serde_json::Value;
use telex_sink::{Articles, Query};
use telex_site::Delivery;

use crate::world::{World, canonical, finish, said, telex, wait_for};

#[test]
fn every_article_comes_once_with_the_right_tags() {
    let world = World::new();
    let first = world.once();
    let expected = world.site.expected();
    let late = expected.iter().filter(|e| e.retried).count();
    assert_eq!(first["feeds"], world.site.feeds().len());
    assert_eq!(first["feeds_failed"], 1, "one feed is dead");
    assert_eq!(
        first["items"].as_u64().unwrap() as usize,
        items(&world),
        "each item of each feed"
    );
    // The page that fails once is due again a moment later: in this run, if that takes long, else in the next.
    let came = first["articles"].as_u64().unwrap() as usize;
    assert!(
        (expected.len() - late..=expected.len()).contains(&came),
        "{first}"
    );
    assert_eq!(first["dead_letters"], 0);
    let mut rest = 0;
    wait_for("the page that failed once", || {
        let next = world.once();
        assert_eq!(next["items"], 0, "nothing is new: {next}");
        rest += next["articles"].as_u64().unwrap() as usize;
        came + rest >= expected.len()
    });
    assert_eq!(came + rest, expected.len());
    let articles = world.articles(&[]);
    world.check_all(&articles);
    world.check_all(&world.tapped(None));
    for tag in ["ukraine", "nato", "eu-diplomacy"] {
        let should: Vec<String> = sorted(
            expected
                .iter()
                .filter(|e| e.tags.iter().any(|t| t == tag))
                .map(|e| canonical(&e.url)),
        );
        let urls = |rows: Vec<Value>| sorted(rows.iter().map(|a| canonical(a["url"].as_str().unwrap())));
        assert_eq!(urls(world.tapped(Some(tag))), should, "telex.tagged.{tag}.v1");
        assert_eq!(
            urls(world.articles(&["--tag", tag])),
            should,
            "articles --tag {tag}"
        );
    }
    check_texts(&world, &articles);
    check_conditional(&world);
    check_stories(&world);
}

fn sorted(urls: impl Iterator<Item = String>) -> Vec<String> {
    let mut urls: Vec<String> = urls.collect();
    urls.sort();
    urls
}

/// The agency's report that stands on two sites is one story; every other text stands alone.
fn check_stories(world: &World) {
    let articles = Articles::open(&world.data().join("articles.sqlite")).unwrap();
    let mut shared = Vec::new();
    for stored in articles.query(&Query::default()) {
        let stored = stored.unwrap();
        let url = stored.parse().unwrap().url;
        if let Some(story) = articles.story_of(&stored).unwrap() {
            assert_eq!(story.articles, 2, "{url}");
            shared.push((story.id, url));
        }
    }
    let urls = sorted(shared.iter().map(|(_, url)| url.clone()));
    assert_eq!(urls.len(), 2, "{urls:?}");
    assert!(
        urls.iter().any(|u| u.contains("eu-letter-moscow-agency")),
        "{urls:?}"
    );
    assert!(
        urls.iter()
            .any(|u| u.contains("high-representative-letter-moscow")),
        "{urls:?}"
    );
    assert_eq!(shared[0].0, shared[1].0, "one story");
}

/// Items that the live feeds announce: the overlapping feed repeats articles of another.
fn items(world: &World) -> usize {
    world.site.expected().iter().map(|e| e.feeds.len()).sum()
}

/// The story is there, and what stood around it is not. Floors, not goals: of each story three quarters of its
/// paragraphs, of all stories together nineteen in twenty, and no more than a tenth of foreign text.
fn check_texts(world: &World, articles: &[Value]) {
    let squeeze = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
    let (mut all, mut all_missing, mut all_own, mut all_text) = (0, 0, 0, 0);
    for expected in world.site.expected() {
        let same = |a: &&Value| canonical(a["url"].as_str().unwrap()) == canonical(&expected.url);
        let article = articles.iter().find(same).unwrap();
        let (url, text) = (&expected.url, article["text"].as_str().unwrap());
        let kind = if expected.delivery == Delivery::Summary {
            "summary"
        } else {
            "article"
        };
        assert_eq!(article["kind"], kind, "{url}: {:?}", article["fetch_error"]);
        assert_eq!(article["language"], expected.language, "{url}");
        if expected.delivery == Delivery::Summary {
            continue;
        }
        let whole = squeeze(text);
        let wanted: Vec<String> = expected.paragraphs.iter().map(|p| squeeze(p)).collect();
        let missing = wanted.iter().filter(|p| !whole.contains(*p)).count();
        let own: usize = wanted.iter().map(String::len).sum();
        assert!(
            missing * 4 <= wanted.len(),
            "{url}: {missing} of {} paragraphs are missing in\n{text}",
            wanted.len()
        );
        assert!(
            whole.len() < own + own / 2 + 300,
            "{url}: foreign text in\n{text}"
        );
        all_own += own;
        all_text += whole.len();
        all += wanted.len();
        all_missing += missing;
    }
    assert!(
        all_missing * 20 <= all,
        "{all_missing} of {all} paragraphs are missing"
    );
    assert!(
        all_text * 10 <= all_own * 11,
        "{all_text} characters, the stories have {all_own}"
    );
}

/// The second run asked with validators, and was told that nothing changed.
fn check_conditional(world: &World) {
    let requests = world.site.requests();
    assert!(
        requests.iter().any(|r| r.conditional && r.status == 304),
        "no answer was 304"
    );
    assert!(
        requests
            .iter()
            .all(|r| r.user_agent.as_deref().is_some_and(|a| a.starts_with("telex/")))
    );
    let forbidden = world
        .site
        .expected()
        .into_iter()
        .filter(|e| e.delivery == Delivery::Summary);
    for expected in forbidden {
        let path = url::Url::parse(&expected.url).unwrap().path().to_owned();
        let fetched = requests
            .iter()
            .filter(|r| r.path == path && r.status == 200)
            .count();
        assert!(fetched <= 1, "{path} was fetched {fetched} times");
    }
}

#[test]
fn an_edited_article_is_a_new_revision_and_a_new_one_comes_alone() {
    let world = World::new();
    world.once();
    let before = world.articles(&[]).len();
    let edited = world
        .site
        .expected()
        .into_iter()
        .find(|e| e.delivery == Delivery::FeedText)
        .unwrap();
    world
        .site
        .edit(&edited.url, |article| article.title.push_str(" (corrected)"))
        .unwrap();
    let summary = world.once();
    assert_eq!(summary["items"], 1, "{summary}");
    // Revisions keep ten minutes between them: the change waits in the frontier, and nothing came twice.
    let articles = world.articles(&[]);
    assert!(articles.len() <= before + 1);
    assert!(articles.iter().all(|a| a["revision"] == 1));
}

#[test]
fn the_demo_shows_every_article_and_ends_by_itself() {
    let out = finish(telex(&["demo"]));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{text}\n{}", said(&out));
    assert!(text.contains("each once"), "{text}");
    assert!(text.contains("telex run all --feeds"), "{text}");
}

#[test]
fn a_backup_is_a_data_directory_and_retention_empties_the_sink() {
    let world = World::new();
    world.once();
    let before = world.articles(&[]).len();
    let copied = finish(world.telex(&["backup", "copy"]));
    assert!(copied.status.success(), "{}", said(&copied));
    let again = finish(world.telex(&["backup", "copy"]));
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
    assert!(said(&again).contains("is not overwritten"));

    let once = ["run", "all", "--once", "--feeds", "feeds.opml"];
    let mut short = world.telex(&once);
    short.env("TELEX__SINK__RETENTION", "0s");
    assert!(finish(short).status.success());
    assert_eq!(world.articles(&[]).len(), 0);

    let copy = world.path().join("copy");
    let mut restored = world.telex(&[&once[..], &["--output", "json"]].concat());
    restored
        .env("TELEX__DATA_DIR", &copy)
        .env("TELEX__SINK__RETENTION", "1d");
    let out = finish(restored);
    assert!(out.status.success(), "{}", said(&out));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("\"items\":0"), "nothing is new to it: {text}");
    let mut articles = world.telex(&["sink", "export", "--format", "csv"]);
    articles.env("TELEX__DATA_DIR", &copy);
    let rows = finish(articles);
    let text = String::from_utf8_lossy(&rows.stdout).into_owned();
    assert!(text.starts_with("id,revision,first_seen,"), "{text}");
    // Texts are of several lines.
    assert!(text.matches("\r\n").count() > before, "{text}");
}

#[test]
fn a_run_that_ends_leaves_whole_parquet_files() {
    let world = World::new();
    let mut run = world.telex(&["run", "all", "--once", "--feeds", "feeds.opml"]);
    run.env("TELEX__SINK__PARQUET", world.path().join("parquet"));
    let out = finish(run);
    assert!(out.status.success(), "{}", said(&out));
    let waiting = world.path().join("parquet/_waiting/tagged.jsonl");
    assert_eq!(std::fs::metadata(waiting).unwrap().len(), 0, "nothing waits");
    let mut tags = std::collections::BTreeSet::new();
    for day in std::fs::read_dir(world.path().join("parquet")).unwrap().flatten() {
        if !day.file_name().to_string_lossy().starts_with("day=") {
            continue;
        }
        for tag in std::fs::read_dir(day.path()).unwrap().flatten() {
            tags.insert(tag.file_name().to_string_lossy().into_owned());
            for file in std::fs::read_dir(tag.path()).unwrap().flatten() {
                let bytes = std::fs::read(file.path()).unwrap();
                assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "{file:?}");
            }
        }
    }
    let wanted = ["tag=eu-diplomacy", "tag=nato", "tag=none", "tag=ukraine"];
    assert!(tags.iter().map(String::as_str).eq(wanted), "{tags:?}");
}
