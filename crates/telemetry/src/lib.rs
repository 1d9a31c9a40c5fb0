//! The metric catalogue, health, a small HTTP server and the set-up of structured logs.
//!
//! Every metric of the program is declared in [`Metrics`], so that dashboards and alerts can be checked against
//! one place; every series exists at 0 from the start, so that the first failure is seen as an increase.

mod health;
mod http;
mod log;
mod metrics;
mod requests;
mod serve;

pub use health::{Health, StageHealth};
pub use http::{serve_few, serve_http};
pub use log::{LogFormat, LogInitError, init as init_log};
pub use metrics::{ConsoleMetrics, Metrics, SinkMetrics, StageMetrics};
pub use requests::measured;
pub use serve::{ServeError, serve};
