//! `telex backup`: copies what one machine keeps, also beside a running pipeline.

use std::path::Path;

use serde_json::json;

use super::Context;
use crate::cli::OutputFormat;
use crate::config::BusKind;
use crate::error::CliError;
use crate::output;

/// Copies the databases into a new folder.
pub(crate) fn run(context: &Context, folder: &Path) -> Result<(), CliError> {
    let data = &context.config.data_dir.0;
    // The bus first: a sink that is ahead of its bus knows what comes again, one that is behind would miss it.
    let names = ["bus.sqlite", "articles.sqlite"];
    let wanted = [
        context.config.bus.kind == BusKind::Sqlite,
        context.config.sink.sqlite,
    ];
    let files: Vec<&str> = names
        .into_iter()
        .zip(wanted)
        .filter(|(name, wanted)| *wanted && data.join(name).exists())
        .map(|(name, _)| name)
        .collect();
    if files.is_empty() {
        return Err(CliError::Unavailable(format!(
            "{} holds nothing to copy; choose another --data-dir (Kafka and PostgreSQL have backups of their own)",
            data.display()
        )));
    }
    if folder.exists() {
        return Err(CliError::Usage(format!(
            "{} exists and is not overwritten; name a folder that does not",
            folder.display()
        )));
    }
    let mut bytes = 0;
    // Whole, or not there.
    let failed = |e: std::io::Error| CliError::unavailable(folder.display(), &e);
    let above = folder.parent().filter(|p| !p.as_os_str().is_empty());
    let part = tempfile::Builder::new()
        .prefix(".telex-backup-")
        .tempdir_in(above.unwrap_or(Path::new(".")))
        .map_err(failed)?;
    for name in &files {
        bytes += telex_sink::copy_database(&data.join(name), &part.path().join(name))?;
    }
    std::fs::rename(part.path(), folder).map_err(failed)?;
    // It has moved: there is nothing left to remove.
    let _moved = part.keep();
    match context.output {
        OutputFormat::Json => output::json(&json!({"folder": folder, "files": files, "bytes": bytes})),
        OutputFormat::Text => output::line(&format!(
            "{} in {}, {} kB; to restore, run with --data-dir {}",
            files.join(" and "),
            folder.display(),
            bytes / 1000,
            folder.display()
        )),
    }
}
