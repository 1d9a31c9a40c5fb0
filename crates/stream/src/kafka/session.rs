//! A session on Kafka.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use telex_telemetry::StageHealth;

use crate::bus::BusError;
use crate::message::Message;
use crate::session::{Batch, Commit, Event, Fatal, Lag, Session, SessionConfig, Transaction, Waker};

use super::context::Member;
use super::convert::{fence, message, partition_id, signed};
use super::error::{is_permanent, unusable};
use super::part::Parts;
use super::producer::{Failure, Transactions};
use super::reader::{Peeker, Reader};
use super::topics::Topics;
use super::{KafkaOptions, client, nonce, transactional_id};

/// Longest uninterrupted wait: how soon a waker is noticed. The client has no call that both waits for records and
/// can be woken; 50 looks a second cost 0.2 % of a core.
const SLICE: Duration = Duration::from_millis(20);

/// After its first message a batch waits so long for more: at most 20 transactions a second where little comes.
const GATHER: Duration = Duration::from_millis(50);

/// Longest wait for the client to turn to other offsets.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest wait until the client has left its group; after it, closing goes on in the background.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Gone only while the session is dropped.
type Client = BaseConsumer<Member>;

pub(super) struct KafkaSession {
    pub(super) config: SessionConfig,
    pub(super) options: Arc<KafkaOptions>,
    pub(super) topics: Arc<Topics>,
    pub(super) client: Option<Client>,
    pub(super) producer: Transactions,
    /// Reads topics that are restored; kept, for there are many partitions.
    pub(super) reader: Option<Reader>,
    /// Nonces of fences that were written and not yet read, by topic and partition.
    pub(super) fences: BTreeMap<(String, u32), String>,
    /// Looks how old the lag is where a partition stands.
    pub(super) peeker: Option<Peeker>,
    pub(super) parts: Parts,
    /// Received and not handed out.
    pub(super) held: VecDeque<Arc<Message>>,
    /// Partitions whose owner was told that they go; handed back with the next call.
    pub(super) revoking: Option<Vec<u32>>,
    /// Partitions that the group gave us and whose offsets are not known yet.
    pub(super) assigning: Option<Vec<u32>>,
    /// The group has given this session its share, which may be none.
    pub(super) joined: bool,
    /// Nothing may be handed out or committed before partitions are assigned anew.
    pub(super) stale: bool,
    /// All partitions came to their end since this was last looked at.
    caught_up: bool,
    paused: bool,
    woken: Arc<AtomicBool>,
    /// First part of the ids of this session's transactions.
    nonce: String,
    transactions: u64,
    pub(super) complained: Option<Instant>,
    /// Why the cluster cannot be reached at present.
    pub(super) trouble: Option<String>,
    health: Option<StageHealth>,
}

impl KafkaSession {
    pub(super) fn open(
        config: SessionConfig,
        options: Arc<KafkaOptions>,
        topics: Arc<Topics>,
    ) -> Result<Self, BusError> {
        topics.ask_partitions(&config.input)?;
        let id = transactional_id(&options, &config.group);
        let mut producer = Transactions::new(Arc::clone(&options), id);
        match producer.begin_anew() {
            Ok(()) => {}
            Err(Failure::Permanent(error)) => return Err(error),
            // A coordinator that is still loading: tried again before anything is assigned.
            Err(failure) => tracing::warn!(?failure, "the transaction coordinator is not ready"),
        }
        let failed = |e: KafkaError| unusable(&format!("group {} cannot be joined", config.group), &e);
        let client: Client = client::member(&options, &config.group)
            .create_with_context(Member::default())
            .map_err(failed)?;
        client.subscribe(&[&config.input]).map_err(failed)?;
        Ok(Self {
            config,
            options,
            topics,
            client: Some(client),
            producer,
            reader: None,
            fences: BTreeMap::new(),
            peeker: None,
            parts: Parts::new(),
            held: VecDeque::new(),
            revoking: None,
            assigning: None,
            joined: false,
            stale: false,
            caught_up: false,
            paused: false,
            woken: Arc::default(),
            nonce: nonce(),
            transactions: 0,
            complained: None,
            trouble: None,
            health: None,
        })
    }

    pub(super) fn client(&self) -> Result<&Client, Fatal> {
        self.client
            .as_ref()
            .ok_or_else(|| Fatal::Defect("the session is closed".to_owned()))
    }

    /// Makes the id of a transaction.
    pub(super) fn transaction_id(&mut self) -> String {
        self.transactions += 1;
        format!("{}-{}", self.nonce, self.transactions)
    }

    /// A list for the client; never kept.
    pub(super) fn list(&self, places: impl Iterator<Item = (u32, u64)>) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in places {
            let offset = Offset::Offset(signed(offset));
            list.add_partition_offset(&self.config.input, partition_id(partition), offset)?;
        }
        Ok(list)
    }

    /// Serves the client once; tells whether anything happened.
    pub(super) fn poll(&mut self, wait: Duration) -> Result<bool, Fatal> {
        let Some(client) = &self.client else {
            return Ok(false);
        };
        let taken = match client.poll(wait) {
            None => return Ok(false),
            Some(Ok(record)) => Ok(message(&record)),
            Some(Err(error)) => Err(error),
        };
        match taken {
            Ok(message) => self.accept(message),
            Err(KafkaError::PartitionEOF(partition)) => self.ended(partition),
            Err(error) => self.fault(&error)?,
        }
        Ok(true)
    }

    fn accept(&mut self, message: Message) {
        let Some(part) = self.parts.get_mut(&message.partition) else {
            return;
        };
        if part.receive(&message) && fence(&message).is_none() {
            self.held.push_back(Arc::new(message));
        }
    }

    fn ended(&mut self, partition: i32) {
        let part = u32::try_from(partition).ok().and_then(|p| self.parts.get_mut(&p));
        if let Some(part) = part {
            part.ended();
            self.caught_up = self.parts.values().all(|p| p.at_end);
        }
    }

    fn fault(&mut self, error: &KafkaError) -> Result<(), Fatal> {
        let code = error.rdkafka_error_code();
        let what = match code {
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {
                format!("group {} cannot be joined", self.config.group)
            }
            _ => format!("{} cannot be read", self.config.input),
        };
        if matches!(error, KafkaError::MessageConsumptionFatal(_)) || code.is_some_and(is_permanent) {
            return Err(unusable(&what, error).into());
        }
        if matches!(
            code,
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)
        ) {
            // A broker that has just started may not know its topics yet; one that is asked again does.
            if let Err(error @ BusError::NoTopic(_)) = self.topics.ask_partitions(&self.config.input) {
                return Err(Fatal::Bus {
                    what: error.to_string(),
                    hint: "the stage cannot run without it".to_owned(),
                });
            }
        }
        self.complain(&error.to_string());
        Ok(())
    }

    /// Logs what passes by itself, at most once in 10 s.
    pub(super) fn complain(&mut self, what: &str) {
        if self
            .complained
            .is_none_or(|at| at.elapsed() >= Duration::from_secs(10))
        {
            self.complained = Some(Instant::now());
            tracing::warn!(group = self.config.group, "{what}");
        }
    }

    /// As [`KafkaSession::complain`], of what a call waits for: meanwhile nobody else can say so.
    pub(super) fn wait_out(&mut self, what: &str) {
        if let Some(health) = &self.health {
            health.not_ready(what);
        }
        self.complain(what);
    }

    /// Takes from the client what makes a batch, unless the group has something to say.
    fn fill(&mut self, wait: Duration) -> Result<(), Fatal> {
        if self.held.is_empty() && !self.poll(wait)? {
            return Ok(());
        }
        let until = Instant::now() + GATHER;
        let mut bytes = self.held.iter().map(|m| m.size()).sum::<usize>();
        while !self.held.is_empty()
            && self.held.len() < self.config.max_batch_messages
            && bytes < self.config.max_batch_bytes
            && !self.rebalances()
        {
            let left = until.saturating_duration_since(Instant::now());
            let before = self.held.len();
            if !self.poll(left)? && left.is_zero() {
                break;
            }
            bytes += self.held.iter().skip(before).map(|m| m.size()).sum::<usize>();
        }
        Ok(())
    }

    fn batch(&mut self) -> Batch {
        let (mut messages, mut bytes) = (Vec::new(), 0);
        while messages.len() < self.config.max_batch_messages && bytes < self.config.max_batch_bytes {
            let Some(message) = self.held.pop_front() else {
                break;
            };
            bytes += message.size();
            if let Some(part) = self.parts.get_mut(&message.partition) {
                part.deliver(&message);
                messages.push(message);
            }
        }
        Batch { messages }
    }

    /// Turns the client to these offsets; whatever it has fetched is void.
    pub(super) fn seek(&mut self, places: &[(u32, u64)]) -> Result<(), Fatal> {
        let until = Instant::now() + SEEK_TIMEOUT;
        let mut left = places.to_vec();
        while !left.is_empty() {
            let list = self.list(left.iter().copied()).map_err(defect)?;
            let answer = self.client()?.seek_partitions(list, SEEK_TIMEOUT);
            let failed: Vec<u32> = match &answer {
                Ok(list) => list
                    .elements()
                    .iter()
                    .filter(|e| e.error().is_err())
                    .filter_map(|e| u32::try_from(e.partition()).ok())
                    .collect(),
                Err(_) => left.iter().map(|(p, _)| *p).collect(),
            };
            left.retain(|(p, _)| failed.contains(p));
            if Instant::now() >= until && !left.is_empty() {
                self.leave("the client does not turn back")?;
                return Ok(());
            }
            if !left.is_empty() {
                // A partition that was assigned this moment has not begun.
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }
}

impl Session for KafkaSession {
    fn next(&mut self, wait: Duration) -> Result<Event, Fatal> {
        let until = Instant::now() + wait;
        // Restoring is over, if there was any.
        self.reader = None;
        self.fences.clear();
        loop {
            if let Some(event) = self.rebalance()? {
                return Ok(event);
            }
            let left = until.saturating_duration_since(Instant::now()).min(SLICE);
            if self.paused || self.stale {
                self.poll(left)?;
            } else {
                self.fill(left)?;
                if !self.held.is_empty() && !self.rebalances() {
                    return Ok(Event::Batch(self.batch()));
                }
            }
            let idle = std::mem::take(&mut self.caught_up) && self.held.is_empty();
            let woken = self.woken.swap(false, Ordering::AcqRel);
            // A rebalance is answered first: what follows it must not wait for the next call.
            if (idle || woken || Instant::now() >= until) && !self.rebalances() {
                return Ok(Event::Idle);
            }
        }
    }

    fn commit(&mut self, transaction: Transaction) -> Result<Commit, Fatal> {
        // What is committed now stands behind them.
        self.fences.clear();
        self.commit_transaction(transaction)
    }

    fn rewind(&mut self) -> Result<(), Fatal> {
        self.held.clear();
        let mut places = Vec::with_capacity(self.parts.len());
        for (partition, part) in &mut self.parts {
            let mark = part.mark(*partition);
            part.rewind(&mark);
            places.push((*partition, mark.next));
        }
        self.seek(&places)
    }

    fn pause(&mut self) {
        self.paused = true;
        let paused = self
            .list(self.parts.iter().map(|(p, part)| (*p, part.received)))
            .and_then(|list| self.client.as_ref().map_or(Ok(()), |c| c.pause(&list)));
        if let Err(error) = paused {
            tracing::debug!(%error, "pause");
        }
    }

    fn resume(&mut self) {
        self.paused = false;
        let places: Vec<(u32, u64)> = self.parts.iter().map(|(p, part)| (*p, part.received)).collect();
        let resumed = self
            .list(places.iter().copied())
            .and_then(|list| self.client.as_ref().map_or(Ok(()), |c| c.resume(&list)));
        if let Err(error) = resumed {
            tracing::debug!(%error, "resume");
        }
        // What the client had fetched when it was paused may be gone.
        if let Err(error) = self.seek(&places) {
            tracing::debug!(%error, "resume");
        }
    }

    fn lag(&mut self) -> Result<Vec<Lag>, Fatal> {
        self.lags()
    }

    fn restore(&mut self, topic: &str, partition: u32, each: &mut dyn FnMut(Message)) -> Result<(), Fatal> {
        self.restore_partition(topic, partition, each)
    }

    fn waker(&self) -> Waker {
        let woken = Arc::clone(&self.woken);
        Waker::new(move || woken.store(true, Ordering::Release))
    }

    fn batch_deadline(&self) -> Duration {
        self.options.max_poll_interval / 3
    }

    fn report_to(&mut self, health: StageHealth) {
        self.producer.health = Some(health.clone());
        self.health = Some(health);
    }

    fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

impl KafkaSession {
    /// Keeps partitions that were just assigned from handing out messages where the session is paused.
    pub(super) fn pause_new(&mut self) {
        if self.paused {
            self.pause();
        }
    }
}

impl Drop for KafkaSession {
    fn drop(&mut self) {
        self.answer_all();
        let Some(client) = self.client.take() else { return };
        let (done, closed) = sync_channel::<()>(1);
        let close = std::thread::Builder::new()
            .name("kafka-close".to_owned())
            .spawn(move || {
                drop(client);
                drop(done);
            });
        let slow = close.is_ok() && closed.recv_timeout(CLOSE_TIMEOUT) == Err(RecvTimeoutError::Timeout);
        if slow {
            tracing::warn!(
                group = self.config.group,
                "the Kafka client takes long to leave its group"
            );
        }
    }
}

pub(super) fn defect(error: KafkaError) -> Fatal {
    Fatal::Defect(format!("the Kafka client refused a call: {error}"))
}
