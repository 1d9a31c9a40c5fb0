//! Says whether everything came exactly once.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::world::canonical;

use super::newsroom::Newsroom;

/// What came out of a campaign.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) articles: usize,
    pub(crate) revisions: usize,
    pub(crate) lost: Vec<String>,
    pub(crate) doubled: Vec<String>,
    pub(crate) disordered: Vec<String>,
    /// Where the sink differs from the topic.
    pub(crate) differing: Vec<String>,
}

impl Verdict {
    pub(crate) fn is_clean(&self) -> bool {
        self.is_clean_but_for(0)
    }

    /// Tells whether all is as it should be, and so many articles did not come.
    pub(crate) fn is_clean_but_for(&self, missing: usize) -> bool {
        let wrong = [&self.doubled, &self.disordered, &self.differing];
        wrong.iter().all(|list| list.is_empty()) && self.lost.len() == missing
    }
}

/// Judges tagged articles, in the order of the topic, and the rows of the sink.
pub(crate) fn judge(newsroom: &Newsroom<'_>, tagged: &[Value], sink: &[Value]) -> Verdict {
    let mut verdict = Verdict::default();
    // The last revision of each article and its title.
    let mut last: BTreeMap<String, (u64, String)> = BTreeMap::new();
    let mut seen: BTreeMap<(String, u64), usize> = BTreeMap::new();
    for message in tagged {
        let (url, revision, title) = identity(message);
        *seen.entry((url.clone(), revision)).or_default() += 1;
        if last.get(&url).is_some_and(|(before, _)| *before > revision) {
            verdict.disordered.push(format!("{url} revision {revision}"));
        }
        last.insert(url, (revision, title));
    }
    let twice = seen.iter().filter(|(_, times)| **times > 1);
    verdict.doubled = twice
        .map(|((url, revision), _)| format!("{url} revision {revision}"))
        .collect();
    for url in newsroom.expected() {
        let wanted = newsroom.published.get(&url).map(|p| p.title.as_str());
        match last.get(&url) {
            None => verdict.lost.push(url),
            Some((_, title)) if wanted.is_some_and(|wanted| wanted != title) => {
                verdict
                    .lost
                    .push(format!("{url}: {title:?}, last published {wanted:?}"));
            }
            Some(_) => {}
        }
    }
    let rows: BTreeMap<String, (u64, String)> = sink
        .iter()
        .map(identity)
        .map(|(url, revision, title)| (url, (revision, title)))
        .collect();
    if rows.len() != sink.len() {
        verdict
            .differing
            .push(format!("{} rows of {} articles", sink.len(), rows.len()));
    }
    let either: std::collections::BTreeSet<&String> = rows.keys().chain(last.keys()).collect();
    for url in either {
        if rows.get(url) != last.get(url) {
            verdict
                .differing
                .push(format!("{url}: {:?} and {:?}", rows.get(url), last.get(url)));
        }
    }
    verdict.articles = last.len();
    verdict.revisions = seen.len();
    verdict
}

fn identity(message: &Value) -> (String, u64, String) {
    (
        canonical(message["url"].as_str().unwrap()),
        message["revision"].as_u64().unwrap(),
        message["title"].as_str().unwrap().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::world::World;

    use super::super::campaign::Random;
    use super::*;

    #[test]
    fn every_kind_of_wrong_is_seen() {
        let world = World::new();
        let mut newsroom = Newsroom::new(&world);
        newsroom.work(&mut Random::new(1));
        let row = |url: &str, revision: u64| {
            let title = newsroom
                .published
                .get(url)
                .map_or("another's", |p| p.title.as_str());
            json!({"url": url, "revision": revision, "title": title})
        };
        let all: Vec<Value> = newsroom.expected().iter().map(|url| row(url, 2)).collect();
        assert!(judge(&newsroom, &all, &all).is_clean());

        let verdict = judge(&newsroom, &all[1..], &all[1..]);
        assert_eq!((verdict.lost.len(), verdict.doubled.len()), (1, 0));
        let more = [all.clone(), vec![all[0].clone()]].concat();
        assert_eq!(judge(&newsroom, &more, &all).doubled.len(), 1);
        let older = [all.clone(), vec![row(&newsroom.expected()[0], 1)]].concat();
        assert_eq!(judge(&newsroom, &older, &all).disordered.len(), 1);
        assert_eq!(judge(&newsroom, &all, &all[1..]).differing.len(), 1);
        let mut stale = all.clone();
        let ours = newsroom.published.keys().next().unwrap();
        let at = all.iter().position(|a| a["url"] == ours.as_str()).unwrap();
        stale[at]["title"] = "of before the edit".into();
        assert_eq!(judge(&newsroom, &stale, &stale).lost.len(), 1);
    }
}
