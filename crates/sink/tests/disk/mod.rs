//! A real disk that is small, for tests of what happens when it is full.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small disk, mounted on a folder until it goes.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// Mounts one; none where this user may not.
    pub(crate) fn mount(folder: &Path, megabytes: u32) -> Option<Self> {
        std::fs::create_dir_all(folder).expect("made");
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(folder)
            .output();
        if done.is_ok_and(|out| out.status.success()) {
            return Some(Self(folder.to_owned()));
        }
        let text = "A FULL DISK WAS NOT TESTED: only root may mount a small one\n";
        std::io::stderr().write_all(text.as_bytes()).unwrap_or_default();
        None
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Leaves no room for anything.
    pub(crate) fn fill(&self) {
        let mut file = File::create(self.ballast()).expect("made");
        let error = loop {
            if let Err(error) = file.write_all(&[1; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    pub(crate) fn free(&self) {
        std::fs::remove_file(self.ballast()).expect("removed");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that is about to end may still be there.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}
