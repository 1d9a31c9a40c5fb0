//! Files that have their name only when they are whole and on disk.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Has `write` write a file under its name with `suffix`, and then gives it its name, in place of an older one.
///
/// # Errors
/// What could not be done; the older one is there then, and what was written remains beside it.
pub(crate) fn replace<E: From<io::Error>>(
    path: &Path,
    suffix: &str,
    write: impl FnOnce(File) -> Result<File, E>,
) -> Result<(), E> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(suffix);
    let fresh = PathBuf::from(fresh);
    write(File::create(&fresh)?)?.sync_all()?;
    std::fs::rename(&fresh, path)?;
    File::open(folder_of(path))?.sync_all()?;
    Ok(())
}

/// Gives the folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
