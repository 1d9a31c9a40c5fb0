//! Faults of processes and brokers on Apache Kafka.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use telex_model::Stage;
use telex_stream::kafka::{KafkaBus, KafkaOptions};

use crate::broker::{self, Broker, End};
use crate::cluster::{Cluster, Processes, shared, start};
use crate::proxy::{Link, Lost, Proxy};
use crate::world::{said, wait_for};

use super::campaign::{Installation, Random, faults, run};

/// Longer than the processes' session timeout of 3 s.
const FROZEN: Duration = Duration::from_millis(4500);

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// kill -9 of a stage's process, and a new one.
    Kill,
    /// SIGSTOP for longer than the group waits, and SIGCONT.
    Freeze,
    /// A process joins and another one leaves in good order.
    Rebalance,
    BrokerKilled,
    BrokerStopped,
    /// The link to the broker ends, is silent or slow, for up to twice the session timeout.
    Cut,
    Silent,
    Slow,
    /// The next commit does not arrive, arrives late, or nobody learns that it did.
    CommitLost,
}

/// What a campaign may lay hands on beside the processes.
#[derive(Clone, Copy, Default)]
struct Own<'a> {
    brokers: Option<&'a Broker>,
    link: Option<&'a Proxy>,
}

fn campaign(name: &str, cluster: &Cluster, each: usize, faults: Vec<Fault>, own: Own<'_>) {
    let mut processes = Processes::at_work(cluster, each);
    let mut fault = |which: Fault, random: &mut Random| {
        let stage = Stage::ALL[random.below(Stage::ALL.len())];
        let victim = processes.of(stage)[0];
        match which {
            Fault::Kill => {
                processes.kill(victim);
                let new = processes.start(stage);
                wait_for("the new process to have its share", || processes.share(new) > 0.0);
            }
            Fault::Freeze => {
                processes.signal(victim, "STOP");
                std::thread::sleep(FROZEN);
                processes.signal(victim, "CONT");
                wait_for("it to have its share again", || processes.share(victim) > 0.0);
            }
            Fault::Rebalance => {
                let new = processes.start(stage);
                wait_for("the new process to have its share", || processes.share(new) > 0.0);
                processes.stop(victim);
            }
            Fault::BrokerKilled | Fault::BrokerStopped => {
                let number = u32::try_from(1 + random.below(3)).unwrap();
                let how = if matches!(which, Fault::BrokerKilled) {
                    End::WithoutNotice
                } else {
                    End::InGoodOrder
                };
                let brokers = own.brokers.unwrap();
                brokers.end(number, how);
                std::thread::sleep(Duration::from_millis(random.below(3000) as u64));
                brokers.restart();
                wait_for("all processes to be ready", || processes.ready());
            }
            Fault::Cut | Fault::Silent | Fault::Slow | Fault::CommitLost => {
                fail_link(which, cluster, own.link.unwrap(), random);
                wait_for("all processes to be ready", || processes.ready());
            }
        }
    };
    let bus = KafkaBus::open(KafkaOptions::new(&cluster.address)).unwrap();
    let tagged = || -> Vec<Value> {
        let all = cluster.read("tagged.v1");
        all.into_iter().map(|(_, value)| value.unwrap()).collect()
    };
    let on = Installation {
        world: &cluster.world,
        bus: Arc::new(bus),
        prefix: cluster.prefix.clone(),
        telex: &|args| cluster.run(args),
        tagged: &tagged,
    };
    run(name, &on, faults, &mut fault);
    let ports = processes.ports();
    ports.into_iter().for_each(|port| processes.stop(port));
}

/// Has the link fail in one way, and mends it.
fn fail_link(fault: Fault, cluster: &Cluster, link: &Proxy, random: &mut Random) {
    if matches!(fault, Fault::CommitLost) {
        let late = Lost::Time(Duration::from_secs(1));
        let lost = [Lost::Request, Lost::Answer, late][random.below(3)];
        link.lose_commit(&cluster.prefix, lost);
        // So that there is one; it may be this one that is lost, and then the command says so.
        wait_for("feeds to be polled", || {
            let out = cluster.run(&["feeds", "poll"]);
            assert!(
                out.status.success() || said(&out).contains("do it again"),
                "{}",
                said(&out)
            );
            out.status.success()
        });
        return wait_for("a commit to be lost and made up for", || {
            link.disarmed(&cluster.prefix)
        });
    }
    link.set(match fault {
        Fault::Cut => Link::Cut,
        Fault::Silent => Link::Silent,
        _ => Link::Slow(Duration::from_millis(100)),
    });
    std::thread::sleep(Duration::from_millis(random.below(6000) as u64));
    link.set(Link::Whole);
}

/// So many of a fault for a hundred of those that are counted.
fn part(of: usize, percent: usize) -> usize {
    (of * percent).div_ceil(100)
}

#[test]
fn processes_are_killed_frozen_and_shuffled() {
    let Some(address) = shared() else { return };
    let cluster = Cluster::new(address, "faults");
    let n = faults(2);
    let kinds = [(Fault::Kill, 100), (Fault::Freeze, 10), (Fault::Rebalance, 20)];
    let all = kinds
        .into_iter()
        .flat_map(|(kind, percent)| vec![kind; part(n, percent)]);
    campaign("processes on Kafka", &cluster, 2, all.collect(), Own::default());
}

/// A new release: of three processes a stage, each is replaced by a new one, in good order.
#[test]
#[ignore = "takes minutes: make faults"]
fn replicas_are_replaced_one_by_one() {
    let Some(address) = shared() else { return };
    let cluster = Cluster::new(address, "rolling");
    let all = vec![Fault::Rebalance; faults(5).div_ceil(5)];
    campaign("a rolling restart", &cluster, 3, all, Own::default());
}

/// Three brokers, for a lone one that is killed between the decision to commit and its markers leaves a transaction
/// open for ever (Apache Kafka 4.3.1).
#[test]
#[ignore = "takes minutes: make faults"]
fn brokers_are_killed_and_stopped() {
    let Some(own) = start("campaign", 3, &[]) else {
        return;
    };
    let cluster = Cluster::new(&own.address, "faults");
    let n = faults(10);
    let kinds = [
        (Fault::BrokerKilled, 10),
        (Fault::BrokerStopped, 5),
        (Fault::Kill, 10),
    ];
    let all = kinds
        .into_iter()
        .flat_map(|(kind, percent)| vec![kind; part(n, percent)]);
    let own = Own {
        brokers: Some(&own),
        link: None,
    };
    campaign("brokers", &cluster, 1, all.collect(), own);
}

#[test]
fn the_link_to_the_broker_is_cut_silent_and_slow_and_loses_commits() {
    if broker::given().is_some() {
        // Somebody else's broker says where it is to be found.
        return;
    }
    let link = Proxy::start();
    let advertised = format!("advertised.listeners=PLAINTEXT://{}", link.address);
    let Some(own) = start("link", 1, &[&advertised]) else {
        return;
    };
    link.leads_to(&own.address);
    let cluster = Cluster::new(&link.address, "link");
    let n = faults(1);
    let kinds = [Fault::Cut, Fault::Silent, Fault::Slow, Fault::CommitLost];
    let all = kinds.into_iter().flat_map(|kind| vec![kind; n.div_ceil(4)]);
    let own = Own {
        brokers: None,
        link: Some(&link),
    };
    campaign("the link", &cluster, 1, all.collect(), own);
}
