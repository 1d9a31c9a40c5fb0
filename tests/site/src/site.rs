//! Starting, changing, watching and stopping the site.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, Method, Uri},
};
use jiff::Timestamp;
use serde::Serialize;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};

use crate::{
    Article, Expected, FeedUrl, PublishError, Request, Response, Special,
    page::{Content, Renderer},
    server::Shared,
    world::World,
};

/// Delay of the slow feed: long enough to be seen, short enough to wait for.
const SLOW: Duration = Duration::from_millis(1500);
/// How often a port free on one address may be taken on another before the start fails.
const PORT_ATTEMPTS: usize = 16;
/// How long a stop waits for answers that are under way.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// Last number of the address on which nobody listens.
const DEAD_ADDRESS: u8 = 99;

/// How the site is to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on all addresses; none takes one that the system finds free.
    pub port: Option<u16>,
    /// Delay of the slow feed.
    pub slow: Duration,
    /// Moves all dates so that the newest article is ten minutes old at this time; none leaves them as written.
    pub now: Option<Timestamp>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: None,
            slow: SLOW,
            now: None,
        }
    }
}

/// The running site; it stops when dropped.
pub struct Site {
    shared: Arc<Shared>,
    feeds: Vec<FeedUrl>,
    /// Listeners stop when it is dropped.
    running: watch::Sender<()>,
    listeners: Vec<JoinHandle<io::Result<()>>>,
}

impl Site {
    /// Starts all newspapers on loopback addresses.
    ///
    /// # Errors
    /// An address or the port cannot be bound (systems other than Linux need the addresses 127.0.0.x as aliases), or
    /// the built-in content is damaged.
    pub async fn start(options: Options) -> io::Result<Self> {
        let mut world = World::new(options.now)?;
        let addresses: Vec<u8> = world.papers.iter().map(|paper| paper.address).collect();
        let (port, sockets) = bind(&addresses, options.port).await?;
        world.set_port(port);
        let feeds = feeds(&world, port);
        let renderer = Renderer::new()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("template: {error:#}")))?;
        let shared = Arc::new(Shared::new(world, renderer, options.slow));
        let (running, _) = watch::channel(());
        let listeners = sockets
            .into_iter()
            .enumerate()
            .map(|(paper, socket)| {
                let router = Router::new()
                    .fallback(handle)
                    .with_state((Arc::clone(&shared), paper));
                let mut stopped = running.subscribe();
                let server = axum::serve(socket, router)
                    .with_graceful_shutdown(async move { drop(stopped.changed().await) });
                tokio::spawn(server.into_future())
            })
            .collect();
        Ok(Self {
            shared,
            feeds,
            running,
            listeners,
        })
    }

    /// Returns all feeds, the dead one last.
    pub fn feeds(&self) -> &[FeedUrl] {
        &self.feeds
    }

    /// Returns the feed at which nobody listens.
    pub fn dead(&self) -> Option<&FeedUrl> {
        self.feeds.iter().find(|feed| feed.special == Special::Dead)
    }

    /// Returns all feeds as OPML 2.0, one folder a newspaper.
    ///
    /// # Errors
    /// The built-in template is damaged.
    pub fn opml(&self) -> io::Result<String> {
        #[derive(Serialize)]
        struct Folder<'a> {
            name: &'a str,
            feeds: Vec<(&'a str, &'a str)>,
        }
        let mut folders: Vec<Folder<'_>> = Vec::new();
        for feed in &self.feeds {
            let entry = (feed.label.as_str(), feed.url.as_str());
            match folders.last_mut().filter(|folder| folder.name == feed.paper) {
                Some(folder) => folder.feeds.push(entry),
                None => folders.push(Folder {
                    name: &feed.paper,
                    feeds: vec![entry],
                }),
            }
        }
        let view = std::collections::BTreeMap::from([("folders", folders)]);
        self.shared
            .renderer
            .render("opml.xml", &view)
            .map_err(io::Error::other)
    }

    /// Returns every article that the pipeline must deliver exactly once, as of now.
    pub fn expected(&self) -> Vec<Expected> {
        self.shared
            .world
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .expected()
    }

    /// Returns the pages of all articles that are shown, as HTML in Unicode.
    ///
    /// # Errors
    /// A built-in template is damaged.
    pub fn pages(&self) -> io::Result<Vec<String>> {
        let world = self.shared.world.read().unwrap_or_else(PoisonError::into_inner);
        let mut pages = Vec::new();
        for paper in 0..world.papers.len() {
            for story in world.stories_of(paper) {
                if story.article.page.shows_text() {
                    let content = Content::Article(story);
                    let page = self.shared.renderer.page(&world, paper, content);
                    pages.push(page.map_err(io::Error::other)?);
                }
            }
        }
        Ok(pages)
    }

    /// Returns the latest requests in the order of arrival, at most 65,536.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests()
    }

    /// Adds an article to a newspaper and so to its feeds; returns its address.
    ///
    /// # Errors
    /// The newspaper is unknown or has an article of that slug.
    pub fn publish(&self, paper: &str, slug: &str, article: Article) -> Result<String, PublishError> {
        let mut world = self.shared.world.write().unwrap_or_else(PoisonError::into_inner);
        world.publish(paper, slug, article, Timestamp::now())
    }

    /// Changes the article at an address, in its feeds and on its page, and dates the change.
    ///
    /// # Errors
    /// No article stands at that address.
    pub fn edit(&self, url: &str, change: impl FnOnce(&mut Article)) -> Result<(), PublishError> {
        let mut world = self.shared.world.write().unwrap_or_else(PoisonError::into_inner);
        world.edit(url, change, Timestamp::now())
    }

    /// Prescribes the next answers for a URL without query, or for a path on every host, in that order; after them
    /// the site answers as usual.
    pub fn script(&self, target: &str, responses: Vec<Response>) {
        self.shared.script(target, responses);
    }

    /// Stops listening and waits for answers under way, at most five seconds.
    pub async fn stop(self) {
        drop(self.running);
        for mut listener in self.listeners {
            if timeout(STOP_WITHIN, &mut listener).await.is_err() {
                listener.abort();
            }
        }
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Site")
            .field("feeds", &self.feeds)
            .finish_non_exhaustive()
    }
}

async fn handle(
    State((shared, paper)): State<(Arc<Shared>, usize)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> axum::response::Response {
    shared.answer(paper, &method, &uri, &headers).await
}

/// Binds one port on every address: the given one, or one free on all.
async fn bind(addresses: &[u8], port: Option<u16>) -> io::Result<(u16, Vec<TcpListener>)> {
    let mut attempt = 1;
    loop {
        match bind_once(addresses, port.unwrap_or(0)).await {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && port.is_none() && attempt < PORT_ATTEMPTS =>
            {
                attempt += 1;
            }
            result => return result,
        }
    }
}

async fn bind_once(addresses: &[u8], mut port: u16) -> io::Result<(u16, Vec<TcpListener>)> {
    let mut sockets = Vec::new();
    for address in addresses {
        let at = SocketAddr::from((Ipv4Addr::new(127, 0, 0, *address), port));
        let socket = TcpListener::bind(at)
            .await
            .map_err(|error| io::Error::new(error.kind(), format!("news site at {at}: {error}")))?;
        port = socket.local_addr()?.port();
        sockets.push(socket);
    }
    Ok((port, sockets))
}

fn feeds(world: &World, port: u16) -> Vec<FeedUrl> {
    let mut feeds: Vec<FeedUrl> = Vec::new();
    for (index, paper) in world.papers.iter().enumerate() {
        feeds.extend(paper.feeds.iter().map(|feed| FeedUrl {
            url: format!("{}{}", world.origin(index), feed.path),
            label: feed.label.clone(),
            paper: paper.name.clone(),
            special: feed.special,
        }));
    }
    feeds.push(FeedUrl {
        url: format!("http://127.0.0.{DEAD_ADDRESS}:{port}/rss.xml"),
        label: "The Evening Lantern".to_owned(),
        paper: "The Evening Lantern".to_owned(),
        special: Special::Dead,
    });
    feeds
}
