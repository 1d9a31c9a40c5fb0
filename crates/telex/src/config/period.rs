//! Lengths of time as people write them.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time: a number of seconds, or a text such as `90s`, `15m`, `12h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period(pub(crate) Duration);

const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

impl Period {
    pub(crate) const fn seconds(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }

    /// Reads a number of seconds, or a number with its unit.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
            .unwrap_or((text, 1));
        let seconds = number.trim().parse::<f64>().ok()? * unit as f64;
        Duration::try_from_secs_f64(seconds).ok().map(Self)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let seconds = self.0.as_secs();
        if self.0.subsec_nanos() > 0 {
            return out.collect_str(&format_args!("{}s", self.0.as_secs_f64()));
        }
        let (name, unit) = UNITS
            .into_iter()
            .find(|(_, unit)| seconds > 0 && seconds.is_multiple_of(*unit))
            .unwrap_or(("s", 1));
        out.collect_str(&format_args!("{}{name}", seconds / unit))
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(f64),
            Text(String),
        }
        let (period, given) = match Raw::deserialize(input)? {
            Raw::Number(n) => (Duration::try_from_secs_f64(n).ok().map(Self), n.to_string()),
            Raw::Text(text) => (Self::parse(&text), text),
        };
        period.ok_or_else(|| {
            de::Error::custom(format_args!(
                "{given:?} is no length of time; write 90s, 15m, 12h or 7d"
            ))
        })
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number"], "description": "Seconds, or a text such as 90s, 15m, 12h, 7d."})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_write_them() {
        for (text, seconds) in [
            ("\"90s\"", 90),
            ("\"15m\"", 900),
            ("\"12h\"", 43_200),
            ("\"7d\"", 604_800),
            ("5", 5),
            ("\"5\"", 5),
        ] {
            let period: Period = serde_json::from_str(text).expect("a period");
            assert_eq!(period, Period::seconds(seconds));
            assert_eq!(
                serde_json::from_str::<Period>(&serde_json::to_string(&period).expect("text"))
                    .expect("again"),
                period
            );
        }
        for wrong in ["\"soon\"", "-1", "\"-1s\"", "true"] {
            assert!(serde_json::from_str::<Period>(wrong).is_err(), "{wrong}");
        }
    }
}
