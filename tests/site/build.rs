//! Rebuilds the crate when a file of content is added or removed, which `include_dir` alone does not notice.
#![allow(
    clippy::print_stdout,
    reason = "standard output is how a build script speaks to cargo"
)]

fn main() {
    for folder in ["articles", "papers", "ui", "templates"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
