//! What can go wrong with a request, for people as a page and for programs as problem+json (RFC 9457).

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// A request that could not be answered, and what the caller can do.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
}

/// A problem as RFC 9457 has it: the title is the status in words.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Problem {
    /// `about:blank`: the status says what sort of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong, and what to do.
    detail: String,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
        }
    }

    /// The caller asked for something that cannot be.
    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn missing(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Something that is needed is not there, or has no time.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// A defect of ours; the log has the rest.
    pub(crate) fn bug(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "the console failed");
        let detail = "a defect of Telex; its log says more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    pub(crate) fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }

    /// The answer for programs.
    pub(crate) fn problem(&self) -> Response {
        let problem = Problem {
            kind: "about:blank",
            title: self.title().to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
        };
        let body = telex_model::to_json(&problem);
        (
            self.status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            body,
        )
            .into_response()
    }
}

/// The status alone; [`crate::guard`] knows for whom the rest is to be written.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<telex_operate::OperateError> for Failure {
    fn from(error: telex_operate::OperateError) -> Self {
        use telex_operate::OperateError as Error;
        match error {
            Error::Wrong(what) => Self::bad(what),
            Error::Missing(what) => Self::missing(what),
            Error::Bus(error) => Self::unavailable(error.to_string()),
        }
    }
}

impl From<telex_sink::SinkError> for Failure {
    fn from(error: telex_sink::SinkError) -> Self {
        Self::unavailable(error.chain())
    }
}

impl From<telex_stream::BusError> for Failure {
    fn from(error: telex_stream::BusError) -> Self {
        Self::unavailable(error.to_string())
    }
}
