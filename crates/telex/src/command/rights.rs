//! `telex topics rights`: the rights table.

use serde_json::json;
use telex_model::{Right, Role, rights};

use super::Context;
use crate::cli::{OutputFormat, RightsArgs};
use crate::error::CliError;
use crate::output;

/// Prints the rights of one role or of all.
pub(crate) fn run(context: &Context, args: &RightsArgs) -> Result<(), CliError> {
    let prefix = &context.config.bus.topic_prefix;
    let wanted = |role: &Role| args.role.as_deref().is_none_or(|name| name == role.name());
    for role in Role::ALL.into_iter().filter(wanted) {
        let principal = args.principal.replace("{role}", role.name());
        for right in rights(role, prefix) {
            match context.output {
                OutputFormat::Json => output::json(&row(role, &principal, &right))?,
                OutputFormat::Text => output::line(&command(&principal, &right))?,
            }
        }
    }
    Ok(())
}

fn pattern(right: &Right) -> &'static str {
    if right.prefixed { "prefixed" } else { "literal" }
}

fn row(role: Role, principal: &str, right: &Right) -> serde_json::Value {
    json!({
        "role": role.name(), "principal": principal, "operation": right.operation.name(),
        "resource": right.resource.name(), "name": right.name, "pattern": pattern(right),
    })
}

/// A command that gives the right; names of topics and groups need no quotes, those of users may.
fn command(principal: &str, right: &Right) -> String {
    let principal = principal.replace('\'', "'\\''");
    format!(
        "kafka-acls.sh --bootstrap-server \"$KAFKA\" --command-config \"$KAFKA_ADMIN\" --add --allow-principal \
         '{principal}' --operation {} --{} {} --resource-pattern-type {}",
        right.operation.name(),
        right.resource.name(),
        right.name,
        pattern(right)
    )
}
