//! Faults of processes and brokers on Apache Kafka.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use telex_model::Stage;
use telex_stream::kafka::{KafkaBus, KafkaOptions};

use crate::broker::End;
use crate::cluster::{Cluster, Processes, shared, start};
use crate::world::wait_for;

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
}

fn campaign(
    name: &str,
    cluster: &Cluster,
    each: usize,
    faults: Vec<Fault>,
    own: Option<&crate::broker::Broker>,
) {
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
                let own = own.unwrap();
                own.end(number, how);
                std::thread::sleep(Duration::from_millis(random.below(3000) as u64));
                own.restart();
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
    campaign("processes on Kafka", &cluster, 2, all.collect(), None);
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
    campaign("brokers", &cluster, 1, all.collect(), Some(&own));
}
