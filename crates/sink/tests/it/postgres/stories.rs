//! Stories that many replicas give.

use std::sync::Barrier;

use telex_model::Tagged;
use telex_sink::{Sink, SinkError};

use super::{server, sink};
use crate::support::{LOG, Said, article, minute, put, rows, store_from};

/// A report in words of its own, as a site prints it.
fn report(text: u32, site: u32) -> Tagged {
    let sentence = |n: u32| {
        format!("Envoy e{text}x{n} met minister m{n}x{text} on clause c{text}x{n} of treaty t{n}x{text}.")
    };
    let mut lines: Vec<String> = (0..14).map(sentence).collect();
    lines.push(format!("Printed by site {site}."));
    let text_of = lines.join("\n");
    Tagged {
        fingerprint: telex_cleaner::fingerprint(&text_of),
        text: text_of,
        ..article(text * 100 + site)
    }
}

/// Number of stories, and of articles in them.
fn counted(client: &mut postgres::Client) -> (i64, i64) {
    let row = client
        .query_one("SELECT count(DISTINCT story), count(*) FROM telex.story", &[])
        .expect("counted");
    (row.get(0), row.get(1))
}

/// Every site prints the same twenty reports at the same time, each site by a replica of its own.
#[test]
fn replicas_that_store_versions_at_once_give_one_story() {
    let Some(server) = server() else { return };
    let database = server.database();
    sink(server, &database).connect().expect("made");
    let together = Barrier::new(4);
    let failed: Vec<SinkError> = std::thread::scope(|scope| {
        let site = |site: u32| {
            let (mut sink, together) = (sink(server, &database), &together);
            // The others wait at the barrier: nobody may leave early.
            let print = move |text: u32| {
                together.wait();
                let said = [put(&report(text, site))];
                let mut store = || {
                    rows(site, u64::from(text), minute(0), &said, |rows| {
                        sink.store(LOG, rows)
                    })
                };
                loop {
                    match store() {
                        Ok(_) => return None,
                        Err(busy) if busy.may_pass() => {}
                        Err(error) => return Some(error),
                    }
                }
            };
            scope.spawn(move || (0..20).filter_map(print).collect::<Vec<_>>())
        };
        let sites: Vec<_> = (0..4).map(site).collect();
        sites
            .into_iter()
            .flat_map(|s| s.join().expect("joined"))
            .collect()
    });
    assert!(failed.is_empty(), "{failed:?}");
    let mut client = server.client(&database);
    assert_eq!(counted(&mut client), (20, 80));
    let parted = "SELECT count(*) FROM telex.story s JOIN telex.article a ON a.id = s.story
                  WHERE left(a.text, 20) <> (SELECT left(text, 20) FROM telex.article o WHERE o.id = s.article)";
    assert_eq!(
        client.query_one(parted, &[]).expect("counted").get::<_, i64>(0),
        0
    );
}

#[test]
fn what_another_replica_changed_is_known() {
    let Some(server) = server() else { return };
    let database = server.database();
    let (mut first, mut second) = (sink(server, &database), sink(server, &database));
    store_from(&mut first, 0, &[put(&report(1, 0)), put(&report(2, 0))]);
    store_from(&mut second, 2, &[put(&report(1, 1))]);
    let mut client = server.client(&database);
    assert_eq!(counted(&mut client), (2, 3));
    // The second withdraws what the first remembers, and has another article say it.
    let withdrawn = [report(2, 0).id, report(1, 0).id].map(Said::Retract);
    store_from(&mut second, 3, &withdrawn);
    store_from(&mut first, 5, &[put(&report(2, 2)), put(&report(1, 3))]);
    assert_eq!(counted(&mut client), (2, 3));
    let own = "SELECT story = article FROM telex.story WHERE article = $1";
    let begins = |client: &mut postgres::Client, a: &Tagged| -> bool {
        client.query_one(own, &[&a.id.to_string()]).expect("read").get(0)
    };
    assert!(begins(&mut client, &report(2, 2)), "its copy is gone");
    assert!(!begins(&mut client, &report(1, 3)));
}

#[test]
fn tables_without_stories_are_brought_up_to_date_and_back() {
    let Some(server) = server() else { return };
    let database = server.database();
    let mut client = server.client(&database);
    let mut older = sink(server, &database);
    store_from(&mut older, 0, &[put(&report(1, 0))]);
    assert_eq!(older.go_back(1).expect("gone back"), [3, 2]);
    assert_eq!(older.look().expect("looked"), Some(1));
    let mut newer = sink(server, &database);
    store_from(&mut newer, 1, &[put(&report(1, 1)), put(&report(1, 2))]);
    assert_eq!(
        counted(&mut client),
        (1, 2),
        "what was stored before is a story of its own"
    );
}
