//! Puts the layers together and says where each value comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::{BusKind, Config};
use crate::error::CliError;

/// Prefix of environment variables; two underscores part sections and keys.
const ENV: &str = "TELEX__";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody set it.
    Default,
    /// The file, at that line.
    File(PathBuf, usize),
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// The layers, put together from below.
#[derive(Debug)]
pub(crate) struct Layers {
    value: Value,
    /// By the setting's dotted name.
    origins: BTreeMap<String, Origin>,
    problems: Vec<String>,
    schema: Value,
}

impl Layers {
    /// Begins with nothing set.
    pub(crate) fn new() -> Self {
        let schema = serde_json::to_value(schemars::schema_for!(Config)).unwrap_or_default();
        Self {
            value: Value::Object(serde_json::Map::new()),
            origins: BTreeMap::new(),
            problems: Vec::new(),
            schema,
        }
    }

    /// Lays a file over what is there.
    pub(crate) fn file(&mut self, path: &Path) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.problems.push(format!("{}: {error}", path.display()));
                return;
            }
        };
        match DeTable::parse(&text) {
            Ok(table) => self.table(path, &text, table.get_ref(), &mut Vec::new()),
            Err(error) => {
                let line = error.span().map_or(1, |span| line_of(&text, span.start));
                self.problems
                    .push(format!("{}:{line}: {}", path.display(), error.message()));
            }
        }
    }

    fn table(&mut self, path: &Path, text: &str, table: &DeTable<'_>, above: &mut Vec<String>) {
        for (key, value) in table {
            above.push(key.get_ref().to_string());
            match value.get_ref() {
                DeValue::Table(inner) => self.table(path, text, inner, above),
                other => {
                    let origin = Origin::File(path.to_owned(), line_of(text, key.span().start));
                    self.set(above.clone(), json(other), origin);
                }
            }
            above.pop();
        }
    }

    /// Lays environment variables over what is there; `..._FILE` names a file that holds the value.
    pub(crate) fn environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        let mut variables: Vec<_> = variables.filter(|(name, _)| name.starts_with(ENV)).collect();
        variables.sort();
        for (name, raw) in variables {
            let mut raw = raw;
            let mut key = name.trim_start_matches(ENV);
            if let Some(rest) = key.strip_suffix("_FILE") {
                key = rest;
                match std::fs::read_to_string(&raw) {
                    Ok(text) => raw = text.trim_end().to_owned(),
                    Err(error) => {
                        self.problems.push(format!("environment {name}: {raw}: {error}"));
                        continue;
                    }
                }
            }
            let path: Vec<String> = key.split("__").map(str::to_ascii_lowercase).collect();
            let path = match self.free_table(&path) {
                // Names of variables cannot hold dots.
                Some(n) => path
                    .iter()
                    .take(n)
                    .cloned()
                    .chain(path.iter().skip(n).map(|k| k.replace('_', ".")))
                    .collect(),
                None => path,
            };
            let value = self.typed(&path, &raw);
            self.set(path, value, Origin::Environment(name));
        }
    }

    /// Sets one value by a flag.
    pub(crate) fn flag(&mut self, name: &str, path: &[&str], value: Value) {
        self.set(
            path.iter().map(|p| (*p).to_owned()).collect(),
            value,
            Origin::Flag(name.to_owned()),
        );
    }

    /// Reads text as the type that the schema wants.
    fn typed(&self, path: &[String], raw: &str) -> Value {
        let wants_text = self
            .property(path)
            .is_some_and(|p| p.get("type").is_some_and(|t| t == "string"));
        // There every value is text in the end.
        if wants_text || self.free_table(path).is_some() {
            return Value::String(raw.to_owned());
        }
        let wrapped = format!("v = {raw}");
        let parsed = DeTable::parse(&wrapped)
            .ok()
            .and_then(|t| Some(json(t.get_ref().get("v")?.get_ref())));
        parsed.unwrap_or_else(|| Value::String(raw.to_owned()))
    }

    fn set(&mut self, mut path: Vec<String>, value: Value, origin: Origin) {
        // Keys with dots are one key there, however the file writes them.
        if let Some(n) = self.free_table(&path) {
            let key = path.split_off(n).join(".");
            path.push(key);
        }
        if self.property(&path).is_none() {
            let dotted = path.join(".");
            let meant = self
                .nearest(&path)
                .map(|near| format!("; did you mean {near}?"))
                .unwrap_or_default();
            self.problems
                .push(format!("{origin}: there is no setting {dotted}{meant}"));
            return;
        }
        let mut place = &mut self.value;
        for key in &path {
            let Value::Object(map) = place else { return };
            place = map
                .entry(key.clone())
                .or_insert_with(|| Value::Object(serde_json::Map::new()));
        }
        *place = value;
        self.origins.insert(path.join("."), origin);
    }

    /// The schema of a setting.
    fn property(&self, path: &[String]) -> Option<&Value> {
        let mut here = &self.schema;
        for key in path {
            let schema = self.resolve(here)?;
            let named = schema.get("properties").and_then(|p| p.get(key));
            here = named.or_else(|| schema.get("additionalProperties").filter(|s| s.is_object()))?;
        }
        self.resolve(here)
    }

    /// Length of the path of the table with free keys that this path leads into.
    fn free_table(&self, path: &[String]) -> Option<usize> {
        let free = |n: &usize| {
            let table = self.property(path.get(..*n).unwrap_or_default());
            table.is_some_and(|t| t.get("additionalProperties").is_some_and(Value::is_object))
        };
        (1..path.len()).find(free)
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> Option<&'a Value> {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.schema.get("$defs")?.get(reference.rsplit('/').next()?),
            None => Some(schema),
        }
    }

    fn nearest(&self, path: &[String]) -> Option<String> {
        let dotted = path.join(".");
        let close = |known: &String| (strsim::damerau_levenshtein(known, &dotted), known.clone());
        let (distance, known) = self.settings().iter().map(close).min()?;
        let same_key = path.last().and_then(|last| {
            self.settings()
                .into_iter()
                .find(|s| s.rsplit('.').next() == Some(last))
        });
        if distance <= 3 { Some(known) } else { same_key }
    }

    /// All settings, dotted.
    pub(crate) fn settings(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.walk(&self.schema, &mut Vec::new(), &mut out);
        out
    }

    fn walk(&self, schema: &Value, above: &mut Vec<String>, out: &mut Vec<String>) {
        let Some(schema) = self.resolve(schema) else {
            return;
        };
        match schema.get("properties").and_then(Value::as_object) {
            Some(fields) => {
                for (name, field) in fields {
                    above.push(name.clone());
                    self.walk(field, above, out);
                    above.pop();
                }
            }
            None => out.push(above.join(".")),
        }
    }

    /// Where a setting comes from.
    pub(crate) fn origin(&self, setting: &str) -> Origin {
        if let Some(origin) = self.origins.get(setting) {
            return origin.clone();
        }
        // Of a table with free keys, where the first of them comes from.
        let below = format!("{setting}.");
        let mut inside = self
            .origins
            .range(below.clone()..)
            .take_while(|(k, _)| k.starts_with(&below));
        inside
            .next()
            .map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// Makes the configuration.
    ///
    /// # Errors
    /// All problems of all layers at once.
    pub(crate) fn config(&mut self) -> Result<Config, CliError> {
        let mut value = self.value.clone();
        loop {
            match serde_path_to_error::deserialize::<_, Config>(&value) {
                Ok(config) if self.problems.is_empty() => {
                    return check(&config).map_or(Ok(config), |problem| Err(CliError::Config(problem)));
                }
                Ok(_) => return Err(CliError::Config(self.problems.join("\n"))),
                Err(error) => {
                    let dotted = error.path().to_string();
                    let path: Vec<String> = dotted
                        .split('.')
                        .map(|p| p.split('[').next().unwrap_or(p).to_owned())
                        .collect();
                    let origin = self.origin(&path.join("."));
                    self.problems
                        .push(format!("{origin}: {dotted}: {}", error.inner()));
                    // Goes on without it, to find what else is wrong.
                    if !remove(&mut value, &path) {
                        return Err(CliError::Config(self.problems.join("\n")));
                    }
                }
            }
        }
    }
}

/// Characters of the console's token: of letters and digits, more than can be tried in the time of the universe at four
/// a second.
const MIN_TOKEN: usize = 16;

/// What types cannot say.
fn check(config: &Config) -> Option<String> {
    let rate = config.limits.host.requests_per_second;
    if !rate.is_finite() || rate <= 0.0 {
        return Some(format!(
            "limits.host.requests_per_second: {rate} is not above 0; 0.2 is one request in five seconds"
        ));
    }
    let prefix = &config.bus.topic_prefix;
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    if prefix.is_empty() || prefix.len() > 100 || !prefix.chars().all(fine) {
        return Some(format!(
            "bus.topic_prefix: {prefix:?} cannot begin a topic's name; letters, digits, `.`, `-` and `_`, at most 100"
        ));
    }
    let token = config.console.token.reveal().chars().count();
    if (1..MIN_TOKEN).contains(&token) {
        return Some(format!(
            "console.token: {token} characters can be guessed; take {MIN_TOKEN} or more, such as those of: openssl rand -hex 24"
        ));
    }
    check_bus(config).or_else(|| check_websub(config))
}

fn check_bus(config: &Config) -> Option<String> {
    match (config.bus.kind, &config.bus.brokers) {
        (BusKind::Kafka, None) => Some(
            "bus.brokers: --bus kafka needs the addresses of its brokers: --brokers HOST:PORT".to_owned(),
        ),
        (BusKind::Sqlite, Some(brokers)) => Some(format!(
            "bus.brokers: {brokers:?} is of no use to the embedded bus; add --bus kafka, or leave --brokers out"
        )),
        (BusKind::Kafka, Some(brokers)) => {
            let wrong = brokers.split(',').find(|address| !is_address(address.trim()))?;
            Some(format!(
                "bus.brokers: {wrong:?} is no address; write host:port, several joined by commas"
            ))
        }
        (BusKind::Sqlite, None) => None,
    }
}

/// The secret is looked at when it is needed: checks do without secrets.
fn check_websub(config: &Config) -> Option<String> {
    let websub = &config.websub;
    match (&websub.callback_url, websub.listen) {
        (Some(_), None) => Some("websub.listen: websub.callback_url is of no use without it".to_owned()),
        (None, Some(_)) => Some("websub.callback_url: websub.listen is of no use without it".to_owned()),
        (Some(url), Some(_)) => {
            let stand_in = "x".repeat(32);
            let problem = telex_poller::websub::WebSub::new(url, &stand_in).err()?;
            Some(format!("websub.callback_url: {problem}"))
        }
        (None, None) => None,
    }
}

fn is_address(text: &str) -> bool {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, "9092"));
    !host.is_empty() && !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok_and(|p| p > 0)
}

fn remove(value: &mut Value, path: &[String]) -> bool {
    let Some((last, above)) = path.split_last() else {
        return false;
    };
    let mut place = value;
    for key in above {
        let Some(next) = place.get_mut(key) else {
            return false;
        };
        place = next;
    }
    place
        .as_object_mut()
        .is_some_and(|map| map.remove(last).is_some())
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix())
            .map_or_else(|_| Value::String(n.to_string()), Value::from),
        DeValue::Float(n) => n
            .as_str()
            .parse::<f64>()
            .map_or_else(|_| Value::String(n.to_string()), Value::from),
        DeValue::Boolean(yes) => Value::Bool(*yes),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => items.iter().map(|i| json(i.get_ref())).collect(),
        DeValue::Table(table) => table
            .iter()
            .map(|(k, v)| (k.get_ref().to_string(), json(v.get_ref())))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Period;

    fn load(text: &str, variables: &[(&str, &str)]) -> (Layers, Result<Config, CliError>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("telex.toml");
        std::fs::write(&path, text).expect("a file");
        let mut layers = Layers::new();
        layers.file(&path);
        layers.environment(variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let config = layers.config();
        (layers, config)
    }

    #[test]
    fn environment_goes_before_file_before_default() {
        let text = "[limits.host]\nrequests_per_second = 5\nconcurrency = 7\n[poller]\nmax_age = \"7d\"\n";
        let (layers, config) = load(
            text,
            &[
                ("TELEX__LIMITS__HOST__REQUESTS_PER_SECOND", "1000"),
                ("OTHER", "x"),
            ],
        );
        let config = config.expect("a configuration");
        assert_eq!(
            (
                config.limits.host.requests_per_second,
                config.limits.host.concurrency.get()
            ),
            (1000.0, 7)
        );
        assert_eq!(config.poller.max_age, Some(Period::seconds(7 * 86_400)));
        assert_eq!(config.poller.initial_items, 100);
        assert_eq!(
            layers.origin("limits.host.requests_per_second").to_string(),
            "environment TELEX__LIMITS__HOST__REQUESTS_PER_SECOND"
        );
        assert!(
            layers
                .origin("limits.host.concurrency")
                .to_string()
                .ends_with("telex.toml:3")
        );
        assert_eq!(layers.origin("poller.initial_items"), Origin::Default);
    }

    #[test]
    fn all_problems_at_once_with_place_and_suggestion() {
        let text =
            "[poler]\nfeeds = \"x\"\n[limits.host]\nconcurrency = 0\n[web]\nallow_addresses = [\"all\"]\n";
        let (_, config) = load(text, &[("TELEX__POLLER__INITIAL_ITEM", "3")]);
        let text = config.expect_err("a refusal").to_string();
        for part in [
            "telex.toml:2: there is no setting poler.feeds; did you mean poller.feeds?",
            "environment TELEX__POLLER__INITIAL_ITEM: there is no setting poller.initial_item; did you mean poller.initial_items?",
            "telex.toml:4: limits.host.concurrency: ",
            "telex.toml:6: web.allow_addresses",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        let (_, config) = load("a = [", &[]);
        assert!(
            config
                .expect_err("no TOML")
                .to_string()
                .contains("telex.toml:1: ")
        );
        assert!(load("[limits.host]\nrequests_per_second = 0", &[]).1.is_err());
        let token = |token: &str| load("", &[("TELEX__CONSOLE__TOKEN", token)]).1;
        let short = token("fifteen letters").expect_err("refused").to_string();
        assert!(
            short.contains("console.token") && !short.contains("fifteen"),
            "{short}"
        );
        assert!(token("").is_ok() && token("sixteen letters.").is_ok());
    }

    #[test]
    fn settings_of_the_kafka_client_are_free() {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = folder.path().join("password");
        std::fs::write(&secret, "hunter2\n").expect("a file");
        let text = "[bus]\nkind = \"kafka\"\nbrokers = \"a:1,b:2\"\n[bus.kafka]\nsecurity.protocol = \"SASL_SSL\"\n\"sasl.username\" = \"me\"\nsocket.timeout.ms = 5\n";
        let file = secret.display().to_string();
        let variables = [
            ("TELEX__BUS__KAFKA__SASL_PASSWORD_FILE", file.as_str()),
            ("TELEX__BUS__KAFKA__SASL_MECHANISMS", "1e5"),
        ];
        let (layers, config) = load(text, &variables);
        let settings = config.expect("a configuration").bus.kafka.reveal();
        let wanted = [
            ("sasl.mechanisms", "1e5"),
            ("sasl.password", "hunter2"),
            ("sasl.username", "me"),
            ("security.protocol", "SASL_SSL"),
            ("socket.timeout.ms", "5"),
        ];
        assert_eq!(settings, wanted.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert!(
            layers
                .origin("bus.kafka.security.protocol")
                .to_string()
                .ends_with("telex.toml:5")
        );
        for (text, part) in [
            ("[bus]\nkind = \"kafka\"", "--brokers HOST:PORT"),
            ("[bus]\nbrokers = \"a:1\"", "--bus kafka"),
            (
                "[bus]\nkind = \"kafka\"\nbrokers = \"a:1,b:x\"",
                "\"b:x\" is no address",
            ),
            ("[bus.kafka]\nlist = [1]", "telex.toml:2: bus.kafka.list"),
        ] {
            let problem = load(text, &[]).1.expect_err(text).to_string();
            assert!(problem.contains(part), "{part} is missing in {problem}");
        }
    }

    #[test]
    fn values_of_the_environment_take_the_settings_type() {
        let variables = [
            ("TELEX__BUS__TOPIC_PREFIX", "123"),
            ("TELEX__SINK__SQLITE", "true"),
            ("TELEX__FETCHER__FIRST_RETRY", "90s"),
        ];
        let config = load("", &variables).1.expect("a configuration");
        assert_eq!(config.bus.topic_prefix, "123");
        assert_eq!(config.fetcher.first_retry, Period::seconds(90));
    }
}
