//! Looks at topics, makes them and changes their settings.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use futures_executor::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewTopic, OwnedResourceSpecifier,
    ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use telex_model::{Topic, TopicSpec};

use crate::bus::BusError;

use super::client;
use super::convert::partition_id;
use super::error::{coded, unusable};
use super::plan::{Found, TopicPlan, compare, copies, settings};
use super::topics::{TIMEOUT, Topics};

/// Longest wait until all brokers know a new topic.
const CREATE_TIMEOUT: Duration = Duration::from_secs(30);

/// Topics whose partitions belong together: the second holds the state of what reads the first.
const CO_PARTITIONED: [(Topic, Topic); 2] =
    [(Topic::Feeds, Topic::FeedState), (Topic::Items, Topic::Frontier)];

impl Topics {
    /// Compares topics with the table.
    pub(super) fn plan(&self, prefix: &str, topics: &[Topic]) -> Result<Vec<TopicPlan>, BusError> {
        let names: Vec<String> = topics.iter().map(|t| t.name(prefix)).collect();
        let brokers = self.brokers()?;
        let mut found = self.layouts(&names)?;
        let existing: Vec<&str> = found.keys().map(String::as_str).collect();
        let described = self.settings(&existing)?;
        for (name, found) in &mut found {
            found.settings = described.get(name).map(|resource| {
                let value = |e: &rdkafka::admin::ConfigEntry| Some((e.name.clone(), e.value.clone()?));
                resource.entries.iter().filter_map(value).collect()
            });
        }
        let mut plans: Vec<TopicPlan> = names
            .iter()
            .zip(topics)
            .map(|(name, topic)| compare(name, &topic.spec(), found.get(name), brokers))
            .collect();
        for (input, state) in CO_PARTITIONED {
            let count = |topic: &Topic| found.get(&topic.name(prefix)).map(|f| f.partitions);
            let (Some(wanted), Some(has)) = (count(&input), count(&state)) else {
                continue;
            };
            if let Some(plan) = plans.iter_mut().find(|p| p.name == state.name(prefix))
                && has != wanted
            {
                plan.problems.push(format!(
                    "topic {} has {has} partitions and {} has {wanted}; both need the same number: stop Telex, \
                     delete both and run `telex topics apply`, or choose another --topic-prefix",
                    plan.name,
                    input.name(prefix)
                ));
            }
        }
        Ok(plans)
    }

    /// Makes and changes what a plan says.
    pub(super) fn apply(&self, prefix: &str, topics: &[Topic], plans: &[TopicPlan]) -> Result<(), BusError> {
        let missing: BTreeSet<&str> = plans
            .iter()
            .filter(|p| !p.exists)
            .map(|p| p.name.as_str())
            .collect();
        let wanted: Vec<(String, TopicSpec)> = topics
            .iter()
            .map(|t| (t.name(prefix), t.spec()))
            .filter(|(name, _)| missing.contains(name.as_str()))
            .collect();
        self.create(&wanted)?;
        let changed: Vec<&TopicPlan> = plans
            .iter()
            .filter(|p| p.exists && !p.changes.is_empty())
            .collect();
        if changed.is_empty() {
            Ok(())
        } else {
            self.change(&changed)
        }
    }

    /// Partitions and copies of the topics that exist.
    fn layouts(&self, names: &[String]) -> Result<BTreeMap<String, Found>, BusError> {
        let mut all = BTreeMap::new();
        for name in names {
            match self.layout(name) {
                Ok(found) => drop(all.insert(name.clone(), found)),
                Err(BusError::NoTopic(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(all)
    }

    /// The settings of topics that this user may see.
    fn settings(&self, names: &[&str]) -> Result<HashMap<String, ConfigResource>, BusError> {
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let wanted: Vec<ResourceSpecifier<'_>> = names.iter().map(|n| ResourceSpecifier::Topic(n)).collect();
        let answer = block_on(self.admin()?.describe_configs(&wanted, &options()));
        let answer = answer.map_err(|e| unusable("the settings of the topics cannot be read", &e))?;
        let mut all = HashMap::new();
        for resource in answer {
            match resource {
                Ok(resource) => {
                    if let OwnedResourceSpecifier::Topic(name) = &resource.specifier {
                        all.insert(name.clone(), resource);
                    }
                }
                Err(RDKafkaErrorCode::TopicAuthorizationFailed) => {}
                Err(code) => {
                    return Err(coded(
                        &format!("the settings of the topics cannot be read: {code}"),
                        Some(code),
                    ));
                }
            }
        }
        Ok(all)
    }

    /// Sets settings of topics. The call that there is resets whatever it does not name, so all is named.
    fn change(&self, plans: &[&TopicPlan]) -> Result<(), BusError> {
        let names: Vec<&str> = plans.iter().map(|p| p.name.as_str()).collect();
        let described = self.settings(&names)?;
        let mut all = Vec::with_capacity(plans.len());
        for plan in plans {
            let mut altered = AlterConfig::new(ResourceSpecifier::Topic(&plan.name));
            let own = described.get(&plan.name).into_iter().flat_map(|r| &r.entries);
            for entry in own.filter(|e| e.source == ConfigSource::DynamicTopic) {
                if let Some(value) = &entry.value {
                    altered = altered.set(&entry.name, value);
                }
            }
            for change in &plan.changes {
                altered = altered.set(change.setting, &change.to);
            }
            all.push(altered);
        }
        let answer = block_on(self.admin()?.alter_configs(&all, &options()));
        for result in answer.map_err(|e| unusable("the settings of the topics cannot be changed", &e))? {
            if let Err((topic, code)) = result {
                return Err(coded(&format!("{topic:?} cannot be changed: {code}"), Some(code)));
            }
        }
        self.await_change(plans, &names)
    }

    /// Waits until the brokers show what was changed, as they do a moment later.
    fn await_change(&self, plans: &[&TopicPlan], names: &[&str]) -> Result<(), BusError> {
        let deadline = Instant::now() + CREATE_TIMEOUT;
        loop {
            let now = self.settings(names)?;
            let late = plans
                .iter()
                .flat_map(|p| p.changes.iter().map(move |c| (p, c)))
                .find(|(plan, change)| {
                    let entry = now.get(&plan.name).and_then(|found| found.get(change.setting));
                    entry.and_then(|e| e.value.as_deref()) != Some(change.to.as_str())
                });
            let Some((plan, change)) = late else {
                return Ok(());
            };
            if Instant::now() >= deadline {
                return Err(BusError::Unusable {
                    what: format!(
                        "{} of {} did not change in {CREATE_TIMEOUT:?}",
                        change.setting, plan.name
                    ),
                    hint: "see the logs of the brokers".to_owned(),
                });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes the topics that do not exist yet; the others stay as they are.
    pub(super) fn create(&self, wanted: &[(String, TopicSpec)]) -> Result<(), BusError> {
        let mut missing = Vec::new();
        for (name, spec) in wanted {
            match self.ask_partitions(name) {
                Ok(_) => {}
                Err(BusError::NoTopic(_)) => missing.push((name.as_str(), spec)),
                Err(other) => return Err(other),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        self.make(&missing)?;
        let deadline = Instant::now() + CREATE_TIMEOUT;
        for (name, _) in missing {
            // Brokers learn of a topic one after the other.
            while let Err(error) = self.ask_partitions(name) {
                if Instant::now() >= deadline {
                    return Err(error);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }

    fn make(&self, missing: &[(&str, &TopicSpec)]) -> Result<(), BusError> {
        let copies = copies(self.brokers()?);
        let settings: Vec<_> = missing.iter().map(|(_, s)| settings(s, copies)).collect();
        let topics: Vec<NewTopic<'_>> = missing
            .iter()
            .zip(&settings)
            .map(|((name, spec), settings)| {
                let copies = TopicReplication::Fixed(i32::try_from(copies).unwrap_or(1));
                let topic = NewTopic::new(name, partition_id(spec.partitions), copies);
                settings.iter().fold(topic, |t, (key, value)| t.set(key, value))
            })
            .collect();
        let results = block_on(self.admin()?.create_topics(&topics, &options()))
            .map_err(|e| unusable("the topics cannot be made", &e))?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    return Err(coded(&format!("topic {name} cannot be made: {code}"), Some(code)));
                }
            }
        }
        Ok(())
    }

    /// Deletes topics; those that do not exist are left alone.
    pub(super) fn delete(&self, names: &[&str]) -> Result<(), BusError> {
        let results = block_on(self.admin()?.delete_topics(names, &options()))
            .map_err(|e| unusable("the topics cannot be deleted", &e))?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
                Err((name, code)) => {
                    return Err(coded(
                        &format!("topic {name} cannot be deleted: {code}"),
                        Some(code),
                    ));
                }
            }
        }
        Ok(())
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>, BusError> {
        let made = client::admin(&self.options).create();
        made.map_err(|e: KafkaError| unusable("the Kafka client cannot be set up", &e))
    }
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(CREATE_TIMEOUT))
        .operation_timeout(Some(CREATE_TIMEOUT.min(TIMEOUT)))
}
