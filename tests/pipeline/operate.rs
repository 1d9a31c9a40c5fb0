//! What an operator does.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::world::{Started, World, canonical, finish, free_port, get, rows, said, telex, wait_for};

#[test]
fn metrics_and_health_tell_the_truth() {
    let world = World::new();
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let process =
        Started::new(world.telex(&["run", "all", "--feeds", "feeds.opml", "--metrics-listen", &listen]));
    wait_for("readiness", || {
        get(port, "/readyz").is_some_and(|(status, _)| status == 200)
    });
    assert_eq!(get(port, "/livez").unwrap().0, 200);
    let out = finish(world.telex(&["health", "--address", &listen]));
    assert!(out.status.success(), "{}", said(&out));
    let all = world.site.expected().len() as f64;
    let value = |text: &str, series: &str| -> Option<f64> {
        text.lines()
            .find_map(|l| l.strip_prefix(series)?.trim().parse().ok())
    };
    let metric = |series: &str| value(&get(port, "/metrics")?.1, series);
    wait_for("all articles in the sink", || {
        metric("telex_messages_in_total{stage=\"sink\"}") >= Some(all)
    });
    let text = get(port, "/metrics").unwrap().1;
    for stage in ["poller", "fetcher", "cleaner", "classifier", "sink"] {
        for name in [
            "messages_in_total",
            "bytes_in_total",
            "messages_out_total",
            "bytes_out_total",
            "lag_messages",
            "lag_seconds",
            "rate_limit_wait_seconds_total",
            "in_flight",
            "retries_total",
            "assigned_partitions",
            "breaker_open",
        ] {
            let series = format!("telex_{name}{{stage=\"{stage}\"}}");
            assert!(value(&text, &series).is_some(), "{series} is missing");
        }
        assert_eq!(
            value(&text, &format!("telex_assigned_partitions{{stage=\"{stage}\"}}")),
            Some(12.0)
        );
    }
    assert!(text.contains("telex_dead_letters_total{reason=\"invalid_json\",stage=\"cleaner\"} 0"));
    assert_eq!(value(&text, "telex_seen_to_tagged_seconds_count"), Some(all));
    assert_eq!(value(&text, "telex_feeds{health=\"failing\"}"), Some(1.0));
    assert_eq!(value(&text, "telex_ready"), Some(1.0));
    assert!(value(&text, "process_resident_memory_bytes") > Some(1e6));
    process.signal("TERM");
    let out = process.finish();
    assert!(out.status.success(), "{}", said(&out));
    let out = finish(world.telex(&["health", "--address", &listen]));
    assert_eq!(out.status.code(), Some(69), "{}", said(&out));
}

#[test]
fn one_trace_follows_an_article_over_all_topics() {
    use telex_stream::{Bus, read_all};
    let world = World::new();
    world.once();
    let bus = crate::world::bus(&world.data());
    let mut traces: Vec<Vec<String>> = Vec::new();
    for topic in [
        "telex.items.v1",
        "telex.pages.v1",
        "telex.articles.v1",
        "telex.tagged.v1",
    ] {
        let mut found = Vec::new();
        read_all(&bus.0 as &dyn Bus, topic, &mut |m| {
            let trace = m
                .headers
                .iter()
                .find(|(n, _)| n == "traceparent")
                .unwrap_or_else(|| panic!("{topic}: no traceparent"));
            found.push(trace.1.chars().take(35).collect::<String>());
            assert!(
                m.headers.iter().any(|(n, v)| n == "ce_specversion" && v == "1.0"),
                "{topic}"
            );
        })
        .unwrap();
        found.sort();
        found.dedup();
        traces.push(found);
    }
    assert!(!traces[3].is_empty());
    assert!(
        traces[3]
            .iter()
            .all(|t| traces[..3].iter().all(|earlier| earlier.contains(t)))
    );
}

#[test]
fn an_article_is_followed_from_its_item_to_its_tags() {
    let world = World::new();
    world.once();
    let run = |args: &[&str]| finish(world.telex(&[&["trace"], args].concat()));
    let expected = world.site.expected();
    let tagged = expected
        .iter()
        .find(|e| e.tags == ["nato"] && !e.retried)
        .expect("an article on NATO alone");
    let out = run(&[&tagged.url]);
    let text = String::from_utf8(out.stdout).unwrap();
    let places: Vec<&str> = text
        .lines()
        .map(|l| l.split_whitespace().nth(2).unwrap())
        .collect();
    let topics: Vec<&str> = places.iter().map(|p| p.split('/').next().unwrap()).collect();
    for topic in ["items", "frontier", "pages", "articles", "tagged", "tagged.nato"] {
        let name = format!("telex.{topic}.v1");
        assert!(topics.contains(&name.as_str()), "{topic}: {text}");
    }
    assert!(!text.contains("tagged.ukraine"), "{text}");
    assert!(
        text.contains("revision 1 is done") && text.contains("nato 1.00"),
        "{text}"
    );

    // By its id as well; rows for programs.
    let article = world
        .articles(&[])
        .into_iter()
        .find(|a| canonical(a["url"].as_str().unwrap()) == canonical(&tagged.url))
        .unwrap();
    let found = rows(&run(&[article["id"].as_str().unwrap(), "--output", "json"]));
    assert_eq!(found.len(), places.len());
    assert!(found.iter().any(|row| row["value"]["text"] == article["text"]));

    let out = run(&["https://nowhere.test/a"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(said(&out).contains("nothing is known"), "{}", said(&out));
    assert_eq!(run(&["what?"]).status.code(), Some(2));
}

#[test]
fn feeds_come_and_go_by_file_and_by_command() {
    let world = World::new();
    let feeds: Vec<String> = world.site.feeds().iter().map(|f| f.url.clone()).collect();
    let run = |args: &[&str]| {
        let out = finish(world.telex(args));
        assert!(out.status.success(), "{args:?}: {}", said(&out));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    run(&["feeds", "add", &feeds[0], "--label", "mine"]);
    std::fs::write(world.path().join("list.txt"), format!("# one\n{}\n", feeds[1])).unwrap();
    run(&["run", "poller", "--once", "--feeds", "list.txt"]);
    let listed = || -> Vec<String> {
        let rows = rows(&finish(world.telex(&["feeds", "list", "--output", "json"])));
        let mut urls: Vec<String> = rows
            .iter()
            .map(|r| r["feed"]["url"].as_str().unwrap().to_owned())
            .collect();
        urls.sort();
        urls
    };
    let mut both = vec![feeds[0].clone(), feeds[1].clone()];
    both.sort();
    assert_eq!(listed(), both);
    std::fs::write(world.path().join("list.txt"), "").unwrap();
    let summary: Value = serde_json::from_str(
        run(&[
            "run", "poller", "--once", "--feeds", "list.txt", "--output", "json",
        ])
        .trim(),
    )
    .unwrap();
    assert_eq!(summary["feeds"], 1, "what left the file is no longer polled");
    assert_eq!(listed(), [feeds[0].clone()]);
    let opml = run(&["feeds", "export"]);
    assert!(opml.contains("mine") && opml.contains(&feeds[0]), "{opml}");
    std::fs::write(world.path().join("out.opml"), &opml).unwrap();
    let polled = || -> u64 {
        let out = run(&["run", "poller", "--once", "--output", "json"]);
        let summary: Value = serde_json::from_str(out.trim()).unwrap();
        summary["feeds"].as_u64().unwrap()
    };
    run(&["feeds", "pause", &feeds[0]]);
    assert!(run(&["feeds", "list"]).starts_with("paused"));
    assert_eq!(polled(), 0, "a paused feed rests");
    run(&["feeds", "resume", &feeds[0]]);
    assert_eq!(polled(), 1);
    run(&["feeds", "remove", &feeds[0]]);
    assert!(listed().is_empty());
    run(&["feeds", "import", "out.opml"]);
    assert_eq!(listed(), [feeds[0].clone()]);
    let (paper, _) = feeds[0].split_once("/rss").unwrap();
    let found = run(&["feeds", "discover", paper, "--output", "json"]);
    assert!(found.lines().all(|l| l.contains("\"error\":null")), "{found}");
    assert!(found.contains(&feeds[0]), "{found}");
    let about = run(&["feeds", "test", &feeds[0]]);
    assert!(about.contains("format") && about.contains("items"), "{about}");
    assert_eq!(
        finish(world.telex(&["feeds", "remove", "https://nowhere.test/"]))
            .status
            .code(),
        Some(1)
    );
}

#[test]
fn headers_of_ones_own_are_shown_nowhere() {
    let world = World::new();
    let url = world.site.feeds()[0].url.as_str();
    let file = world.path().join("headers.txt");
    let run = |args: &[&str]| finish(world.telex(args));
    assert!(run(&["feeds", "add", url]).status.success());
    std::fs::write(&file, "X-Key: hunter2\n\nCookie: a=b\n").unwrap();
    assert!(run(&["feeds", "headers", url, "headers.txt"]).status.success());
    let listed = rows(&run(&["feeds", "list", "--output", "json"])).remove(0);
    let hidden = serde_json::json!({"cookie": "***", "x-key": "***"});
    assert_eq!(listed["feed"]["headers"], hidden);
    assert!(!String::from_utf8_lossy(&run(&["feeds", "export"]).stdout).contains("hunter2"));
    for (line, why) in [
        ("hunter2", "no `Name: value`"),
        ("X Key: hunter2", "no name of a header"),
        ("Host: hunter2", "set by Telex"),
        ("X-Key: hunter2\u{7}", "printable ASCII"),
    ] {
        std::fs::write(&file, format!("A: b\n{line}\n")).unwrap();
        let out = run(&["feeds", "headers", url, "headers.txt"]);
        assert_eq!(out.status.code(), Some(2), "{line}");
        let said = said(&out);
        assert!(
            said.contains("line 2") && said.contains(why) && !said.contains("hunter2"),
            "{said}"
        );
    }
    assert!(run(&["feeds", "headers", url]).status.success());
    let listed = rows(&run(&["feeds", "list", "--output", "json"])).remove(0);
    assert_eq!(listed["feed"]["headers"], Value::Null, "none any more");
}

#[test]
fn an_interval_of_ones_own_overrules_the_feed() {
    let world = World::new();
    let url = world.site.feeds()[0].url.as_str();
    let run = |args: &[&str]| {
        let out = finish(world.telex(args));
        assert!(out.status.success(), "{}", said(&out));
    };
    let listed = || rows(&finish(world.telex(&["feeds", "list", "--output", "json"]))).remove(0);
    run(&["feeds", "add", url]);
    run(&["run", "poller", "--once"]);
    run(&["feeds", "interval", "90s", url]);
    run(&["run", "poller", "--once"]);
    let now = listed();
    assert_eq!(now["feed"]["interval_seconds"], 90);
    let time = |name: &str| {
        now["state"][name]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    let rest = time("next_poll").duration_since(time("polled_at")).as_secs();
    assert_eq!(rest, 90, "{now}");
    run(&["feeds", "interval", "auto", url]);
    assert_eq!(listed()["feed"]["interval_seconds"], Value::Null);
    let hasty = finish(world.telex(&["feeds", "interval", "5s", url]));
    assert_eq!(hasty.status.code(), Some(2), "{}", said(&hasty));
}

/// A site that names its sitemaps in robots.txt and has no feed.
fn site_with_sitemaps() -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let site = format!("http://{}", listener.local_addr().unwrap());
    let of = |path: &str| match path {
        "/robots.txt" => "User-agent: *\nSitemap: /sitemaps.xml\nsitemap:/news.xml",
        "/sitemaps.xml" => {
            "<sitemapindex><sitemap><loc>/pages.xml</loc><lastmod>2026-07-01</lastmod></sitemap></sitemapindex>"
        }
        "/pages.xml" => "<urlset><url><loc>/about</loc></url></urlset>",
        "/news.xml" => {
            "<urlset><url><loc>/1</loc><news:news><news:title>Ferry late</news:title></news:news></url></urlset>"
        }
        "/" => "<html><body>Harbour</body></html>",
        _ => "",
    };
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let body = of(head.split_whitespace().nth(1).unwrap_or_default());
            let status = if body.is_empty() { 404 } else { 200 };
            let length = body.len();
            drop(write!(
                stream,
                "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            ));
        }
    });
    site
}

#[test]
fn sitemaps_are_found_explained_and_polled() {
    let world = World::new();
    let site = site_with_sitemaps();
    let run = |args: &[&str]| {
        let out = finish(world.telex(args));
        assert!(out.status.success(), "{}", said(&out));
        String::from_utf8(out.stdout).unwrap()
    };
    let found = run(&["feeds", "discover", &format!("{site}/")]);
    assert!(
        found.contains(&format!("{site}/sitemaps.xml  -  (1 items)")),
        "{found}"
    );
    assert!(
        found.contains(&format!("{site}/news.xml  -  (1 items)")),
        "{found}"
    );
    let about = run(&["feeds", "test", &format!("{site}/sitemaps.xml")]);
    assert!(
        about.contains("index of sitemaps, 1 sitemaps") && about.contains("2026-07-01"),
        "{about}"
    );
    let about = run(&["feeds", "test", &format!("{site}/pages.xml")]);
    assert!(about.contains("warning    1 pages without a date"), "{about}");
    run(&[
        "feeds",
        "add",
        &format!("{site}/sitemaps.xml"),
        &format!("{site}/news.xml"),
    ]);
    let summary = run(&["run", "poller", "--once", "--output", "json"]);
    let summary: Value = serde_json::from_str(summary.trim()).unwrap();
    assert_eq!(
        (&summary["feeds_failed"], &summary["items"]),
        (&0.into(), &2.into())
    );
}

/// A proxy that lets nobody through and answers with a feed itself; what it was asked for comes out of the channel.
fn proxy_with_a_feed() -> (u16, std::sync::mpsc::Receiver<String>) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let body = "<rss><channel><title>Far away</title><item><title>T</title><link>/1</link></item></channel></rss>";
            let length = body.len();
            let feed = format!("HTTP/1.1 200 X\r\nContent-Length: {length}\r\n\r\n{body}");
            for answer in ["HTTP/1.1 200 X\r\n\r\n", &feed] {
                let mut head = [0; 4096];
                let read = stream.read(&mut head).unwrap_or(0);
                drop(sender.send(String::from_utf8_lossy(&head[..read]).into_owned()));
                drop(stream.write_all(answer.as_bytes()));
            }
        }
    });
    (port, receiver)
}

#[test]
fn requests_go_through_the_egress_proxy_where_one_is_set() {
    let world = World::new();
    let (port, asked) = proxy_with_a_feed();
    let through = |proxy: &str, args: &[&str]| {
        let mut command = world.telex(args);
        command.env("TELEX__WEB__EGRESS_PROXY", proxy);
        finish(command)
    };
    let proxy = format!("http://me:hunter2@127.0.0.1:{port}");
    let out = through(&proxy, &["feeds", "test", "http://127.0.0.77:81/rss"]);
    assert!(out.status.success(), "{}", said(&out));
    assert!(String::from_utf8_lossy(&out.stdout).contains("Far away"));
    let connect = asked.recv().unwrap();
    assert!(connect.starts_with("CONNECT 127.0.0.77:81 "), "{connect}");
    assert!(connect.contains("Proxy-Authorization: Basic "), "{connect}");
    let out = through(&proxy, &["config", "show"]);
    assert!(!String::from_utf8_lossy(&out.stdout).contains("hunter2"));
    let out = through(
        "ftp://me:hunter2@h/",
        &["feeds", "test", "http://127.0.0.77:81/rss"],
    );
    assert_eq!(out.status.code(), Some(78));
    assert!(
        said(&out).contains("web.egress_proxy") && !said(&out).contains("hunter2"),
        "{}",
        said(&out)
    );
}

#[test]
fn hubs_are_listened_to_where_that_is_set_up() {
    let world = World::new();
    let (port, metrics) = (free_port(), free_port());
    let secret = world.path().join("secret");
    std::fs::write(&secret, "1234567890123456789012345678901234567890\n").unwrap();
    let with = |args: &[&str], secret: Option<&std::path::Path>| {
        let mut command = world.telex(args);
        command
            .env("TELEX__WEBSUB__LISTEN", format!("127.0.0.1:{port}"))
            .env("TELEX__WEBSUB__CALLBACK_URL", "https://news.example.org/websub");
        if let Some(path) = secret {
            command.env("TELEX__WEBSUB__SECRET_FILE", path);
        }
        command
    };
    let out = finish(with(&["run", "poller"], None));
    assert_eq!(out.status.code(), Some(78), "{}", said(&out));
    assert!(said(&out).contains("websub.secret"), "{}", said(&out));
    let shown = finish(with(&["config", "show"], Some(&secret)));
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("websub.secret = \"(hidden)\"") && !shown.contains("123456789"),
        "{shown}"
    );
    let listen = format!("127.0.0.1:{metrics}");
    let process = Started::new(with(
        &["run", "poller", "--metrics-listen", &listen],
        Some(&secret),
    ));
    wait_for("the callback", || {
        get(port, "/websub/a/b/c/d").is_some_and(|(status, _)| status == 404)
    });
    wait_for("the metrics", || get(metrics, "/metrics").is_some());
    let (_, text) = get(metrics, "/metrics").unwrap();
    assert!(
        !text.contains("telex_websub_callbacks_total{outcome=\"unknown\"} 0"),
        "{text}"
    );
    assert!(
        text.contains("telex_websub_callbacks_total{outcome=\"ping\"} 0"),
        "{text}"
    );
    process.signal("TERM");
    assert!(process.finish().status.success());
}

#[test]
fn a_feed_added_beside_the_running_pipeline_is_polled() {
    let world = World::new();
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let process = Started::new(world.telex(&["run", "all", "--metrics-listen", &listen]));
    wait_for("the bus", || world.data().join("articles.sqlite").exists());
    let out = finish(world.telex(&["feeds", "add", &world.site.feeds()[0].url]));
    assert!(out.status.success(), "{}", said(&out));
    wait_for("its articles", || !world.articles(&["--limit", "1"]).is_empty());
    let polls = || -> u32 {
        let (_, text) = get(port, "/metrics").unwrap();
        let counts = text.lines().filter(|l| l.starts_with("telex_polls_total{"));
        counts
            .map(|l| l.rsplit(' ').next().unwrap().parse::<u32>().unwrap())
            .sum()
    };
    let before = polls();
    let out = finish(world.telex(&["feeds", "poll"]));
    assert!(out.status.success(), "{}", said(&out));
    wait_for("the poll that was asked for", || polls() > before);
    process.signal("TERM");
    assert!(process.finish().status.success());
}

#[test]
fn questions_about_the_installation_are_answered() {
    let world = World::new();
    world.once();
    let answers = |args: &[&str], part: &str| {
        let out = finish(world.telex(args));
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(
            out.status.success() && text.contains(part),
            "{args:?}: {text} {}",
            said(&out)
        );
    };
    answers(&["doctor"], "the file is whole");
    answers(&["check", "--feeds", "feeds.opml"], "feeds in");
    answers(&["config", "show", "--origin"], "environment TELEX__DATA_DIR");
    answers(&["config", "init"], "[limits.host]");
    answers(&["config", "schema"], "requests_per_second");
    answers(&["topics", "plan"], "telex.tagged.ukraine.v1");
    answers(&["topics", "apply"], "exists");
    answers(&["completions", "bash"], "telex");
    answers(&["schema", "tagged"], "topics_version");
    answers(&["articles", "--search", "Kharkiv"], "Kharkiv");
}

#[test]
fn classify_explains_itself() {
    use std::io::Write;
    let mut command = telex(&["classify", "--explain"]);
    command.stdin(std::process::Stdio::piped());
    let mut process = Started::new(command);
    let mut input = process.0.as_mut().unwrap().stdin.take().unwrap();
    input
        .write_all(
            "NATO ministers meet\nMinisters of the Alliance met at NATO headquarters in Brussels.".as_bytes(),
        )
        .unwrap();
    drop(input);
    let out = process.finish();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success() && text.contains("nato") && text.contains("[NATO]"),
        "{text}"
    );
}

/// A stage that may process five messages a second takes its time, and says so.
#[test]
fn every_stage_keeps_its_rate() {
    let world = World::new();
    world.once();
    let world = World::new();
    let begin = std::time::Instant::now();
    let mut command = world.telex(&["run", "all", "--once", "--feeds", "feeds.opml"]);
    command.env("TELEX__LIMITS__CLASSIFIER__MESSAGES_PER_SECOND", "20");
    assert!(finish(command).status.success());
    let articles = world.articles(&[]).len() as u64;
    let least = (articles - 20) / 20;
    assert!(
        begin.elapsed().as_secs() >= least,
        "{articles} articles in {:?}",
        begin.elapsed()
    );
}

#[test]
fn a_replay_gives_articles_the_tags_of_now() {
    let world = World::new();
    let topics = world.path().join("topics");
    std::fs::create_dir(&topics).unwrap();
    let topic = "[topic]\nname = 'cabinets'\nabout = 'Governments.'\n\
        [[signal]]\nname = 'country'\nrole = 'core'\nconcepts = ['ukraine']\n";
    std::fs::write(topics.join("cabinets.toml"), topic).unwrap();
    let settings = world.path().join("telex.toml");
    std::fs::write(&settings, "[classifier]\ntopics = 'topics'\n").unwrap();
    let log = |topic: &str| {
        let mut all = Vec::new();
        telex_stream::read_all(&crate::world::bus(&world.data()).0, topic, &mut |m| all.push(m)).unwrap();
        all
    };
    // A page that fails at first is left to a later run.
    wait_for("all articles", || {
        world.once();
        log("telex.tagged.v1").len() == world.site.expected().len()
    });
    let had: Vec<_> = log("telex.tagged.cabinets.v1")
        .iter()
        .map(|m| m.key.clone())
        .collect();
    assert!(!had.is_empty(), "somebody writes about it");
    let before = log("telex.tagged.v1").len();

    // The topic goes; those who read its articles are told.
    std::fs::write(&settings, "").unwrap();
    let replay = ["replay", "--stage", "classifier", "--from"];
    let run = |more: &[&str]| {
        rows(&finish(
            world.telex(&[&replay, more, &["--output", "json"]].concat()),
        ))
        .remove(0)
    };
    let would = run(&["earliest", "--dry-run"]);
    assert_eq!(
        (&would["count"], &would["dry_run"]),
        (&before.into(), &true.into())
    );
    assert_eq!(run(&["2999-01-01T00:00:00Z"])["count"], 0);
    let done = run(&["earliest"]);
    assert_eq!(done["count"], before);
    // What was interrupted at its end has nothing left to do.
    let resumed = run(&["earliest", "--resume", done["replay"].as_str().unwrap()]);
    assert_eq!(resumed["count"], 0);
    world.once();

    let mut last = BTreeMap::new();
    for message in log("telex.tagged.cabinets.v1") {
        last.insert(message.key.clone(), message.value.is_some());
    }
    assert!(had.iter().all(|key| last.get(key) == Some(&false)), "{last:?}");
    let all = log("telex.tagged.v1");
    assert_eq!(all.len(), 2 * before);
    let value =
        |m: &telex_stream::Message| -> Value { serde_json::from_slice(m.value.as_ref().unwrap()).unwrap() };
    let mut versions = BTreeMap::<String, Vec<(u64, String)>>::new();
    for article in all.iter().map(|m| value(m)) {
        let version = article["topics_version"].as_str().unwrap().to_owned();
        let seen = (article["revision"].as_u64().unwrap(), version);
        versions
            .entry(article["id"].as_str().unwrap().to_owned())
            .or_default()
            .push(seen);
    }
    for (id, seen) in versions {
        let [(first, old), (second, new)] = seen.as_slice() else {
            panic!("{id}: {seen:?}")
        };
        assert!(first == second && old != new, "{id}: {seen:?}");
    }
    world.check_all(&world.articles(&[]));
    let out = finish(world.telex(&["replay", "--stage", "classifier", "--from", "yesterday"]));
    assert!(said(&out).contains("give `earliest`, a time"), "{}", said(&out));
}
