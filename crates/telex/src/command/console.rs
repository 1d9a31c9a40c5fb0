//! The console: beside the stages of a process, or alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use telex_console::{Parts, TopicAbout};
use telex_telemetry::{Health, Metrics, measured, serve_few};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::{Context, config as settings, run};
use crate::error::CliError;
use crate::open::{self, OpenBus, Use};
use crate::output;
use crate::pipeline::Pipeline;

/// Where it listens unless told otherwise.
const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8430);

/// Connections at once: readers of streams and some more. Poller and fetcher share the 1,024 handles that a process
/// usually has.
const CONNECTIONS: usize = 128;

/// Between two looks whether to stop.
const TICK: Duration = Duration::from_millis(50);

/// Serves the console beside the stages, where it is wanted. That another process has the address is no reason not to
/// run the pipeline, unless the address was chosen.
pub(crate) fn beside(
    context: &Context,
    open: &OpenBus,
    pipeline: &Pipeline,
    runtime: &Runtime,
) -> Result<(), CliError> {
    let config = &context.config.console;
    if !config.enabled && config.listen.is_none() {
        return Ok(());
    }
    let parts = parts(context, open, Some(Arc::clone(&pipeline.metrics)))?;
    match start(context, parts, &pipeline.metrics, runtime) {
        Err(CliError::Unavailable(reason)) if config.listen.is_none() => {
            tracing::warn!(
                reason,
                "there is no console; choose another address with --console-listen, or set console.enabled = false"
            );
            Ok(())
        }
        started => started.map(drop),
    }
}

/// Serves the console until told to stop.
pub(crate) fn alone(
    context: &Context,
    runtime: &Runtime,
    stopped: &watch::Receiver<bool>,
) -> Result<(), CliError> {
    let open = open::bus(&context.config, Use::Read)?;
    let (metrics, health) = (Metrics::new(), Health::default());
    let me = health.stage("console");
    run::serve(context, &metrics, &health, runtime)?;
    let bound = start(context, parts(context, &open, None)?, &metrics, runtime)?;
    me.ready();
    if output::person_watches() {
        output::line(&format!("the console is at http://{bound}/"))?;
    }
    while !*stopped.borrow() {
        me.alive();
        std::thread::sleep(TICK);
    }
    health.stopping();
    Ok(())
}

/// Serves a console on any port of loopback.
pub(super) fn serve_anywhere(parts: Parts, runtime: &Runtime) -> Result<SocketAddr, CliError> {
    let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
    serve(address, parts, &Metrics::new(), runtime)
}

fn start(
    context: &Context,
    parts: Parts,
    metrics: &Metrics,
    runtime: &Runtime,
) -> Result<SocketAddr, CliError> {
    let address = context.config.console.listen.unwrap_or(DEFAULT);
    serve(address, parts, metrics, runtime)
}

fn serve(
    address: SocketAddr,
    parts: Parts,
    metrics: &Metrics,
    runtime: &Runtime,
) -> Result<SocketAddr, CliError> {
    let bind = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let _context = runtime.enter();
        TcpListener::from_std(listener)
    };
    let failed = |e: std::io::Error| CliError::Unavailable(format!("console.listen: {address}: {e}"));
    let listener = bind().map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let _context = runtime.enter();
    let app = measured(telex_console::router(parts)?, metrics.console());
    runtime.spawn(serve_few(listener, app, CONNECTIONS));
    tracing::info!(%bound, "the console is served");
    Ok(bound)
}

pub(super) fn parts(
    context: &Context,
    open: &OpenBus,
    metrics: Option<Arc<Metrics>>,
) -> Result<Parts, CliError> {
    let config = &context.config;
    let classifier = open::classifier(config)?;
    let topics = classifier.topics().map(|name| TopicAbout {
        name: name.to_owned(),
        about: classifier.about(name).unwrap_or_default().to_owned(),
    });
    Ok(Parts {
        bus: Arc::clone(&open.bus),
        prefix: config.bus.topic_prefix.clone(),
        articles: open::stored(config)?,
        metrics,
        settings: settings::in_force(context)?,
        topics: topics.collect(),
        topics_version: classifier.version().to_owned(),
        token: Some(config.console.token.reveal().to_owned()),
        hosts: config.console.hosts.clone(),
    })
}
