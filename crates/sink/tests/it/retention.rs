//! Articles that are too old are let go of.

use telex_sink::{ChangeKind, Changes, PostgresDatabase, PostgresSink, Query, Reader};

use crate::postgres::{articles, server};
use crate::support::{Database, Said, article, minute, put, store_from, tag};

fn some() -> Vec<Said> {
    let tagged = |n| {
        let mut a = article(n);
        a.tags = vec![tag("nato", 0.5)];
        put(&a)
    };
    (0..20).map(tagged).collect()
}

#[test]
fn sqlite_forgets_the_oldest_with_their_words_and_tags() {
    let database = Database::new();
    let (mut sink, mut keeper) = (database.sink(), database.sink());
    store_from(&mut sink, 0, &some());
    assert_eq!(keeper.forget(minute(0), 100).expect("nothing is older"), 0);
    assert_eq!(keeper.forget(minute(15), 10).expect("forgotten"), 10);
    assert_eq!(keeper.forget(minute(15), 10).expect("forgotten"), 5);
    assert_eq!(keeper.forget(minute(15), 10).expect("nothing left"), 0);
    let left = ["19", "18", "17", "16", "15"];
    assert_eq!(database.find(&Query::default()), left);
    let by = |tag: Option<&str>, search: Option<&str>| Query {
        tag: tag.map(Into::into),
        search: search.map(Into::into),
        ..Query::default()
    };
    assert_eq!(database.find(&by(Some("nato"), None)), left);
    assert_eq!(database.find(&by(None, Some("council"))), left);
    // The sink beside it goes on, also with an article that has gone.
    store_from(&mut sink, 20, &[put(&article(3)), Said::Retract(article(19).id)]);
    assert_eq!(database.find(&Query::default()), ["18", "17", "16", "15", "3"]);
}

#[test]
fn postgres_forgets_the_oldest_with_their_tags() {
    let Some(server) = server() else { return };
    let database = server.database();
    let open = || PostgresSink::new(&server.url(&database)).expect("a URL");
    let (mut sink, mut keeper) = (open(), open());
    store_from(&mut sink, 0, &some());
    assert_eq!(keeper.forget(minute(0), 100).expect("nothing is older"), 0);
    assert_eq!(keeper.forget(minute(15), 10).expect("forgotten"), 10);
    assert_eq!(keeper.forget(minute(15), 10).expect("forgotten"), 5);
    let mut client = server.client(&database);
    assert_eq!(articles(&mut client).len(), 5);
    let tags = client.query("SELECT FROM telex.tag", &[]).expect("read");
    assert_eq!(tags.len(), 5);
    let reader = PostgresDatabase::new(&server.url(&database)).expect("a URL");
    let told = reader.open().expect("a reader").changes(20, 100).expect("read");
    let Changes::Following(told) = told else {
        panic!("the place is known")
    };
    let mut gone: Vec<_> = told.into_iter().map(|c| c.change).collect();
    gone.sort_by_key(|c| format!("{c:?}"));
    let mut wanted: Vec<_> = (0..15).map(|n| ChangeKind::Withdrawn(article(n).id)).collect();
    wanted.sort_by_key(|c| format!("{c:?}"));
    assert_eq!(gone, wanted);
    store_from(&mut sink, 20, &[put(&article(3))]);
    assert_eq!(articles(&mut client).len(), 6);
}
