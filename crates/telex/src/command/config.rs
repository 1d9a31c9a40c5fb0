//! `telex config`: what is in force and where it comes from.

use serde_json::{Value, json};
use telex_console::Setting;

use super::Context;
use crate::cli::{ConfigCommand, OutputFormat};
use crate::config::{Config, Layers};
use crate::error::CliError;
use crate::output;

/// Shows the configuration.
pub(crate) fn run(context: &Context, command: &ConfigCommand) -> Result<(), CliError> {
    let ConfigCommand::Show { origin } = command else {
        return Ok(());
    };
    for Setting {
        name,
        value,
        origin: from,
    } in in_force(context)?
    {
        match context.output {
            OutputFormat::Json => output::json(&json!({"setting": name, "value": value, "origin": from}))?,
            OutputFormat::Text if *origin => output::line(&format!("{name} = {value}  # {from}"))?,
            OutputFormat::Text => output::line(&format!("{name} = {value}"))?,
        }
    }
    Ok(())
}

/// The settings in force, secrets hidden.
pub(crate) fn in_force(context: &Context) -> Result<Vec<Setting>, CliError> {
    let all = serde_json::to_value(&context.config).map_err(|e| CliError::Bug(e.to_string()))?;
    let setting = |name: String| Setting {
        value: name
            .split('.')
            .try_fold(&all, |v, key| v.get(key))
            .cloned()
            .unwrap_or_default(),
        origin: context.layers.origin(&name).to_string(),
        name,
    };
    Ok(context.layers.settings().into_iter().map(setting).collect())
}

/// Prints a file with every setting and its default; what has no default stands as a comment.
pub(crate) fn init() -> Result<(), CliError> {
    let value = serde_json::to_value(Config::default()).map_err(|e| CliError::Bug(e.to_string()))?;
    let mut sections: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    for setting in Layers::new().settings() {
        let (section, key) = setting.rsplit_once('.').unwrap_or(("", &setting));
        let now = setting
            .split('.')
            .try_fold(&value, |v, key| v.get(key))
            .unwrap_or(&Value::Null);
        let line = if now.is_null() {
            format!("# {key} =")
        } else {
            format!("{key} = {now}")
        };
        sections.entry(section.to_owned()).or_default().push(line);
    }
    for (section, lines) in sections {
        if !section.is_empty() {
            output::line(&format!("\n[{section}]"))?;
        }
        lines.iter().try_for_each(|l| output::line(l))?;
    }
    Ok(())
}
