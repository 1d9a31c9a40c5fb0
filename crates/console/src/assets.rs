//! The style sheet and the script, under names that change with them, so that browsers keep them for good.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::failure::Failure;

/// A file that is served as it is.
#[derive(Debug)]
pub(crate) struct Asset {
    pub(crate) path: String,
    kind: &'static str,
    text: &'static str,
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("../assets/console.css");
    Asset::new("console", "css", "text/css; charset=utf-8", text)
});

static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("../assets/console.js");
    Asset::new("console", "js", "text/javascript; charset=utf-8", text)
});

static ICON: Asset = Asset {
    path: String::new(),
    kind: "image/svg+xml",
    text: include_str!("../assets/icon.svg"),
};

/// The style sheet.
pub(crate) fn style() -> &'static Asset {
    &STYLE
}

/// The script.
pub(crate) fn script() -> &'static Asset {
    &SCRIPT
}

impl Asset {
    fn new(name: &str, ending: &str, kind: &'static str, text: &'static str) -> Self {
        let hash: String = blake3::hash(text.as_bytes()).to_hex().chars().take(16).collect();
        Self {
            path: format!("/assets/{name}-{hash}.{ending}"),
            kind,
            text,
        }
    }

    fn response(&self, cached: &'static str) -> Response {
        let headers = [(header::CONTENT_TYPE, self.kind), (header::CACHE_CONTROL, cached)];
        (headers, self.text).into_response()
    }
}

/// Serves a file by its name.
pub(crate) async fn serve(Path(name): Path<String>) -> Result<Response, Failure> {
    let wanted = format!("/assets/{name}");
    let asset = [style(), script()].into_iter().find(|a| a.path == wanted);
    let asset = asset.ok_or_else(|| Failure::missing("there is no such file; load the page again"))?;
    Ok(asset.response("public, max-age=31536000, immutable"))
}

/// Serves the icon.
pub(crate) async fn icon() -> Response {
    ICON.response("public, max-age=86400")
}
