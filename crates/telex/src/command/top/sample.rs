//! What the processes of a pipeline tell of themselves at one moment.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Instant;

use crate::command::ask::ask;

/// Most processes behind one name.
const MAX_PROCESSES: usize = 64;

/// A series with its value.
#[derive(Debug, Clone, PartialEq)]
struct Series {
    labels: BTreeMap<String, String>,
    value: f64,
}

/// The metrics of all processes that answered, and why others did not.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) at: Instant,
    series: BTreeMap<String, Vec<Series>>,
    /// Processes that answered.
    pub(super) processes: usize,
    /// Addresses that did not, with the reason.
    pub(super) silent: Vec<String>,
}

impl Sample {
    /// Asks every process behind these addresses; a name may stand for several.
    pub(super) fn take(addresses: &[String]) -> Self {
        let mut sample = Self {
            at: Instant::now(),
            series: BTreeMap::new(),
            processes: 0,
            silent: Vec::new(),
        };
        let asked: Vec<(String, std::io::Result<String>)> = std::thread::scope(|scope| {
            let ask = |address: &String| match address.to_socket_addrs() {
                Err(error) => vec![(address.clone(), Err(error))],
                Ok(found) => {
                    let each = |at: SocketAddr| (at.to_string(), scope.spawn(move || metrics(at)));
                    let begun: Vec<_> = found.take(MAX_PROCESSES).map(each).collect();
                    let gone = |_| Err(Error::other("the question failed"));
                    begun
                        .into_iter()
                        .map(|(name, thread)| (name, thread.join().unwrap_or_else(gone)))
                        .collect()
                }
            };
            addresses.iter().flat_map(ask).collect()
        });
        for (address, answer) in asked {
            match answer {
                Ok(text) => sample.add(&text),
                Err(error) => sample.silent.push(format!("{address} does not answer: {error}")),
            }
        }
        sample
    }

    /// Adds what one process tells, in Prometheus' text format.
    pub(super) fn add(&mut self, text: &str) {
        self.processes += 1;
        for line in text.lines().filter(|line| line.starts_with("telex_")) {
            if let Some((name, series)) = parse(line) {
                self.series.entry(name.to_owned()).or_default().push(series);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn of(at: Instant, texts: &[&str]) -> Self {
        let mut sample = Self {
            at,
            series: BTreeMap::new(),
            processes: 0,
            silent: Vec::new(),
        };
        texts.iter().for_each(|text| sample.add(text));
        sample
    }

    fn of_label<'a>(
        &'a self,
        name: &str,
        label: Option<(&'a str, &'a str)>,
    ) -> impl Iterator<Item = f64> + 'a {
        let series = self.series.get(name).map(Vec::as_slice).unwrap_or_default();
        series
            .iter()
            .filter(move |s| label.is_none_or(|(key, value)| s.labels.get(key).is_some_and(|v| v == value)))
            .map(|s| s.value)
    }

    /// Sum over all processes, of series with that label where one is given.
    pub(super) fn sum(&self, name: &str, label: Option<(&str, &str)>) -> f64 {
        self.of_label(name, label).sum()
    }

    /// The greatest over all processes; 0 where there is none.
    pub(super) fn max(&self, name: &str, label: Option<(&str, &str)>) -> f64 {
        self.of_label(name, label).fold(0.0, f64::max)
    }

    /// Sums by the value of a label.
    pub(super) fn by(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for series in self.series.get(name).into_iter().flatten() {
            if let Some(value) = series.labels.get(label) {
                *sums.entry(value.clone()).or_default() += series.value;
            }
        }
        sums
    }
}

/// Reads a line such as `name{a="b",c="d"} 4`.
fn parse(line: &str) -> Option<(&str, Series)> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, rest)) = series.split_once('{') else {
        let labels = BTreeMap::new();
        return Some((series, Series { labels, value }));
    };
    let mut labels = BTreeMap::new();
    let mut rest = rest.strip_suffix('}')?;
    while !rest.is_empty() {
        let (key, after) = rest.split_once("=\"")?;
        let end = closing_quote(after)?;
        labels.insert(
            key.trim_start_matches(',').to_owned(),
            unescaped(after.get(..end)?),
        );
        rest = after.get(end + 1..)?;
    }
    Some((name, Series { labels, value }))
}

/// Where a label's value ends.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n")
        .replace("\\\"", "\"")
        .replace("\\\\", "\\")
}

fn metrics(address: SocketAddr) -> std::io::Result<String> {
    let answer = ask(address, "/metrics")?;
    let wrong = if !answer.is_fine() {
        answer.status
    } else if answer.body.contains("telex_build_info") {
        return Ok(answer.body);
    } else {
        "these are not the metrics of Telex".to_owned()
    };
    Err(Error::new(ErrorKind::InvalidData, wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_series_of_several_processes() {
        let one = "# HELP telex_x X.\ntelex_x{a=\"1\",b=\"q\\\"},{\"} 2\ntelex_y 1.5\nother 7\n";
        let sample = Sample::of(Instant::now(), &[one, "telex_x{a=\"2\",b=\"\"} 5\ntelex_y 3\n"]);
        assert_eq!(sample.processes, 2);
        assert_eq!(sample.sum("telex_x", None), 7.0);
        assert_eq!(sample.sum("telex_x", Some(("a", "2"))), 5.0);
        assert_eq!(
            (sample.sum("telex_y", None), sample.max("telex_y", None)),
            (4.5, 3.0)
        );
        assert_eq!(sample.by("telex_x", "b")["q\"},{"], 2.0);
        assert_eq!(sample.sum("other", None), 0.0);
        for broken in [
            "telex_x{",
            "telex_x{a=\"1} 2",
            "telex_x",
            "telex_x{a} 1",
            "telex_x 1 x",
        ] {
            assert_eq!(
                Sample::of(Instant::now(), &[broken]).sum("telex_x", None),
                0.0,
                "{broken}"
            );
        }
    }
}
