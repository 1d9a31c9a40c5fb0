//! The extractors, and running one of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use cpu_time::ThreadTime;

use crate::pages::Page;

/// Makes the text of a page; none where it fails.
pub type Extract = fn(&Page) -> Option<String>;

/// The cleaner first: the others are compared with it. The slowest last, for a page that it does not finish goes on
/// taking a core.
pub const EXTRACTORS: &[(&str, Extract)] = &[
    ("telex-cleaner", |page| {
        let page = telex_cleaner::Page {
            url: page.url.as_deref(),
            html: &page.html,
        };
        Some(telex_cleaner::clean_html(&page).text)
    }),
    ("dom_smoothie", |page| {
        let mut reader = dom_smoothie::Readability::new(page.html.as_str(), None, None).ok()?;
        Some(reader.parse().ok()?.text_content.to_string())
    }),
    ("trafilatura", |page| {
        let found = trafilatura::extract(&page.html, &trafilatura::Options::default()).ok()?;
        Some(found.content_text)
    }),
    ("rs-trafilatura", |page| {
        Some(rs_trafilatura::extract(&page.html).ok()?.content_text)
    }),
];

/// Time for a page; one that takes longer counts as empty, and as this long.
const LIMIT: Duration = Duration::from_secs(5);

/// Rounds; the least processor time of a page counts, for what else runs on the machine only ever adds.
const ROUNDS: usize = 3;

/// Stack of the extractors: peers recurse over the tree.
const STACK: usize = 64 << 20;

/// What an extractor made of all pages.
pub struct Run {
    pub texts: Vec<String>,
    /// Processor time, as all times here: on a busy machine the clock on the wall favours the fast.
    pub spent: Duration,
    pub slowest: Duration,
    /// Pages that were not done in time.
    pub late: usize,
}

/// Runs an extractor over all pages. A page on which it panics or fails counts as empty.
pub fn run(extract: Extract, pages: &Arc<[Page]>) -> Run {
    let mut run = Run {
        texts: Vec::with_capacity(pages.len()),
        spent: Duration::ZERO,
        slowest: Duration::ZERO,
        late: 0,
    };
    let mut results = start(extract, pages, 0);
    while run.texts.len() < pages.len() {
        let (text, took) = results.recv_timeout(LIMIT * ROUNDS as u32).unwrap_or_else(|_| {
            run.late += 1;
            results = start(extract, pages, run.texts.len() + 1);
            (String::new(), LIMIT)
        });
        run.texts.push(text);
        run.spent += took;
        run.slowest = run.slowest.max(took);
    }
    run
}

/// Extracts the pages from one on, on a thread of its own that nobody waits for.
fn start(extract: Extract, pages: &Arc<[Page]>, from: usize) -> Receiver<(String, Duration)> {
    let pages = Arc::clone(pages);
    // No page is begun before the one before it is taken, so that the limit is for one page.
    let (sender, results) = sync_channel(0);
    let work = move || {
        for page in pages.iter().skip(from) {
            let mut least = Duration::MAX;
            let mut text = String::new();
            for _ in 0..ROUNDS {
                let begin = ThreadTime::now();
                let found = catch_unwind(AssertUnwindSafe(|| extract(page)));
                least = begin.elapsed().min(least);
                text = found.ok().flatten().unwrap_or_default();
            }
            if sender.send((text, least)).is_err() {
                return;
            }
        }
    };
    if let Err(error) = thread::Builder::new().stack_size(STACK).spawn(work) {
        eprintln!("no thread: {error}");
    }
    results
}
