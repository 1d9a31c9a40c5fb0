//! The rights table: what each user of a Kafka cluster may do there, and nothing beyond it.
//!
//! One table for the operator who gives the rights (`telex topics rights`) and for the test that gives each stage these
//! alone, and then all but one. Kafka lets whoever may read or write something describe it too. Rejected: one user for
//! the whole prefix, which lets a cleaner that was taken over by a page write tagged articles.

use crate::topic::{Stage, Topic};

/// Group, and first word of transactional ids after the prefix, of what is written beside the stages: the list of
/// feeds, replays.
const APPEND: &str = "append";

/// Group of what times the canaries.
const CANARY: &str = "canary";

/// Who uses the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The processes of a stage.
    Stage(Stage),
    /// Whoever looks after the list of feeds: `telex feeds`.
    Feeds,
    /// Whoever reads tagged articles in groups whose names begin with `{prefix}.consumer.`.
    Consumer,
    /// Whoever makes topics, looks for faults, replays: `telex topics apply`, `doctor`, `replay`, `dead-letters`.
    Operator,
}

impl Role {
    /// All roles: the stages in the order of the flow, then people and consumers.
    pub const ALL: [Role; 8] = [
        Role::Stage(Stage::Poller),
        Role::Stage(Stage::Fetcher),
        Role::Stage(Stage::Cleaner),
        Role::Stage(Stage::Classifier),
        Role::Stage(Stage::Sink),
        Role::Feeds,
        Role::Consumer,
        Role::Operator,
    ];

    /// Name in commands and in proposed user names.
    pub fn name(self) -> &'static str {
        match self {
            Role::Stage(stage) => stage.name(),
            Role::Feeds => "feeds",
            Role::Consumer => "consumer",
            Role::Operator => "operator",
        }
    }
}

/// What a right is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// A topic.
    Topic,
    /// A consumer group.
    Group,
    /// A transactional id.
    TransactionalId,
}

impl Resource {
    /// Name in Kafka's protocol and tools.
    pub fn name(self) -> &'static str {
        match self {
            Resource::Topic => "topic",
            Resource::Group => "group",
            Resource::TransactionalId => "transactional-id",
        }
    }
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Read, and commit offsets of a group.
    Read,
    /// Write.
    Write,
    /// Make it.
    Create,
    /// See its settings.
    DescribeConfigs,
    /// Change its settings.
    AlterConfigs,
}

impl Operation {
    /// Name in Kafka's protocol and tools.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Read => "READ",
            Operation::Write => "WRITE",
            Operation::Create => "CREATE",
            Operation::DescribeConfigs => "DESCRIBE_CONFIGS",
            Operation::AlterConfigs => "ALTER_CONFIGS",
        }
    }
}

/// One right of a role.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Right {
    /// What it is about.
    pub resource: Resource,
    /// Its name, or what its name begins with.
    pub name: String,
    /// The name is a beginning: Kafka's resource pattern type PREFIXED, else LITERAL.
    pub prefixed: bool,
    /// What may be done.
    pub operation: Operation,
}

/// Gives the rights of a role; `prefix` is the first word of topic names.
pub fn rights(role: Role, prefix: &str) -> Vec<Right> {
    let mut table = Table {
        prefix,
        rights: Vec::new(),
    };
    match role {
        Role::Stage(stage) => table.stage(stage),
        Role::Feeds => {
            table.topic(&Topic::Feeds, &[Operation::Read, Operation::Write]);
            table.topic(&Topic::FeedState, &[Operation::Read]);
            table.transactions(APPEND);
        }
        Role::Consumer => {
            table.tagged(Operation::Read);
            table.add(
                Resource::Group,
                format!("{prefix}.consumer."),
                true,
                Operation::Read,
            );
        }
        Role::Operator => table.operator(),
    }
    table.rights
}

struct Table<'a> {
    prefix: &'a str,
    rights: Vec<Right>,
}

impl Table<'_> {
    fn stage(&mut self, stage: Stage) {
        self.topic(&stage.input(), &[Operation::Read]);
        // What a stage restores its memory from it also writes to, so as to know where its reading ends.
        if let Some(state) = stage.state() {
            if stage.restores_input() {
                self.topic(&stage.input(), &[Operation::Write]);
            }
            self.topic(&state, &[Operation::Read, Operation::Write]);
        }
        if stage == Stage::Classifier {
            self.tagged(Operation::Write);
        }
        // That of all articles begins as those of the tags do.
        let others = stage.outputs().into_iter().filter(|t| *t != Topic::Tagged);
        others.for_each(|t| self.topic(&t, &[Operation::Write]));
        self.topic(&Topic::DeadLetters(stage), &[Operation::Write]);
        self.group(stage.name(), false);
        // After the prefix comes the name of the group.
        self.transactions_of(&format!("{}.{stage}", self.prefix));
        if stage == Stage::Sink {
            self.topic(&Topic::Canary, &[Operation::Read]);
            self.group(CANARY, false);
            self.transactions_of(&format!("{}.{CANARY}", self.prefix));
        }
        if stage == Stage::Poller {
            // The list of feeds from a file, and what hubs say.
            self.transactions(APPEND);
        }
    }

    fn operator(&mut self) {
        let topics = [
            Operation::Read,
            Operation::Write,
            Operation::Create,
            Operation::DescribeConfigs,
            Operation::AlterConfigs,
        ];
        for operation in topics {
            self.add(Resource::Topic, format!("{}.", self.prefix), true, operation);
        }
        self.add(
            Resource::Group,
            format!("{}.", self.prefix),
            true,
            Operation::Read,
        );
        self.add(
            Resource::TransactionalId,
            format!("{}.", self.prefix),
            true,
            Operation::Write,
        );
    }

    /// The topics of all articles and of all tags: also of those that topic files bring later.
    fn tagged(&mut self, operation: Operation) {
        self.add(
            Resource::Topic,
            format!("{}.tagged.", self.prefix),
            true,
            operation,
        );
    }

    /// Transactions of a group that each process makes for itself.
    fn transactions(&mut self, of: &str) {
        self.group(&format!("{of}."), true);
        self.transactions_of(of);
    }

    fn group(&mut self, name: &str, prefixed: bool) {
        let name = format!("{}.{name}", self.prefix);
        self.add(Resource::Group, name, prefixed, Operation::Read);
    }

    /// Transactional ids that begin so; at the end they have a part that no other process has.
    fn transactions_of(&mut self, of: &str) {
        let name = format!("{}.{of}.", self.prefix);
        self.add(Resource::TransactionalId, name, true, Operation::Write);
    }

    fn topic(&mut self, topic: &Topic, operations: &[Operation]) {
        for operation in operations {
            self.add(Resource::Topic, topic.name(self.prefix), false, *operation);
        }
    }

    fn add(&mut self, resource: Resource, name: String, prefixed: bool, operation: Operation) {
        self.rights.push(Right {
            resource,
            name,
            prefixed,
            operation,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(role: Role, expected: &str) {
        let line = |r: &Right| {
            let end = if r.prefixed { "*" } else { "" };
            format!("{} {} {}{end}\n", r.operation.name(), r.resource.name(), r.name)
        };
        let found: String = rights(role, "news").iter().map(line).collect();
        assert_eq!(found, expected, "{}", role.name());
    }

    #[test]
    fn stages_may_do_their_work_and_nothing_else() {
        check(
            Role::Stage(Stage::Cleaner),
            "READ topic news.pages.v1\nWRITE topic news.articles.v1\nWRITE topic news.dead-letters.cleaner.v1\n\
             READ group news.cleaner\nWRITE transactional-id news.news.cleaner.*\n",
        );
        check(
            Role::Stage(Stage::Classifier),
            "READ topic news.articles.v1\nWRITE topic news.tagged.*\nWRITE topic news.canary.v1\n\
             WRITE topic news.dead-letters.classifier.v1\n\
             READ group news.classifier\nWRITE transactional-id news.news.classifier.*\n",
        );
        check(
            Role::Stage(Stage::Fetcher),
            "READ topic news.items.v1\nREAD topic news.frontier.v1\nWRITE topic news.frontier.v1\n\
             WRITE topic news.pages.v1\nWRITE topic news.dead-letters.fetcher.v1\nREAD group news.fetcher\n\
             WRITE transactional-id news.news.fetcher.*\n",
        );
    }

    #[test]
    fn only_the_operator_makes_topics() {
        for role in Role::ALL {
            let makes = rights(role, "telex")
                .iter()
                .any(|r| matches!(r.operation, Operation::Create | Operation::AlterConfigs));
            assert_eq!(makes, role == Role::Operator, "{}", role.name());
        }
    }
}
