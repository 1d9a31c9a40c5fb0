//! `telex top`: the stages of a running pipeline, live, as their metrics tell it.
//!
//! Asks the processes themselves, so that it also works where no Prometheus does. Rejected: reading the bus, which
//! knows what waits, though not what fails, is dropped or limited.

mod sample;
mod screen;
mod view;

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use self::sample::Sample;
use self::screen::Theme;
use self::view::View;
use super::Context;
use crate::cli::{OutputFormat, TopArgs};
use crate::error::CliError;
use crate::output;

/// Shows the pipeline until it is told to end; without a terminal, or for programs, once.
pub(crate) fn run(context: &Context, args: &TopArgs) -> Result<(), CliError> {
    let mut addresses = args.addresses.clone();
    if addresses.is_empty() {
        addresses.extend(
            context
                .config
                .metrics
                .listen
                .map(|a| super::health::reachable(a).to_string()),
        );
    }
    if addresses.is_empty() {
        return Err(CliError::Usage(
            "no address: give --address HOST:PORT of each process, or set metrics.listen as for the pipeline"
                .to_owned(),
        ));
    }
    let every = Duration::from_secs_f64(args.every);
    if args.once || context.output == OutputFormat::Json || !std::io::stdout().is_terminal() {
        return once(context, &addresses, every);
    }
    let mut terminal = ratatui::try_init().map_err(output::broken)?;
    let ended = watch(&mut terminal, &addresses, every);
    ratatui::restore();
    ended
}

/// Looks twice and prints what happened in between.
fn once(context: &Context, addresses: &[String], every: Duration) -> Result<(), CliError> {
    let before = Sample::take(addresses);
    std::thread::sleep(every);
    let view = seen(&before, &Sample::take(addresses));
    if context.output == OutputFormat::Json {
        output::json(&view)?;
    } else {
        output::line(&screen::text(&view)?)?;
    }
    if view.processes > 0 {
        return Ok(());
    }
    Err(CliError::Unavailable(view.problems.join("\n")))
}

fn seen(before: &Sample, now: &Sample) -> View {
    View::new(before, now, Timestamp::now().as_duration().as_secs_f64())
}

/// Draws until `q`, escape or ctrl-c.
fn watch(
    terminal: &mut ratatui::DefaultTerminal,
    addresses: &[String],
    every: Duration,
) -> Result<(), CliError> {
    let theme = Theme {
        colors: output::colors(),
    };
    let mut before = Sample::take(addresses);
    let mut view = seen(&before, &before);
    let mut paused = false;
    loop {
        let note = match paused {
            true => "paused   q quit   space go on",
            false => "q quit   space pause",
        };
        terminal
            .draw(|frame| screen::draw(frame, &view, theme, note))
            .map_err(output::broken)?;
        match wait(every)? {
            Some(Key::Quit) => return Ok(()),
            Some(Key::Pause) => paused = !paused,
            None if !paused => {
                let now = Sample::take(addresses);
                view = seen(&before, &now);
                before = now;
            }
            None => {}
        }
    }
}

enum Key {
    Quit,
    Pause,
}

/// Waits for a key that means something, at most so long; another size of the terminal ends the wait as well.
fn wait(every: Duration) -> Result<Option<Key>, CliError> {
    let until = Instant::now() + every;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if !event::poll(left).map_err(output::broken)? {
            return Ok(None);
        }
        match event::read().map_err(output::broken)? {
            Event::Key(key) if key.kind == KeyEventKind::Press => {
                if let Some(meant) = meant(key) {
                    return Ok(Some(meant));
                }
            }
            Event::Resize(..) => return Ok(None),
            _ => {}
        }
    }
}

fn meant(key: KeyEvent) -> Option<Key> {
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::Quit),
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Quit),
        KeyCode::Char(' ') => Some(Key::Pause),
        _ => None,
    }
}
