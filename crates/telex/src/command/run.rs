//! `telex run`: stages until told to stop, or once through.

use std::sync::Arc;
use std::time::Duration;

use telex_model::{Origin, Stage};
use telex_operate::Feeds;
use telex_telemetry::{Health, Metrics};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::live::Live;
use super::{Context, console};
use crate::cli::{OutputFormat, RunArgs, What};
use crate::error::CliError;
use crate::open::{self, Use};
use crate::output;
use crate::pipeline::{self, Pipeline, RunSummary};

/// How often a run looks at its stages.
const TICK: Duration = Duration::from_millis(10);

/// Time between two looks at the size of the bus.
const USAGE_EVERY: Duration = Duration::from_secs(5);

/// What still runs on threads when all is done has so long to end: whoever looked at the console waits no more.
const END: Duration = Duration::from_secs(1);

/// Runs stages.
pub(crate) fn run(context: &Context, args: &RunArgs) -> Result<(), CliError> {
    // Before anything that takes time, so that a SIGTERM during the start drains as well.
    let runtime = runtime()?;
    let ran = run_on(context, args, &runtime);
    end(runtime);
    ran
}

/// Ends a runtime. Dropped, it would wait for what blocks: a trace, a question, a broker that is away.
fn end(runtime: Runtime) {
    runtime.shutdown_timeout(END);
}

fn run_on(context: &Context, args: &RunArgs, runtime: &Runtime) -> Result<(), CliError> {
    let config = &context.config;
    let stopped = on_signal(runtime)?;
    if args.what == What::Console {
        return console::alone(context, runtime, &stopped);
    }
    let open = open::bus(config, Use::Run)?;
    if let Some(path) = &config.poller.feeds
        && matches!(args.what, What::All | What::Poller)
    {
        let listed = super::feeds::read_list(path)?;
        let done = Feeds::new(open.bus.as_ref(), &config.bus.topic_prefix).declare(listed, Origin::File)?;
        tracing::info!(?done, file = %path.display(), "the list of feeds was declared");
    }
    let stages = pipeline::stages(args.what);
    let mut pipeline = Pipeline::start(config, &open, &stages, args.once, runtime.handle())?;
    serve(context, &pipeline.metrics, &pipeline.health, runtime)?;
    if args.what == What::All && !args.once {
        console::beside(context, &open, &pipeline, runtime)?;
    }
    let mut live = Live::new(
        &stages,
        context.output == OutputFormat::Text && output::person_watches(),
    );
    let mut usage_at = std::time::Instant::now();
    loop {
        if args.once {
            pipeline.drain();
        }
        match pipeline.ended() {
            Ok(true) => break,
            Ok(false) => {}
            Err(error) => {
                // The first error counts; the others follow from it.
                if let Err(later) = pipeline.finish() {
                    tracing::debug!(error = %later, "while stopping");
                }
                return Err(error);
            }
        }
        if *stopped.borrow() {
            pipeline.finish()?;
            break;
        }
        if usage_at.elapsed() >= USAGE_EVERY {
            usage_at = std::time::Instant::now();
            show_usage(&open, &pipeline)?;
        }
        live.show(&pipeline);
        std::thread::sleep(TICK);
    }
    live.end();
    show_summary(context, args, &pipeline.summary())
}

/// The runtime of everything asynchronous: requests, metrics, signals.
pub(crate) fn runtime() -> Result<Runtime, CliError> {
    let built = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("web")
        .build();
    built.map_err(|e| CliError::Unavailable(format!("no runtime: {e}")))
}

/// Turns true at the first SIGTERM or SIGINT; the second ends the process at once.
pub(crate) fn on_signal(runtime: &Runtime) -> Result<watch::Receiver<bool>, CliError> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = watch::channel(false);
    let _guard = runtime.enter();
    let listen = |kind| signal(kind).map_err(|e| CliError::Unavailable(format!("signals: {e}")));
    let (mut term, mut int) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    runtime.spawn(async move {
        for times in 0.. {
            tokio::select! { _ = term.recv() => {} _ = int.recv() => {} }
            if times > 0 {
                // 128 + SIGINT, as shells have it.
                std::process::exit(130);
            }
            sender.send_replace(true);
        }
    });
    Ok(receiver)
}

/// Serves metrics and health, where wanted.
pub(crate) fn serve(
    context: &Context,
    metrics: &Arc<Metrics>,
    health: &Health,
    runtime: &Runtime,
) -> Result<(), CliError> {
    let Some(address) = context.config.metrics.listen else {
        return Ok(());
    };
    let serving = telex_telemetry::serve(address, Arc::clone(metrics), health.clone());
    let bound = runtime
        .block_on(serving)
        .map_err(|e| CliError::unavailable("--metrics-listen", &e))?;
    tracing::info!(%bound, "metrics are served");
    Ok(())
}

fn show_usage(open: &open::OpenBus, pipeline: &Pipeline) -> Result<(), CliError> {
    if let Some(usage) = open.usage()? {
        pipeline
            .metrics
            .bus_usage(usage.bytes, usage.max_bytes, usage.tail_bytes);
    }
    Ok(())
}

fn show_summary(context: &Context, args: &RunArgs, summary: &RunSummary) -> Result<(), CliError> {
    match context.output {
        OutputFormat::Json => output::json(summary),
        OutputFormat::Text if args.once => output::line(&text(summary, &pipeline::stages(args.what))),
        OutputFormat::Text => Ok(()),
    }
}

fn text(summary: &RunSummary, stages: &[Stage]) -> String {
    let mut parts = vec![format!(
        "{} feeds polled, {} failed; {} new items",
        summary.feeds, summary.feeds_failed, summary.items
    )];
    if stages.contains(&Stage::Classifier) {
        let tags: Vec<String> = summary
            .tagged
            .iter()
            .map(|(tag, n)| format!("{tag} {n}"))
            .collect();
        parts.push(format!("{} articles ({})", summary.articles, tags.join(", ")));
    }
    parts.push(format!(
        "{} dead letters; {:.1} s",
        summary.dead_letters, summary.seconds
    ));
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn what_blocks_holds_up_no_end() {
        let (held, blocks) = mpsc::channel::<()>();
        let (ended, end_seen) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = runtime().ok();
            if let Some(runtime) = runtime {
                runtime.spawn_blocking(move || blocks.recv());
                end(runtime);
            }
            ended.send(())
        });
        assert!(end_seen.recv_timeout(Duration::from_secs(60)).is_ok());
        drop(held);
    }
}
