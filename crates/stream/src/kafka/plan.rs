//! What is to become of the topics: what there is, against the topic table.
//!
//! Nothing is ever taken away: a topic with more partitions, a longer retention or a larger size cap than the table
//! asks for stays as it is. Partitions are not added either, for that would move keys to other partitions.

use std::collections::BTreeMap;

use telex_model::{Cleanup, TopicSpec};

use super::client::OVERHEAD_BYTES;

/// Copies of each partition where there are brokers enough: one may be down for an upgrade and one fail.
const COPIES: usize = 3;

/// What there is of a topic, and what `telex topics apply` makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPlan {
    /// Full name.
    pub name: String,
    /// It is there.
    pub exists: bool,
    /// Partitions that it has or gets.
    pub partitions: u32,
    /// Copies of each partition that it has or gets.
    pub copies: usize,
    /// Settings that are changed; of a topic that is made, all that are set.
    pub changes: Vec<SettingChange>,
    /// What keeps stages from working and cannot be changed here, each with what to do.
    pub problems: Vec<String>,
    /// What would be better otherwise, each with what to do.
    pub advice: Vec<String>,
}

impl TopicPlan {
    /// Tells whether stages can work with the topic as it is.
    pub fn usable(&self) -> bool {
        let harmless = |change: &SettingChange| !matches!(change.setting, SIZE_CAP | POLICY);
        self.exists && self.problems.is_empty() && self.changes.iter().all(harmless)
    }
}

/// A setting of a topic that is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    /// Name of the setting.
    pub setting: &'static str,
    /// Its value now; none where the topic is yet to be made.
    pub from: Option<String>,
    /// Its value afterwards.
    pub to: String,
}

const SIZE_CAP: &str = "max.message.bytes";
const POLICY: &str = "cleanup.policy";
const RETENTION: &str = "retention.ms";
const IN_SYNC: &str = "min.insync.replicas";

/// What there is of a topic.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) partitions: u32,
    /// Of the partition with the fewest.
    pub(super) copies: usize,
    /// Partitions that nobody leads at the moment.
    pub(super) without_leader: usize,
    /// Partitions some of whose copies are behind.
    pub(super) short: usize,
    /// Settings by name; none where this user may not see them.
    pub(super) settings: Option<BTreeMap<String, String>>,
}

/// Compares a topic with the table.
pub(super) fn compare(name: &str, spec: &TopicSpec, found: Option<&Found>, brokers: usize) -> TopicPlan {
    let Some(found) = found else {
        return new(name, spec, brokers);
    };
    let mut plan = TopicPlan {
        name: name.to_owned(),
        exists: true,
        partitions: found.partitions,
        copies: found.copies,
        changes: Vec::new(),
        problems: Vec::new(),
        advice: Vec::new(),
    };
    if found.partitions < spec.partitions {
        plan.problems
            .push(too_few(name, found.partitions, spec.partitions));
    }
    if found.without_leader > 0 {
        plan.problems.push(format!(
            "{name}: {} partitions have no leader; start the brokers that are down",
            found.without_leader
        ));
    }
    if found.short > 0 {
        plan.advice.push(format!(
            "{name}: {} partitions have copies that are behind; start the brokers that are down",
            found.short
        ));
    }
    if found.copies < copies(brokers) {
        plan.advice.push(format!(
            "{name}: {} of {} copies; add some with kafka-reassign-partitions.sh",
            found.copies,
            copies(brokers)
        ));
    }
    match &found.settings {
        Some(settings) => compare_settings(&mut plan, spec, settings),
        None => plan.advice.push(format!(
            "{name}: its settings cannot be seen; allow this user DESCRIBE_CONFIGS on the topics that begin with \
             the prefix"
        )),
    }
    plan
}

fn new(name: &str, spec: &TopicSpec, brokers: usize) -> TopicPlan {
    let set = settings(spec, copies(brokers))
        .into_iter()
        .map(|(setting, to)| SettingChange {
            setting,
            from: None,
            to,
        });
    TopicPlan {
        name: name.to_owned(),
        exists: false,
        partitions: spec.partitions,
        copies: copies(brokers),
        changes: set.collect(),
        problems: Vec::new(),
        advice: Vec::new(),
    }
}

fn compare_settings(plan: &mut TopicPlan, spec: &TopicSpec, found: &BTreeMap<String, String>) {
    for (setting, to) in settings(spec, plan.copies) {
        let Some(from) = found.get(setting) else { continue };
        let number = |text: &str| text.parse::<i64>().ok();
        let change = match setting {
            // Below zero there is no limit.
            RETENTION => number(from).is_some_and(|n| n >= 0) && number(from) < number(&to),
            SIZE_CAP | IN_SYNC => number(from) < number(&to),
            // A topic that loses records by age would lose state; one that is compacted loses no more than that.
            POLICY if spec.cleanup == Cleanup::Compact => *from != to,
            POLICY if from.contains("compact") => {
                plan.problems.push(format!(
                    "{}: {POLICY} is {from} and should be {to}; older revisions of articles go missing: set it with \
                     kafka-configs.sh",
                    plan.name
                ));
                false
            }
            // Chosen when a topic is made; what an operator made of it stays.
            _ => false,
        };
        if change {
            plan.changes.push(SettingChange {
                setting,
                from: Some(from.clone()),
                to,
            });
        }
    }
}

fn too_few(name: &str, found: u32, wanted: u32) -> String {
    format!(
        "topic {name} has {found} partitions and needs {wanted}; partitions of keyed topics are never added later: \
         delete it once it is empty, or choose another --topic-prefix"
    )
}

/// Copies of each partition with so many brokers.
pub(super) fn copies(brokers: usize) -> usize {
    brokers.clamp(1, COPIES)
}

/// The settings that a topic is made with.
pub(super) fn settings(spec: &TopicSpec, copies: usize) -> Vec<(&'static str, String)> {
    let size_cap = spec.max_message_bytes + OVERHEAD_BYTES;
    // With three copies a write is safe once two have it, and one broker may be away.
    let in_sync = copies.saturating_sub(1).max(1);
    let mut settings = vec![(SIZE_CAP, size_cap.to_string()), (IN_SYNC, in_sync.to_string())];
    match spec.cleanup {
        Cleanup::Compact => settings.extend([
            (POLICY, "compact".to_owned()),
            // What a restart must read stays within a tenth, or 64 MiB, of what is current.
            ("min.cleanable.dirty.ratio", "0.1".to_owned()),
            ("segment.bytes", (64 << 20).to_string()),
        ]),
        Cleanup::Delete(time) => settings.extend([
            (POLICY, "delete".to_owned()),
            (RETENTION, time.as_millis().to_string()),
        ]),
    }
    settings
}

#[cfg(test)]
mod tests {
    use telex_model::Topic;

    use super::*;

    fn found(topic: &Topic, change: impl FnOnce(&mut Found)) -> TopicPlan {
        let settings = settings(&topic.spec(), 1);
        let mut found = Found {
            partitions: 12,
            copies: 1,
            settings: Some(settings.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
            ..Found::default()
        };
        change(&mut found);
        compare("t", &topic.spec(), Some(&found), 1)
    }

    fn set(found: &mut Found, setting: &str, value: &str) {
        let settings = found.settings.get_or_insert_default();
        settings.insert(setting.to_owned(), value.to_owned());
    }

    fn changed(plan: &TopicPlan) -> Vec<(&str, &str)> {
        plan.changes.iter().map(|c| (c.setting, c.to.as_str())).collect()
    }

    #[test]
    fn what_fits_stays_and_what_is_more_than_asked_for_as_well() {
        for topic in Topic::fixed() {
            let plan = found(&topic, |f| {
                f.partitions = 24;
                set(f, SIZE_CAP, "20000000");
                set(f, "segment.bytes", "1");
                set(f, IN_SYNC, "2");
            });
            assert!(
                plan.usable() && plan.changes.is_empty() && plan.advice.is_empty(),
                "{plan:?}"
            );
        }
        let longer = |value: &str| found(&Topic::Tagged, |f| set(f, RETENTION, value)).changes;
        assert_eq!((longer("-1"), longer("99999999999")), (vec![], vec![]));
    }

    #[test]
    fn what_is_less_is_raised() {
        let plan = found(&Topic::Pages, |f| {
            set(f, SIZE_CAP, "1048588");
            set(f, RETENTION, "3600000");
        });
        assert_eq!(changed(&plan), [(SIZE_CAP, "8454144"), (RETENTION, "86400000")]);
        assert!(!plan.usable(), "large pages would be refused");
        let plan = found(&Topic::Pages, |f| set(f, RETENTION, "3600000"));
        assert!(plan.usable());
        let plan = found(&Topic::FeedState, |f| set(f, POLICY, "delete"));
        assert_eq!(
            (changed(&plan), plan.usable()),
            (vec![(POLICY, "compact")], false)
        );
    }

    #[test]
    fn what_cannot_be_changed_is_said() {
        let plan = found(&Topic::Items, |f| f.partitions = 4);
        assert!(!plan.usable());
        assert!(plan.problems[0].contains("4 partitions and needs 12"), "{plan:?}");
        let plan = found(&Topic::Tagged, |f| set(f, POLICY, "compact,delete"));
        assert_eq!((plan.problems.len(), plan.changes.len()), (1, 0));
        let plan = found(&Topic::Tagged, |f| f.settings = None);
        assert!(
            plan.usable() && plan.advice[0].contains("DESCRIBE_CONFIGS"),
            "{plan:?}"
        );
    }

    #[test]
    fn copies_follow_the_brokers() {
        let spec = Topic::Items.spec();
        for (brokers, copies, in_sync) in [(1, 1, "1"), (2, 2, "1"), (3, 3, "2"), (9, 3, "2")] {
            let plan = compare("t", &spec, None, brokers);
            assert_eq!((plan.exists, plan.copies, plan.partitions), (false, copies, 12));
            assert!(changed(&plan).contains(&(IN_SYNC, in_sync)), "{plan:?}");
        }
        let alone = Found {
            partitions: 12,
            copies: 1,
            ..Found::default()
        };
        let plan = compare("t", &spec, Some(&alone), 3);
        assert!(
            plan.usable() && plan.advice[0].contains("1 of 3 copies"),
            "{plan:?}"
        );
    }
}
