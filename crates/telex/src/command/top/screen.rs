//! The view on a terminal.

use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell as BufferCell};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table, Wrap};
use ratatui::{Frame, Terminal};

use super::view::{StageView, View};
use crate::error::CliError;
use crate::output::harmless;

/// Problems that are shown; the others are counted.
const PROBLEMS: usize = 6;

/// Size of the screen where there is no terminal.
const WIDTH: u16 = 100;
const HEIGHT: u16 = 40;

/// How things are coloured: not at all where `NO_COLOR` says so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme {
    pub(super) colors: bool,
}

impl Theme {
    fn of(self, color: Color) -> Style {
        if self.colors {
            Style::new().fg(color)
        } else {
            Style::new()
        }
    }

    fn when(self, bad: bool, color: Color) -> Style {
        if bad { self.of(color) } else { Style::new() }
    }

    fn head(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }
}

/// Draws everything, with a note in the last line.
pub(super) fn draw(frame: &mut Frame<'_>, view: &View, theme: Theme, note: &str) {
    let problems = problems(view, theme);
    let shown = problems.len().clamp(1, PROBLEMS + 1) as u16;
    let [head, wrong, stages, facts, foot] = Layout::vertical([
        Constraint::Length(1),
        // A problem may need two lines.
        Constraint::Length(if view.problems.is_empty() { 1 } else { 2 * shown }),
        Constraint::Length(view.stages.len() as u16 + 2),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let processes = match view.processes {
        1 => "1 process".to_owned(),
        n => format!("{n} processes"),
    };
    let title = Line::from(vec![
        Span::styled("telex top", theme.head()),
        Span::raw(format!("  {processes}")),
    ]);
    frame.render_widget(title, head);
    frame.render_widget(Paragraph::new(problems).wrap(Wrap { trim: true }), wrong);
    frame.render_widget(table(view, theme, stages.width), stages);
    frame.render_widget(Paragraph::new(details(view)).wrap(Wrap { trim: true }), facts);
    frame.render_widget(Line::from(note), foot);
}

/// Writes everything as lines of text.
pub(super) fn text(view: &View) -> Result<String, CliError> {
    let mut terminal =
        Terminal::new(TestBackend::new(WIDTH, HEIGHT)).map_err(|e| CliError::Bug(e.to_string()))?;
    terminal
        .draw(|frame| draw(frame, view, Theme { colors: false }, ""))
        .map_err(|e| CliError::Bug(e.to_string()))?;
    Ok(lines(terminal.backend().buffer())
        .join("\n")
        .trim_end()
        .to_owned())
}

/// The characters of a screen, line by line.
fn lines(buffer: &Buffer) -> Vec<String> {
    let lines = buffer.content().chunks(usize::from(buffer.area.width).max(1));
    lines
        .map(|line| line.iter().map(BufferCell::symbol).collect::<String>())
        .map(|line| line.trim_end().to_owned())
        .collect()
}

fn problems(view: &View, theme: Theme) -> Vec<Line<'static>> {
    if view.problems.is_empty() {
        return vec![Line::styled("nothing is wrong", theme.of(Color::Green))];
    }
    let style = theme.of(Color::Red);
    let mut lines: Vec<Line<'static>> = view
        .problems
        .iter()
        .take(PROBLEMS)
        .map(|problem| Line::styled(format!("! {}", harmless(problem)), style))
        .collect();
    let more = view.problems.len().saturating_sub(PROBLEMS);
    if more > 0 {
        lines.push(Line::styled(format!("! and {more} more"), style));
    }
    lines
}

/// A column of the table: its title, whether a narrow terminal has it too, and what a stage has there.
struct Column {
    title: &'static str,
    narrow: bool,
    cell: fn(&StageView, Theme) -> (String, Style),
}

const COLUMNS: [Column; 7] = [
    Column {
        title: "in/s",
        narrow: true,
        cell: |stage, _| (rate(stage.read), Style::new()),
    },
    Column {
        title: "out/s",
        narrow: true,
        cell: |stage, _| (rate(stage.written), Style::new()),
    },
    Column {
        title: "drop/s",
        narrow: false,
        cell: |stage, _| (rate(stage.dropped), Style::new()),
    },
    Column {
        title: "dead/s",
        narrow: false,
        cell: |stage, theme| {
            let style = theme.when(stage.dead_lettered > 0.0, Color::Red);
            (rate(stage.dead_lettered), style)
        },
    },
    Column {
        title: "waiting",
        narrow: true,
        cell: |stage, _| (format!("{:.0}", stage.waiting), Style::new()),
    },
    Column {
        title: "lag",
        narrow: true,
        cell: |stage, theme| {
            let style = theme.when(stage.lag_seconds > 60.0, Color::Yellow);
            (duration(stage.lag_seconds), style)
        },
    },
    Column {
        title: "limited",
        narrow: false,
        cell: |stage, theme| {
            let style = theme.when(stage.limited > 0.5, Color::Yellow);
            (format!("{:.0} %", 100.0 * stage.limited.min(1.0)), style)
        },
    },
];

/// Width of the stages' names, and of a column with what parts it from the next.
const NAMES: u16 = 10;
const COLUMN: u16 = 8;

fn table(view: &View, theme: Theme, width: u16) -> Table<'static> {
    let wide = width >= NAMES + COLUMN * COLUMNS.len() as u16;
    let columns: Vec<&Column> = COLUMNS.iter().filter(|c| wide || c.narrow).collect();
    let right = |text: String, style| Cell::from(Line::styled(text, style).right_aligned());
    let titles = columns.iter().map(|c| right(c.title.to_owned(), Style::new()));
    let head = Row::new(std::iter::once(Cell::from("stage")).chain(titles)).style(theme.head());
    let rows = view.stages.iter().map(|stage| {
        let cells = columns.iter().map(|column| {
            let (text, style) = (column.cell)(stage, theme);
            right(text, style)
        });
        Row::new(std::iter::once(Cell::from(stage.stage)).chain(cells))
    });
    let mut widths = vec![Constraint::Length(NAMES)];
    widths.extend(columns.iter().map(|_| Constraint::Fill(1)));
    Table::new(rows, widths).header(head).column_spacing(1)
}

fn details(view: &View) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let listed = |map: &std::collections::BTreeMap<String, f64>, show: &dyn Fn(f64) -> String| {
        let parts: Vec<String> = map
            .iter()
            .map(|(k, v)| format!("{} {}", harmless(k), show(*v)))
            .collect();
        parts.join("   ")
    };
    let tags = listed(&view.tags_per_minute, &rate);
    lines.push(Line::from(format!("tagged a minute   {tags}")));
    let feeds = listed(&view.feeds, &|n| format!("{n:.0}"));
    lines.push(Line::from(format!("feeds             {feeds}")));
    let taken = match view.seen_to_tagged {
        None => "no article was tagged in between".to_owned(),
        Some(taken) => format!(
            "half within {}, 99 % within {}",
            duration(taken.p50),
            duration(taken.p99)
        ),
    };
    lines.push(Line::from(format!("seen to tagged    {taken}")));
    let canary = match view.canary_age {
        None => "none has come yet".to_owned(),
        Some(age) => format!("put in {} ago", duration(age)),
    };
    lines.push(Line::from(format!("last canary       {canary}")));
    lines
}

/// A rate in as few digits as tell it.
fn rate(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if v < 10.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// A time in its own unit.
fn duration(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() => "longer".to_owned(),
        s if s <= 0.0 => "0 s".to_owned(),
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::view::Taken;
    use super::*;

    fn view() -> View {
        let stage = |stage| StageView {
            stage,
            partitions: 12.0,
            read: 412.0,
            written: 3.25,
            dropped: 0.0,
            dead_lettered: 0.5,
            waiting: 1234.0,
            lag_seconds: 7300.0,
            limited: 0.75,
        };
        View {
            processes: 3,
            problems: Vec::new(),
            stages: ["poller", "fetcher", "cleaner", "classifier", "sink"]
                .map(stage)
                .into(),
            tags_per_minute: BTreeMap::from([("nato".to_owned(), 12.0), ("ukr\u{1b}aine".to_owned(), 0.0)]),
            feeds: BTreeMap::from([("failing".to_owned(), 2.0), ("healthy".to_owned(), 98.0)]),
            seen_to_tagged: Some(Taken {
                p50: 0.3,
                p99: f64::INFINITY,
            }),
            canary_age: Some(42.0),
        }
    }

    /// What a terminal of that size shows, line by line.
    fn shown(view: &View, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        let theme = Theme { colors: false };
        terminal
            .draw(|frame| draw(frame, view, theme, "q quit"))
            .expect("drawn");
        lines(terminal.backend().buffer())
    }

    #[test]
    fn a_terminal_shows_it_all() {
        let expected = [
            "telex top  3 processes",
            "nothing is wrong",
            "stage         in/s   out/s  drop/s  dead/s waiting     lag limited",
            "poller         412     3.2       0     0.5    1234     2 h    75 %",
            "fetcher        412     3.2       0     0.5    1234     2 h    75 %",
            "cleaner        412     3.2       0     0.5    1234     2 h    75 %",
            "classifier     412     3.2       0     0.5    1234     2 h    75 %",
            "sink           412     3.2       0     0.5    1234     2 h    75 %",
            "",
            "tagged a minute   nato 12   ukr aine 0",
            "feeds             failing 2   healthy 98",
            "seen to tagged    half within 300 ms, 99 % within longer",
            "last canary       put in 42 s ago",
            "q quit",
        ];
        assert_eq!(shown(&view(), 66, 14), expected);
    }

    #[test]
    fn problems_come_first_also_on_small_terminals() {
        let mut view = view();
        view.problems = (0..9).map(|n| format!("stage {n} is gone: start it")).collect();
        let lines = shown(&view, 40, 30);
        assert_eq!(lines[1], "! stage 0 is gone: start it");
        assert!(lines.contains(&"! and 3 more".to_owned()), "{lines:#?}");
        let table: Vec<&String> = lines
            .iter()
            .skip_while(|line| !line.starts_with("stage  "))
            .take(2)
            .collect();
        assert_eq!(
            table,
            [
                "stage         in/s  out/s waiting    lag",
                "poller         412    3.2    1234    2 h"
            ]
        );
        for (width, height) in [(1, 1), (10, 3), (20, 5), (400, 100)] {
            assert_eq!(shown(&view, width, height).len(), usize::from(height));
        }
    }
}
