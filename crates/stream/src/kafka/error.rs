//! What Kafka's errors mean to an operator.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::bus::BusError;

/// The client library's code, where the error has one.
pub(super) fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::Transaction(inner) => Some(inner.code()),
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}

/// Turns an error of the client into what failed and what to do.
pub(super) fn unusable(what: &str, error: &KafkaError) -> BusError {
    let what = format!("{what}: {}", text(error));
    match error {
        KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) => BusError::Config {
            what,
            hint:
                "correct bus.kafka in the configuration; its names are those of librdkafka's CONFIGURATION.md"
                    .to_owned(),
        },
        _ => coded(&what, code(error)),
    }
}

/// As [`unusable`], for an error known by its code only.
pub(super) fn coded(what: &str, code: Option<RDKafkaErrorCode>) -> BusError {
    let (what, hint) = (what.to_owned(), hint(code).to_owned());
    if code.is_some_and(is_configuration) {
        BusError::Config { what, hint }
    } else {
        BusError::Unusable { what, hint }
    }
}

/// The error in words, without the values of settings, which may be secrets.
pub(super) fn text(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, reason, key, _) => format!("setting {key}: {reason}"),
        other => other.to_string(),
    }
}

/// Tells whether settings, rights or topics must be changed before it can work.
pub(super) fn is_configuration(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    is_permanent(code)
        || matches!(
            code,
            Code::Authentication
                | Code::SaslAuthenticationFailed
                | Code::SSL
                | Code::UnsupportedSASLMechanism
                | Code::IllegalSASLState
                | Code::InvalidReplicationFactor
                | Code::InvalidPartitions
                | Code::InvalidConfig
                | Code::InvalidTopic
        )
}

fn hint(code: Option<RDKafkaErrorCode>) -> &'static str {
    use RDKafkaErrorCode as Code;
    match code {
        Some(
            Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::MessageTimedOut
            | Code::CoordinatorNotAvailable
            | Code::WaitingForCoordinator,
        ) => {
            "check --brokers, that the broker runs, and that this machine reaches the addresses that it advertises"
        }
        Some(
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::SSL
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState,
        ) => {
            "check security.protocol, sasl.* and ssl.* of the Kafka client's settings against the broker's listener"
        }
        Some(Code::TopicAuthorizationFailed) => {
            "allow this user on the topic what `telex topics rights` lists for it"
        }
        Some(Code::GroupAuthorizationFailed) => {
            "allow this user READ on the group, as `telex topics rights` lists it"
        }
        Some(Code::TransactionalIdAuthorizationFailed) => {
            "allow this user WRITE on the transactional id, as `telex topics rights` lists it"
        }
        Some(Code::ClusterAuthorizationFailed) => {
            "allow this user IDEMPOTENT_WRITE (and CREATE for `telex topics apply`) on the cluster"
        }
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
            "run `telex topics apply`"
        }
        Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge) => {
            "raise max.message.bytes of the topic, as `telex topics apply` does, and message.max.bytes of the brokers"
        }
        Some(Code::InvalidReplicationFactor) => "start as many brokers as the topics are to have copies",
        Some(Code::NotEnoughReplicas | Code::NotEnoughReplicasAfterAppend) => {
            "start the brokers that are down: too few copies are in sync"
        }
        Some(Code::UnsupportedVersion | Code::UnsupportedFeature) => "use a broker of version 2.5 or newer",
        Some(Code::InvalidTransactionTimeout) => {
            "raise transaction.max.timeout.ms of the brokers, or lower the transaction timeout"
        }
        _ => "see the logs of Telex and of the broker",
    }
}

/// Tells whether trying again later cannot help.
pub(super) fn is_permanent(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::MessageSizeTooLarge
            | Code::InvalidMessageSize
            | Code::MessageBatchTooLarge
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature
            | Code::InvalidTransactionTimeout
            | Code::InvalidGroupId
            | Code::InvalidSessionTimeout
            | Code::InconsistentGroupProtocol
            | Code::FencedInstanceId
            | Code::PolicyViolation
    )
}

/// Tells whether the client asked the wrong broker or one that is gone, or there is no right one yet.
pub(super) fn is_passing(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::OffsetNotAvailable
            | Code::KafkaStorageError
            | Code::BrokerTransportFailure
            | Code::BrokerDestroy
            | Code::DestroyBroker
    )
}

/// Tells whether the group has gone on without this member.
pub(super) fn is_fenced_member(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::IllegalGeneration | Code::UnknownMemberId | Code::FencedInstanceId | Code::RebalanceInProgress
    )
}
