//! `telex tap`: tagged articles as they come.

use std::time::Duration;

use telex_model::{Tagged, Topic};

use super::{Context, articles, run as running};
use crate::cli::{OutputFormat, TapArgs};
use crate::error::CliError;
use crate::open::{self, Use};
use crate::output;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Prints what comes until it is stopped or has printed so many.
pub(crate) fn run(context: &Context, args: &TapArgs) -> Result<(), CliError> {
    let open = open::bus(&context.config, Use::Read)?;
    let topic = match &args.tag {
        Some(tag) => Topic::tagged_with(tag).map_err(|e| CliError::Usage(e.to_string()))?,
        None => Topic::Tagged,
    };
    let name = topic.name(&context.config.bus.topic_prefix);
    let mut places: Vec<(u32, u64)> = Vec::new();
    for ends in open
        .bus
        .ends(&name)
        .map_err(|e| CliError::Unavailable(format!("{e}; `telex topics plan` lists the topics")))?
    {
        places.push((
            ends.partition,
            if args.from_start { ends.first } else { ends.end },
        ));
    }
    let runtime = running::runtime()?;
    let stopped = running::on_signal(&runtime)?;
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0 && !*stopped.borrow() {
        let mut any = false;
        for (partition, from) in &mut places {
            for message in open.bus.read(&name, *partition, *from, 100)? {
                *from = message.next;
                any = true;
                let Some(value) = message.value.as_ref().filter(|_| left > 0) else {
                    continue;
                };
                show(context, value)?;
                left -= 1;
            }
        }
        if !any {
            std::thread::sleep(LOOK_EVERY);
        }
    }
    Ok(())
}

fn show(context: &Context, value: &[u8]) -> Result<(), CliError> {
    if context.output == OutputFormat::Json {
        return output::write(&[value, b"\n"].concat());
    }
    match serde_json::from_slice::<Tagged>(value) {
        Ok(article) => output::line(&articles::line(&article)),
        Err(error) => Err(CliError::Findings(format!(
            "a message is no tagged article: {error}"
        ))),
    }
}
