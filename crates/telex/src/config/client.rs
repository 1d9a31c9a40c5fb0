//! Settings that go to the Kafka client as they are.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Settings of the Kafka client by name, such as `security.protocol`. Shown without what may be a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct ClientSettings(BTreeMap<String, String>);

/// Ends of names whose values are no secrets. Everything else is taken for one, for names are many and grow.
const HARMLESS: [&str; 12] = [
    ".protocol",
    ".mechanism",
    ".mechanisms",
    ".username",
    ".location",
    ".algorithm",
    ".verification",
    ".ms",
    ".bytes",
    ".kbytes",
    ".messages",
    "client.id",
];

impl ClientSettings {
    /// The settings with their values.
    pub(crate) fn reveal(&self) -> BTreeMap<String, String> {
        self.0.clone()
    }
}

impl std::fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Serialize for ClientSettings {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            let harmless = HARMLESS.iter().any(|end| name.ends_with(end));
            map.serialize_entry(name, if harmless { value.as_str() } else { "(hidden)" })?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for ClientSettings {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "the value must be a text, a number, true or false")]
        enum Raw {
            Flag(bool),
            Whole(i64),
            Number(f64),
            Text(String),
        }
        let raw = BTreeMap::<String, Raw>::deserialize(input)?;
        let text = |value| match value {
            Raw::Flag(flag) => flag.to_string(),
            Raw::Whole(n) => n.to_string(),
            Raw::Number(n) => n.to_string(),
            Raw::Text(text) => text,
        };
        Ok(Self(
            raw.into_iter().map(|(name, value)| (name, text(value))).collect(),
        ))
    }
}

impl JsonSchema for ClientSettings {
    fn schema_name() -> Cow<'static, str> {
        "ClientSettings".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": {"type": ["string", "number", "boolean"]},
            "description": "Further settings of the Kafka client, by the names of librdkafka's CONFIGURATION.md."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_shown() {
        let text = r#"{"sasl.password": "hunter2", "ssl.key.pem": "hunter2", "sasl.oauthbearer.config": "hunter2",
            "security.protocol": "SASL_SSL", "socket.timeout.ms": 5000, "enable.ssl.certificate.verification": false}"#;
        let settings: ClientSettings = serde_json::from_str(text).expect("settings");
        let shown = serde_json::to_string(&settings).expect("text") + &format!("{settings:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        for part in ["SASL_SSL", "\"5000\"", "\"false\"", "sasl.password"] {
            assert!(shown.contains(part), "{part} is missing in {shown}");
        }
        assert_eq!(
            settings.reveal().get("sasl.password").map(String::as_str),
            Some("hunter2")
        );
    }
}
