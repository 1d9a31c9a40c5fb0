//! Bad input on Kafka: a clear error that says what to do, the right exit code, nothing lost.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use futures_executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use crate::bad_input::refuses;
use crate::broker::missing;
use crate::cluster::{Cluster, shared, start_secure};
use crate::world::{Started, finish, free_port, rows, said, telex, wait_for};

fn with_brokers(args: &[&str], brokers: &str) -> Output {
    finish(telex(&[args, &["--bus", "kafka", "--brokers", brokers]].concat()))
}

#[test]
fn brokers_that_are_none_are_refused() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let strange = stranger.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for client in stranger.incoming() {
            let mut client = client.unwrap();
            let answered = client
                .read(&mut [0; 100])
                .and_then(|_| client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
            drop(answered);
        }
    });
    std::thread::scope(|scope| {
        for brokers in [nobody.as_str(), strange.as_str(), "no-such-host.invalid:9092"] {
            scope.spawn(move || {
                let out = with_brokers(&["run", "cleaner", "--once"], brokers);
                refuses(&out, 69, &["no Kafka broker answers", brokers, "check --brokers"]);
            });
        }
    });
    let found = with_brokers(&["doctor", "--data-dir", "/tmp"], &nobody);
    assert_eq!(found.status.code(), Some(1), "{}", said(&found));
    let text = String::from_utf8_lossy(&found.stdout);
    assert!(
        text.contains("FAIL  broker") && text.contains("fix: check --brokers"),
        "{text}"
    );
}

#[test]
fn wrong_settings_of_the_client_are_refused_without_showing_secrets() {
    let with = |name: &str| {
        let mut command = telex(&["tap", "--bus", "kafka", "--brokers", "127.0.0.1:9"]);
        command.env(format!("TELEX__BUS__KAFKA__{name}"), "hunter2");
        finish(command)
    };
    refuses(&with("SASL_PASWORD"), 78, &["sasl.pasword", "bus.kafka"]);
    refuses(&with("ACKS"), 78, &["acks", "remove it"]);
    assert!(!said(&with("SASL_PASWORD")).contains("hunter2"));
    refuses(
        &finish(telex(&["tap", "--bus", "kafka"])),
        78,
        &["--brokers HOST:PORT"],
    );
    refuses(&with_brokers(&["tap"], "a:b:c"), 78, &["\"a:b:c\" is no address"]);
}

fn make(cluster: &Cluster, topic: &str, partitions: i32, size_cap: &str) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &cluster.address)
        .create()
        .unwrap();
    let name = format!("{}.{topic}", cluster.prefix);
    let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1))
        .set("max.message.bytes", size_cap)
        .set("retention.ms", "3600000")
        .set("segment.ms", "777777");
    let made = block_on(admin.create_topics(&[topic], &AdminOptions::new())).unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

#[test]
fn topics_that_do_not_fit_are_refused_or_raised() {
    let Some(address) = shared() else { return };
    let cluster = Cluster::without_topics(address, "topics");
    refuses(
        &cluster.run(&["run", "cleaner"]),
        69,
        &["there is no topic", "telex topics apply"],
    );

    make(&cluster, "pages.v1", 12, "1000000");
    let plan = |command: &str| {
        let out = cluster.run(&["topics", command, "--output", "json"]);
        let pages = |row: &serde_json::Value| row["topic"] == format!("{}.pages.v1", cluster.prefix);
        rows(&out).into_iter().find(pages).unwrap()
    };
    // A broker knows a topic a moment after the controller does.
    wait_for("the topic to be known", || {
        plan("plan")["state"] == "to be changed"
    });
    let planned = plan("plan");
    let change =
        |setting: &str, from: &str, to: &str| serde_json::json!({"setting": setting, "from": from, "to": to});
    let changes = [
        change("max.message.bytes", "1000000", "8454144"),
        change("retention.ms", "3600000", "86400000"),
    ];
    assert_eq!(planned["changes"], serde_json::json!(changes));
    let doctor = cluster.run(&["doctor", "--output", "json"]);
    let text = String::from_utf8_lossy(&doctor.stdout);
    assert!(
        text.contains("max.message.bytes") && text.contains("telex topics apply"),
        "{text}"
    );
    assert_eq!(plan("apply")["state"], "changed");
    assert_eq!(plan("apply")["state"], "exists", "safe to repeat");
    assert_eq!(
        describe(&cluster, "pages.v1", "segment.ms"),
        "777777",
        "what was set besides stays"
    );

    let cluster = Cluster::without_topics(address, "few");
    make(&cluster, "items.v1", 4, "8454144");
    refuses(
        &cluster.run(&["topics", "apply"]),
        78,
        &["items.v1 has 4 partitions and needs 12", "--topic-prefix"],
    );
    refuses(
        &cluster.run(&["run", "fetcher"]),
        78,
        &["items.v1 has 4 partitions and needs 12"],
    );
}

#[test]
fn a_size_cap_that_disagrees_is_refused() {
    let Some(address) = shared() else { return };
    let cluster = Cluster::without_topics(address, "caps");
    make(&cluster, "tagged.ukraine.v1", 12, "1000000");
    // Everything else is there, as after somebody has made one topic anew by hand.
    let others = [
        telex_model::Topic::fixed(),
        ["nato", "eu-diplomacy"]
            .map(|t| telex_model::Topic::TaggedWith(t.to_owned()))
            .to_vec(),
    ];
    let bus = telex_stream::kafka::KafkaBus::open(telex_stream::kafka::KafkaOptions::new(address)).unwrap();
    telex_stream::Bus::create_topics(&bus, &cluster.prefix, &others.concat()).unwrap();
    let out = cluster.run(&["run", "classifier", "--once"]);
    refuses(
        &out,
        78,
        &[
            "max.message.bytes",
            "is 1000000 and must be 8454144",
            "telex topics apply",
        ],
    );
}

fn describe(cluster: &Cluster, topic: &str, setting: &str) -> String {
    use rdkafka::admin::ResourceSpecifier;
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &cluster.address)
        .create()
        .unwrap();
    let name = format!("{}.{topic}", cluster.prefix);
    let asked = [ResourceSpecifier::Topic(&name)];
    let found = block_on(admin.describe_configs(&asked, &AdminOptions::new())).unwrap();
    let resource = found[0].as_ref().unwrap();
    resource.get(setting).unwrap().value.clone().unwrap()
}

/// A client of a secure broker: who it is and what it trusts.
struct Client<'a> {
    cluster: &'a Cluster,
    user: &'a str,
    password: PathBuf,
    ca: PathBuf,
}

impl Client<'_> {
    fn run(&self, args: &[&str]) -> Output {
        let mut command = self.cluster.telex(args);
        command
            .env("TELEX__BUS__KAFKA__SECURITY_PROTOCOL", "SASL_SSL")
            .env("TELEX__BUS__KAFKA__SSL_CA_LOCATION", &self.ca)
            .env("TELEX__BUS__KAFKA__SASL_MECHANISMS", "SCRAM-SHA-512")
            .env("TELEX__BUS__KAFKA__SASL_USERNAME", self.user)
            .env("TELEX__BUS__KAFKA__SASL_PASSWORD_FILE", &self.password);
        finish(command)
    }
}

/// `make deploy-check` runs the pipeline with the rights of `telex topics rights` on such a broker.
#[test]
fn missing_rights_wrong_passwords_and_authorities_are_refused() {
    let Some(broker) = start_secure("rights", &["guest"]) else {
        return;
    };
    let cluster = Cluster::without_topics(&broker.address, "rights");
    let client = |user: &'static str| Client {
        cluster: &cluster,
        user,
        password: broker.folder.join(format!("users/{user}.password")),
        ca: broker.folder.join("tls/ca.pem"),
    };
    let out = client("admin").run(&["topics", "apply"]);
    assert!(out.status.success(), "{}", said(&out));
    let password = client("guest").password;
    let mistaken = Client {
        password,
        ..client("admin")
    };
    refuses(&mistaken.run(&["tap"]), 78, &["Authentication failed", "sasl."]);
    // An authority of the same name that did not sign the broker's certificate.
    let other = Client {
        ca: authority(cluster.world.path(), 30).0,
        ..client("admin")
    };
    refuses(
        &other.run(&["tap"]),
        78,
        &["no Kafka broker answers", "certificate", "ssl."],
    );
    refuses(
        &client("guest").run(&["run", "cleaner", "--once"]),
        78,
        &["pages.v1", "allow this user", "telex topics rights"],
    );
    let doctor = client("guest").run(&["doctor"]);
    let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert_eq!(doctor.status.code(), Some(1), "{text}");
    assert!(text.contains("fix: allow this user"), "{text}");
    let doctor = client("admin").run(&["doctor"]);
    assert!(
        doctor.status.success(),
        "{}",
        String::from_utf8_lossy(&doctor.stdout)
    );
}

/// Makes an authority whose certificate is valid for so many days from the day before yesterday; certificate and key.
fn authority(folder: &Path, days: i64) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join("ca.pem"), folder.join("ca.key"));
    let mut parameters = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let from = SystemTime::now() - Duration::from_secs(2 * 24 * 3600);
    parameters.not_before = from.into();
    parameters.not_after = parameters.not_before + Duration::from_secs(days.unsigned_abs() * 24 * 3600);
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, "local Kafka authority");
    let pair = rcgen::KeyPair::generate().unwrap();
    let pem = |path: &Path, what: &str, der: &[u8]| {
        // 48 bytes make a line of 64 characters.
        let lines = der
            .chunks(48)
            .map(|line| data_encoding::BASE64.encode(line) + "\n");
        let text = lines.collect::<String>();
        std::fs::write(
            path,
            format!("-----BEGIN {what}-----\n{text}-----END {what}-----\n"),
        )
        .unwrap();
    };
    pem(
        &certificate,
        "CERTIFICATE",
        parameters.self_signed(&pair).unwrap().der(),
    );
    pem(&key, "PRIVATE KEY", &pair.serialize_der());
    (certificate, key)
}

/// A listener whose certificate ran out yesterday, of an authority that the client trusts.
#[test]
fn a_certificate_that_has_expired_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = authority(folder.path(), 1);
    let address = format!("127.0.0.1:{}", free_port());
    let mut server = Command::new("openssl");
    server
        .args(["s_server", "-quiet", "-accept", &address, "-cert"])
        .arg(&certificate)
        .arg("-key")
        .arg(key)
        // At its end the listener would close connections.
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let Ok(server) = server.spawn() else {
        return missing("openssl cannot be run; on Debian: apt-get install openssl");
    };
    let _server = Started(Some(server));
    wait_for("the listener", || TcpStream::connect(&address).is_ok());
    let mut command = telex(&["tap", "--bus", "kafka", "--brokers", &address]);
    command
        .env("TELEX__BUS__KAFKA__SECURITY_PROTOCOL", "SSL")
        .env("TELEX__BUS__KAFKA__SSL_CA_LOCATION", certificate);
    refuses(
        &finish(command),
        78,
        &["no Kafka broker answers", "certificate", "ssl."],
    );
}

#[test]
fn a_message_of_another_schema_version_becomes_a_dead_letter() {
    let Some(address) = shared() else { return };
    let cluster = Cluster::new(address, "version");
    let topic = format!("{}.pages.v1", cluster.prefix);
    let mut kcat = Command::new("kcat");
    kcat.args([
        "-P",
        "-b",
        address,
        "-t",
        &topic,
        "-k",
        "k",
        "-p",
        "3",
        "-H",
        "ce_type=telex.page.v9",
    ])
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .stderr(Stdio::piped());
    let mut writing = kcat.spawn().unwrap();
    writing.stdin.take().unwrap().write_all(b"{}\n").unwrap();
    assert!(writing.wait().unwrap().success());
    let out = cluster.run(&["run", "cleaner", "--once", "--output", "json"]);
    assert_eq!(rows(&out).pop().unwrap()["dead_letters"], 1, "{}", said(&out));
    let letters = rows(&cluster.run(&["dead-letters", "list", "--output", "json"]));
    assert_eq!((letters.len(), &letters[0]["reason"]), (1, &"wrong_type".into()));
    let id = letters[0]["id"].as_str().unwrap();
    let shown = rows(&cluster.run(&["dead-letters", "show", id, "--output", "json"])).remove(0);
    assert_eq!((&shown["value"], &shown["key"]), (&"{}".into(), &"k".into()));
    let out = cluster.run(&["dead-letters", "replay", "--output", "json"]);
    assert_eq!(rows(&out)[0]["count"], 1, "{}", said(&out));
}
