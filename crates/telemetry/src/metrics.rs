//! The metric catalogue.

use std::sync::Arc;

use jiff::Timestamp;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};
use telex_model::Stage;

/// Upper bounds in seconds for work on one message or batch: 50 µs to 10 s.
const WORK_SECONDS: [f64; 12] = [
    0.000_05, 0.000_2, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 5.0, 10.0,
];

/// Upper bounds in seconds for requests: 5 ms to 60 s.
const REQUEST_SECONDS: [f64; 10] = [0.005, 0.02, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0];

/// Upper bounds in seconds for the way through the pipeline: 0.1 s to a day.
const WAY_SECONDS: [f64; 14] = [
    0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0, 86400.0,
];

/// Upper bounds for the number of messages in a batch.
const BATCH_SIZES: [f64; 8] = [1.0, 5.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// All metrics of the process.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    messages_in: IntCounterVec,
    bytes_in: IntCounterVec,
    messages_out: IntCounterVec,
    bytes_out: IntCounterVec,
    dropped: IntCounterVec,
    dead_lettered: IntCounterVec,
    processing: HistogramVec,
    batch: HistogramVec,
    lag: IntGaugeVec,
    lag_seconds: GaugeVec,
    limit_wait: prometheus::CounterVec,
    in_flight: IntGaugeVec,
    retries: IntCounterVec,
    commits: IntCounterVec,
    commit_seconds: HistogramVec,
    partitions: IntGaugeVec,
    breaker: IntGaugeVec,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    body_bytes: IntCounterVec,
    host_wait: HistogramVec,
    /// Feeds by health, as the poller of this process knows them.
    pub feeds: IntGaugeVec,
    /// Polls by outcome.
    pub polls: IntCounterVec,
    /// Repairs made to feeds, by what was repaired.
    pub feed_repairs: IntCounter,
    /// Items estimated to have come and gone between two polls.
    pub missed_items: IntCounter,
    /// Calls of WebSub hubs by outcome.
    pub websub_callbacks: IntCounterVec,
    /// Requests to WebSub hubs by outcome.
    pub websub_requests: IntCounterVec,
    /// Articles waiting in the frontier.
    pub frontier_pending: IntGauge,
    /// Done records held in memory.
    pub frontier_done: IntGauge,
    /// Bytes of waiting articles in memory.
    pub frontier_waiting_bytes: IntGauge,
    /// Hosts known to the limiter.
    pub limited_hosts: IntGauge,
    /// Robots.txt files in the cache.
    pub robots_cached: IntGauge,
    /// Tagged articles by tag.
    pub tagged: IntCounterVec,
    /// Tagged articles by kind.
    pub kinds: IntCounterVec,
    /// 1 while changed topic files are wrong and those before stay in use.
    pub topic_files_broken: IntGauge,
    /// Seconds from publication, as the article says, to the tag.
    pub published_to_tagged: Histogram,
    /// Seconds from first seen to the tag.
    pub seen_to_tagged: Histogram,
    /// Canaries that a stage put in, passed on or saw arrive.
    canaries: IntCounterVec,
    canary_put_in: Gauge,
    canary_way: Histogram,
    sink_rows: IntCounterVec,
    sink_seconds: HistogramVec,
    sink_errors: IntCounterVec,
    sink_held: IntGaugeVec,
    /// Bytes of the embedded bus on disk.
    bus_bytes: IntGauge,
    /// Bytes that the embedded bus may take.
    bus_limit_bytes: IntGauge,
    /// Bytes of committed messages held in memory for their readers.
    bus_tail_bytes: IntGauge,
    /// 1 while `/readyz` says yes.
    pub(crate) ready: IntGauge,
}

/// Metrics of one stage; cheap to clone.
#[derive(Debug, Clone)]
pub struct StageMetrics {
    stage: Stage,
    all: Arc<Metrics>,
    /// Messages read.
    pub messages_in: IntCounter,
    /// Bytes of the values read.
    pub bytes_in: IntCounter,
    /// Messages written, dead letters not counted.
    pub messages_out: IntCounter,
    /// Bytes of the values written.
    pub bytes_out: IntCounter,
    /// Seconds of work on a batch.
    pub processing: Histogram,
    /// Messages in a batch.
    pub batch: Histogram,
    /// Messages of the input not yet committed.
    pub lag: IntGauge,
    /// Age in seconds of the oldest of them.
    pub lag_seconds: Gauge,
    /// Seconds spent waiting for the stage's own rate limit.
    pub limit_wait: prometheus::Counter,
    /// Work begun and not yet committed.
    pub in_flight: IntGauge,
    /// Work begun anew after a transient failure.
    pub retries: IntCounter,
    /// Seconds of a commit.
    pub commit_seconds: Histogram,
    /// Input partitions that this process owns.
    pub partitions: IntGauge,
    /// 1 while the stage has stopped because too much of its input became dead letters.
    pub breaker: IntGauge,
}

/// Metrics of one of the sinks; cheap to clone.
#[derive(Debug, Clone)]
pub struct SinkMetrics {
    rows: IntCounter,
    seconds: Histogram,
    errors: IntCounter,
    held: IntGauge,
}

impl SinkMetrics {
    /// Counts a batch that is stored: how many of its rows were new, and the seconds that it took.
    pub fn stored(&self, rows: u64, seconds: f64) {
        self.rows.inc_by(rows);
        self.seconds.observe(seconds);
        self.held.set(0);
    }

    /// Counts a batch that could not be stored; it will come again.
    pub fn failed(&self) {
        self.errors.inc();
        self.held.set(1);
    }
}

/// Metrics of the console; cheap to clone.
#[derive(Debug, Clone)]
pub struct ConsoleMetrics {
    pub(crate) requests: IntCounterVec,
    pub(crate) seconds: HistogramVec,
    pub(crate) streams: IntGauge,
}

/// Seconds since 1970.
fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

/// Results of a commit, as labels.
const COMMIT_RESULTS: [&str; 3] = ["committed", "rewound", "fenced"];

/// What the console usually answers, as labels.
const CONSOLE_STATUSES: [&str; 6] = ["200", "303", "304", "404", "500", "503"];

impl Metrics {
    /// Declares every metric.
    #[allow(clippy::too_many_lines, reason = "a table, one line a metric")]
    pub fn new() -> Arc<Self> {
        let b = Builder(Registry::new());
        let metrics = Self {
            messages_in: b.counters("telex_messages_in_total", "Messages read by a stage.", &["stage"]),
            bytes_in: b.counters(
                "telex_bytes_in_total",
                "Bytes of values read by a stage.",
                &["stage"],
            ),
            messages_out: b.counters(
                "telex_messages_out_total",
                "Messages written by a stage, dead letters not counted.",
                &["stage"],
            ),
            bytes_out: b.counters(
                "telex_bytes_out_total",
                "Bytes of values written by a stage.",
                &["stage"],
            ),
            dropped: b.counters(
                "telex_dropped_total",
                "Messages that a stage dropped on purpose, by reason.",
                &["stage", "reason"],
            ),
            dead_lettered: b.counters(
                "telex_dead_letters_total",
                "Messages that a stage could not process, by reason.",
                &["stage", "reason"],
            ),
            processing: b.histograms(
                "telex_processing_seconds",
                "Seconds of work on a batch.",
                &["stage"],
                &WORK_SECONDS,
            ),
            batch: b.histograms(
                "telex_batch_messages",
                "Messages in a batch.",
                &["stage"],
                &BATCH_SIZES,
            ),
            lag: b.gauges(
                "telex_lag_messages",
                "Messages of a stage's input not yet committed.",
                &["stage"],
            ),
            lag_seconds: b.float_gauges(
                "telex_lag_seconds",
                "Age of the oldest message not yet committed.",
                &["stage"],
            ),
            limit_wait: b.float_counters(
                "telex_rate_limit_wait_seconds_total",
                "Seconds waited for the rate limit of a stage.",
                &["stage"],
            ),
            in_flight: b.gauges("telex_in_flight", "Work begun and not yet committed.", &["stage"]),
            retries: b.counters(
                "telex_retries_total",
                "Work begun anew after a transient failure.",
                &["stage"],
            ),
            commits: b.counters(
                "telex_commits_total",
                "Transactions by result.",
                &["stage", "result"],
            ),
            commit_seconds: b.histograms(
                "telex_commit_seconds",
                "Seconds of a transaction's commit.",
                &["stage"],
                &WORK_SECONDS,
            ),
            partitions: b.gauges(
                "telex_assigned_partitions",
                "Input partitions that this process owns.",
                &["stage"],
            ),
            breaker: b.gauges(
                "telex_breaker_open",
                "1 while too many dead letters hold a stage.",
                &["stage"],
            ),
            requests: b.counters(
                "telex_http_requests_total",
                "HTTP requests by outcome.",
                &["stage", "outcome"],
            ),
            request_seconds: b.histograms(
                "telex_http_request_seconds",
                "Seconds of an HTTP request with its redirects.",
                &["stage"],
                &REQUEST_SECONDS,
            ),
            body_bytes: b.counters(
                "telex_http_body_bytes_total",
                "Bytes received as bodies, before decompression.",
                &["stage"],
            ),
            host_wait: b.histograms(
                "telex_host_limit_wait_seconds",
                "Seconds that due work waited for its host's limit.",
                &["stage"],
                &REQUEST_SECONDS,
            ),
            feeds: b.gauges("telex_feeds", "Feeds by health.", &["health"]),
            polls: b.counters("telex_polls_total", "Polls of feeds by outcome.", &["outcome"]),
            missed_items: b.counter(
                "telex_missed_items_total",
                "Items estimated to have come and gone between two polls of their feed.",
            ),
            feed_repairs: b.counter("telex_feed_repairs_total", "Repairs made to damaged feeds."),
            websub_callbacks: b.counters(
                "telex_websub_callbacks_total",
                "Calls of WebSub hubs by outcome.",
                &["outcome"],
            ),
            websub_requests: b.counters(
                "telex_websub_requests_total",
                "Requests to WebSub hubs by outcome.",
                &["outcome"],
            ),
            frontier_pending: b.gauge("telex_frontier_pending", "Articles waiting to be fetched."),
            frontier_done: b.gauge("telex_frontier_done", "Done records held in memory."),
            frontier_waiting_bytes: b.gauge(
                "telex_frontier_waiting_bytes",
                "Bytes of waiting articles held in memory; bounded by fetcher.max_waiting_bytes.",
            ),
            limited_hosts: b.gauge("telex_limited_hosts", "Hosts known to the rate limiter."),
            robots_cached: b.gauge("telex_robots_cached", "Robots.txt files in the cache."),
            tagged: b.counters("telex_tagged_total", "Tagged articles by tag.", &["tag"]),
            kinds: b.counters("telex_articles_total", "Cleaned articles by kind.", &["kind"]),
            published_to_tagged: b.histogram(
                "telex_published_to_tagged_seconds",
                "Seconds from publication to tag.",
                &WAY_SECONDS,
            ),
            seen_to_tagged: b.histogram(
                "telex_seen_to_tagged_seconds",
                "Seconds from first seen to tag.",
                &WAY_SECONDS,
            ),
            topic_files_broken: b.gauge(
                "telex_topic_files_broken",
                "1 while changed topic files are wrong and those before stay in use.",
            ),
            canaries: b.counters(
                "telex_canaries_total",
                "Canaries that the poller put in, stages passed on and the sink saw arrive.",
                &["stage"],
            ),
            canary_put_in: b.float_gauge(
                "telex_canary_put_in_timestamp_seconds",
                "When the newest canary that arrived was put in; the sink's start until one has; 0 in other stages.",
            ),
            canary_way: b.histogram(
                "telex_canary_way_seconds",
                "Seconds of a canary from the poller to the sink.",
                &WAY_SECONDS,
            ),
            sink_rows: b.counters(
                "telex_sink_rows_total",
                "Articles and withdrawals that a sink has stored.",
                &["sink"],
            ),
            sink_seconds: b.histograms(
                "telex_sink_store_seconds",
                "Seconds that a sink took to store a batch.",
                &["sink"],
                &WORK_SECONDS,
            ),
            sink_errors: b.counters(
                "telex_sink_errors_total",
                "Batches that a sink could not store; they come again.",
                &["sink"],
            ),
            sink_held: b.gauges(
                "telex_sink_held",
                "1 from a batch that a sink could not store to the next that it could.",
                &["sink"],
            ),
            bus_bytes: b.gauge("telex_bus_bytes", "Bytes of the embedded bus on disk."),
            bus_limit_bytes: b.gauge("telex_bus_limit_bytes", "Bytes that the embedded bus may take."),
            bus_tail_bytes: b.gauge(
                "telex_bus_tail_bytes",
                "Bytes of committed messages held in memory.",
            ),
            ready: b.gauge("telex_ready", "1 while the process is ready, as /readyz tells."),
            registry: b.0.clone(),
        };
        let build = b.gauges(
            "telex_build_info",
            "Always 1; the version is the label.",
            &["version"],
        );
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        // Memory, processor time, open files, start, under the names that all Prometheus clients use.
        if let Err(error) = b.0.register(Box::new(ProcessCollector::for_self())) {
            tracing::error!(%error, "the process cannot be measured");
        }
        for stage in Stage::ALL {
            drop(metrics.canaries.with_label_values(&[stage.name()]));
        }
        Arc::new(metrics)
    }

    /// Counts a canary in a stage.
    pub fn canary(&self, stage: Stage) {
        self.canaries.with_label_values(&[stage.name()]).inc();
    }

    /// Canaries that a stage has counted.
    pub fn canaries(&self, stage: Stage) -> u64 {
        self.canaries.with_label_values(&[stage.name()]).get()
    }

    /// Has the age of canaries count from then on.
    pub fn canary_expected(&self, since: Timestamp) {
        self.canary_put_in.set(seconds(since));
    }

    /// Takes in that a canary has arrived. One that was overtaken by a later one, or comes again, says nothing new.
    pub fn canary_arrived(&self, put_in: Timestamp, now: Timestamp) {
        let newest = self.canary_put_in.get();
        self.canary(Stage::Sink);
        if seconds(put_in) > newest {
            self.canary_put_in.set(seconds(put_in));
            self.canary_way
                .observe(now.duration_since(put_in).as_secs_f64().max(0.0));
        }
    }

    /// Gives the metrics of a stage; each reason gets its series at 0.
    pub fn stage(
        self: &Arc<Self>,
        stage: Stage,
        drop_reasons: &[&str],
        dead_reasons: &[&str],
    ) -> StageMetrics {
        let label = [stage.name()];
        for reason in drop_reasons {
            self.dropped.with_label_values(&[stage.name(), reason]);
        }
        for reason in dead_reasons {
            self.dead_lettered.with_label_values(&[stage.name(), reason]);
        }
        for result in COMMIT_RESULTS {
            self.commits.with_label_values(&[stage.name(), result]);
        }
        StageMetrics {
            stage,
            messages_in: self.messages_in.with_label_values(&label),
            bytes_in: self.bytes_in.with_label_values(&label),
            messages_out: self.messages_out.with_label_values(&label),
            bytes_out: self.bytes_out.with_label_values(&label),
            processing: self.processing.with_label_values(&label),
            batch: self.batch.with_label_values(&label),
            lag: self.lag.with_label_values(&label),
            lag_seconds: self.lag_seconds.with_label_values(&label),
            limit_wait: self.limit_wait.with_label_values(&label),
            in_flight: self.in_flight.with_label_values(&label),
            retries: self.retries.with_label_values(&label),
            commit_seconds: self.commit_seconds.with_label_values(&label),
            partitions: self.partitions.with_label_values(&label),
            breaker: self.breaker.with_label_values(&label),
            all: Arc::clone(self),
        }
    }

    /// Gives the metrics of a sink.
    pub fn sink(&self, name: &str) -> SinkMetrics {
        let label = [name];
        SinkMetrics {
            rows: self.sink_rows.with_label_values(&label),
            seconds: self.sink_seconds.with_label_values(&label),
            errors: self.sink_errors.with_label_values(&label),
            held: self.sink_held.with_label_values(&label),
        }
    }

    /// Declares the metrics of the console, once, in a process that has one: that they are there says that it is.
    pub fn console(&self) -> ConsoleMetrics {
        let b = Builder(self.registry.clone());
        let requests = b.counters(
            "telex_console_requests_total",
            "Requests to the console by status.",
            &["status"],
        );
        for status in CONSOLE_STATUSES {
            requests.with_label_values(&[status]);
        }
        ConsoleMetrics {
            requests,
            seconds: b.histograms(
                "telex_console_request_seconds",
                "Seconds from a request to the head of its answer, by route.",
                &["route"],
                &REQUEST_SECONDS,
            ),
            streams: b.gauge(
                "telex_console_streams",
                "Streams of server-sent events that are read.",
            ),
        }
    }

    /// Shows how much of the embedded bus is in use: bytes on disk, bytes it may take, bytes held in memory.
    pub fn bus_usage(&self, bytes: u64, limit: u64, tail: u64) {
        for (gauge, n) in [
            (&self.bus_bytes, bytes),
            (&self.bus_limit_bytes, limit),
            (&self.bus_tail_bytes, tail),
        ] {
            gauge.set(i64::try_from(n).unwrap_or(i64::MAX));
        }
    }

    /// Writes all metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        let mut out = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut out) {
            tracing::error!(%error, "metrics could not be written");
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl StageMetrics {
    /// The stage that they belong to.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The whole catalogue.
    pub fn all(&self) -> &Arc<Metrics> {
        &self.all
    }

    /// Counts a dropped message.
    pub fn dropped(&self, reason: &str) {
        self.all
            .dropped
            .with_label_values(&[self.stage.name(), reason])
            .inc();
    }

    /// Counts a dead letter.
    pub fn dead_lettered(&self, reason: &str) {
        self.all
            .dead_lettered
            .with_label_values(&[self.stage.name(), reason])
            .inc();
    }

    /// Messages dropped and dead letters so far, whatever the reason.
    pub fn losses(&self) -> (u64, u64) {
        let sum = |counters: &IntCounterVec| {
            let of_stage = |m: &&prometheus::proto::Metric| {
                m.get_label()
                    .iter()
                    .any(|l| l.name() == "stage" && l.value() == self.stage.name())
            };
            let families = counters.collect();
            let metrics = families.iter().flat_map(|f| f.get_metric()).filter(of_stage);
            // Counts stay far below 2^53.
            metrics.map(|m| m.get_counter().get_value()).sum::<f64>() as u64
        };
        (sum(&self.all.dropped), sum(&self.all.dead_lettered))
    }

    /// Counts a commit by its result.
    pub fn commit(&self, result: &str) {
        self.all
            .commits
            .with_label_values(&[self.stage.name(), result])
            .inc();
    }

    /// Declares the outcomes of requests, so that each series exists at 0.
    pub fn declare_requests(&self, outcomes: &[&str]) {
        for outcome in outcomes {
            self.all.requests.with_label_values(&[self.stage.name(), outcome]);
        }
        self.all.request_seconds.with_label_values(&[self.stage.name()]);
        self.all.body_bytes.with_label_values(&[self.stage.name()]);
        self.all.host_wait.with_label_values(&[self.stage.name()]);
    }

    /// Counts an HTTP request: its outcome, its seconds and the bytes of its body on the wire.
    pub fn request(&self, outcome: &str, seconds: f64, bytes: u64) {
        let label = [self.stage.name()];
        self.all
            .requests
            .with_label_values(&[self.stage.name(), outcome])
            .inc();
        self.all
            .request_seconds
            .with_label_values(&label)
            .observe(seconds);
        self.all.body_bytes.with_label_values(&label).inc_by(bytes);
    }

    /// Counts the seconds that due work waited for its host.
    pub fn host_waited(&self, seconds: f64) {
        self.all
            .host_wait
            .with_label_values(&[self.stage.name()])
            .observe(seconds);
    }
}

/// Declares metrics. Names and labels are literals of this file, so a failure is a defect that the unit test
/// below meets first; it is logged rather than allowed to end a pipeline.
struct Builder(Registry);

impl Builder {
    fn register<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        #[allow(
            clippy::expect_used,
            reason = "names are literals of this file; the unit test declares all of them"
        )]
        let metric = made.expect("a valid metric");
        if let Err(error) = self.0.register(Box::new(metric.clone())) {
            tracing::error!(%error, "a metric was declared twice");
        }
        metric
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn float_counters(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::CounterVec {
        self.register(prometheus::CounterVec::new(Opts::new(name, help), labels))
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn float_gauges(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.register(GaugeVec::new(Opts::new(name, help), labels))
    }

    fn float_gauge(&self, name: &str, help: &str) -> Gauge {
        self.register(Gauge::new(name, help))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::new(name, help))
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        self.register(HistogramVec::new(
            HistogramOpts::new(name, help).buckets(buckets.to_vec()),
            labels,
        ))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.register(Histogram::with_opts(
            HistogramOpts::new(name, help).buckets(buckets.to_vec()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_of_a_stage_exists_at_zero() {
        let metrics = Metrics::new();
        let stage = metrics.stage(Stage::Cleaner, &["empty"], &["invalid_json"]);
        let text = metrics.render();
        for line in [
            "telex_messages_in_total{stage=\"cleaner\"} 0",
            "telex_dropped_total{reason=\"empty\",stage=\"cleaner\"} 0",
            "telex_dead_letters_total{reason=\"invalid_json\",stage=\"cleaner\"} 0",
            "telex_lag_seconds{stage=\"cleaner\"} 0",
            "telex_commits_total{result=\"rewound\",stage=\"cleaner\"} 0",
            "telex_seen_to_tagged_seconds_count 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
        metrics.sink("sqlite");
        let text = metrics.render();
        for line in [
            "telex_sink_rows_total{sink=\"sqlite\"} 0",
            "telex_sink_held{sink=\"sqlite\"} 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
        stage.dropped("empty");
        assert!(
            metrics
                .render()
                .contains("telex_dropped_total{reason=\"empty\",stage=\"cleaner\"} 1")
        );
    }

    #[test]
    fn only_a_process_with_a_console_tells_of_one() {
        let metrics = Metrics::new();
        assert!(!metrics.render().contains("telex_console"));
        metrics.console();
        let text = metrics.render();
        assert!(text.contains("\ntelex_console_streams 0\n"));
        assert!(text.contains("\ntelex_console_requests_total{status=\"503\"} 0\n"));
    }
}
