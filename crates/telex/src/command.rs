//! The commands.

mod articles;
mod ask;
mod backup;
mod bench;
mod check;
mod config;
mod console;
mod dead_letters;
mod demo;
mod doctor;
mod explain;
mod feeds;
mod health;
mod import;
mod labelled;
mod live;
mod replay;
mod rights;
mod rows;
mod run;
mod sink;
mod tap;
mod top;
mod topic_files;
mod topics;
mod trace;

use std::path::PathBuf;

use clap::CommandFactory;
use serde_json::Value;
use telex_telemetry::LogFormat;

use crate::cli::{Cli, Command, Global, OutputFormat, RunArgs, TopicsCommand};
use crate::config::{self as settings, Config, Layers};
use crate::error::CliError;
use crate::output;

/// What every command has at hand.
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) layers: Layers,
    pub(crate) output: OutputFormat,
}

/// Runs a command.
pub(crate) fn run(cli: Cli) -> Result<(), CliError> {
    match cli.command {
        // These need no configuration, so a broken one does not keep them from working.
        Command::ParseFeed(args) => rows::parse_feed(&args),
        Command::Clean(args) => rows::clean(&args),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "telex", &mut text);
            output::write(&text)
        }
        Command::Schema(args) => schema(args.name.as_deref()),
        Command::Config(crate::cli::ConfigCommand::Init) => config::init(),
        Command::Config(crate::cli::ConfigCommand::Schema) => output::json(&schemars::schema_for!(Config)),
        command => with_config(&cli.global, command),
    }
}

fn with_config(global: &Global, command: Command) -> Result<(), CliError> {
    let context = load(global, &command)?;
    let format = match context.config.log.format {
        settings::LogFormat::Text => LogFormat::Text,
        settings::LogFormat::Json => LogFormat::Json,
    };
    let colors = output::person_watches() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    telex_telemetry::init_log(&context.config.log.filter, format, colors)
        .map_err(|e| CliError::Config(format!("log.filter: {}", crate::error::chain(&e))))?;
    match command {
        Command::Run(args) => run::run(&context, &args),
        Command::Demo(args) => demo::run(context, &args),
        Command::Articles(args) => articles::run(&context, &args),
        Command::Sink(args) => sink::run(&context, &args),
        Command::Backup { folder } => backup::run(&context, &folder),
        Command::Trace(args) => trace::run(&context, &args),
        Command::Tap(args) => tap::run(&context, &args),
        Command::Feeds(args) => feeds::run(&context, args),
        Command::DeadLetters(args) => dead_letters::run(&context, args),
        Command::Import(args) => import::run(&context, &args),
        Command::Replay(args) => replay::run(&context, &args),
        Command::Topics(TopicsCommand::Rights(args)) => rights::run(&context, &args),
        Command::Topics(TopicsCommand::Train(args)) => topic_files::train(&context, &args),
        Command::Topics(TopicsCommand::Test(args)) => topic_files::test(&context, &args),
        Command::Topics(TopicsCommand::Diff(args)) => topic_files::diff(&context, &args),
        Command::Topics(args) => topics::run(&context, &args),
        Command::Classify(args) => rows::classify(&context, &args),
        Command::Check(args) => check::run(&context, &args),
        Command::Bench(args) => bench::run(&context, &args),
        Command::Doctor => doctor::run(&context),
        Command::Config(args) => config::run(&context, &args),
        Command::Top(args) => top::run(&context, &args),
        Command::Health(args) => health::run(&context, &args),
        // Done before the configuration was read.
        Command::ParseFeed(_) | Command::Clean(_) | Command::Schema(_) | Command::Completions { .. } => {
            Ok(())
        }
    }
}

/// Puts the configuration together: flag before environment before file before default.
fn load(global: &Global, command: &Command) -> Result<Context, CliError> {
    let mut layers = Layers::new();
    let default = PathBuf::from("telex.toml");
    match &global.config {
        Some(path) => layers.file(path),
        None if default.exists() => layers.file(&default),
        None => {}
    }
    layers.environment(
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))),
    );
    flags(&mut layers, global, command);
    let config = layers.config()?;
    Ok(Context {
        config,
        layers,
        output: global.output,
    })
}

/// Lays flags over what is there.
fn flags(layers: &mut Layers, global: &Global, command: &Command) {
    let mut flag = |name: &str, path: &[&str], value: Option<Value>| {
        if let Some(value) = value {
            layers.flag(name, path, value);
        }
    };
    let text = |t: &dyn std::fmt::Display| Value::String(t.to_string());
    flag(
        "--data-dir",
        &["data_dir"],
        global.data_dir.as_ref().map(|p| text(&p.display())),
    );
    flag(
        "--bus",
        &["bus", "kind"],
        global.bus.map(|b| serde_json::to_value(b).unwrap_or_default()),
    );
    flag(
        "--brokers",
        &["bus", "brokers"],
        global.brokers.as_ref().map(|b| text(b)),
    );
    flag(
        "--topic-prefix",
        &["bus", "topic_prefix"],
        global.topic_prefix.as_ref().map(|p| text(p)),
    );
    flag("--log", &["log", "filter"], global.log.as_ref().map(|l| text(l)));
    flag(
        "--log-format",
        &["log", "format"],
        global
            .log_format
            .map(|f| serde_json::to_value(f).unwrap_or_default()),
    );
    of_command(layers, command);
}

/// Lays the flags of one command over what is there.
fn of_command(layers: &mut Layers, command: &Command) {
    let mut flag = |name: &str, path: &[&str], value: Option<Value>| {
        if let Some(value) = value {
            layers.flag(name, path, value);
        }
    };
    let text = |t: &dyn std::fmt::Display| Value::String(t.to_string());
    let cidrs =
        |list: &[ipnet::IpNet]| (!list.is_empty()).then(|| list.iter().map(|n| text(n)).collect::<Value>());
    match command {
        Command::Run(RunArgs {
            feeds,
            fetch,
            allow_address,
            metrics_listen,
            console_listen,
            ..
        }) => {
            flag(
                "--feeds",
                &["poller", "feeds"],
                feeds.as_ref().map(|p| text(&p.display())),
            );
            flag(
                "--fetch",
                &["fetcher", "fetch"],
                fetch.map(|f| serde_json::to_value(f).unwrap_or_default()),
            );
            flag(
                "--allow-address",
                &["web", "allow_addresses"],
                cidrs(allow_address),
            );
            flag(
                "--metrics-listen",
                &["metrics", "listen"],
                metrics_listen.as_ref().map(|a| text(a)),
            );
            flag(
                "--console-listen",
                &["console", "listen"],
                console_listen.as_ref().map(|a| text(a)),
            );
        }
        Command::Feeds(
            crate::cli::FeedsCommand::Test { allow_address, .. }
            | crate::cli::FeedsCommand::Discover { allow_address, .. },
        ) => {
            flag(
                "--allow-address",
                &["web", "allow_addresses"],
                cidrs(allow_address),
            );
        }
        _ => {}
    }
}

fn schema(name: Option<&str>) -> Result<(), CliError> {
    match name {
        Some(crate::cli::ASYNCAPI) => output::json(&telex_model::asyncapi()),
        Some(name) => output::json(&telex_model::schema(name)),
        None => telex_model::SCHEMAS
            .iter()
            .chain([&crate::cli::ASYNCAPI])
            .try_for_each(|name| output::line(name)),
    }
}
