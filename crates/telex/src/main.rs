//! The `telex` binary: command line, configuration, and the thin adapters from stages to pure crates.

mod cli;
mod command;
mod config;
mod error;
mod jsonl;
mod open;
mod output;
mod pipeline;
mod stage;

use std::process::ExitCode;

use clap::Parser;

/// Pages and feeds are made of many short texts, allocated on one thread and freed on another: the system's
/// allocator takes a fifth of the poller's time for that, this one a third of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { error::USAGE } else { 0 };
            // Nothing can be done where neither output nor error stream is there.
            return ExitCode::from(if error.print().is_ok() { code } else { error::BUG });
        }
    };
    match command::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.report();
            ExitCode::from(error.code())
        }
    }
}
