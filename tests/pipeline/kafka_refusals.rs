//! Bad input on Kafka: a clear error that says what to do, the right exit code, nothing lost.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use futures_executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use crate::bad_input::refuses;
use crate::cluster::{Cluster, shared, start};
use crate::world::{finish, rows, said, telex, wait_for};

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

#[test]
fn missing_rights_and_wrong_passwords_are_refused() {
    let users = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"admin\" \
                 password=\"right\" user_admin=\"right\" user_guest=\"guest\";";
    let Some(broker) = start(
        "rights",
        1,
        &[
            "listener.security.protocol.map=PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name=PLAINTEXT",
            "sasl.enabled.mechanisms=PLAIN",
            "sasl.mechanism.inter.broker.protocol=PLAIN",
            &format!("listener.name.plaintext.plain.sasl.jaas.config={users}"),
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:admin;User:ANONYMOUS",
        ],
    ) else {
        return;
    };
    let cluster = Cluster::without_topics(&broker.address, "rights");
    let run = |user: &str, password: &str, args: &[&str]| {
        let secret = cluster.world.path().join("password");
        std::fs::write(&secret, format!("{password}\n")).unwrap();
        let mut command = cluster.telex(args);
        command
            .env("TELEX__BUS__KAFKA__SECURITY_PROTOCOL", "SASL_PLAINTEXT")
            .env("TELEX__BUS__KAFKA__SASL_MECHANISMS", "PLAIN")
            .env("TELEX__BUS__KAFKA__SASL_USERNAME", user)
            .env("TELEX__BUS__KAFKA__SASL_PASSWORD_FILE", secret);
        finish(command)
    };
    let out = run("admin", "right", &["topics", "apply"]);
    assert!(out.status.success(), "{}", said(&out));
    refuses(
        &run("admin", "wrong", &["tap"]),
        78,
        &["Authentication failed", "sasl."],
    );
    refuses(
        &run("guest", "guest", &["run", "cleaner", "--once"]),
        78,
        &["allow this user"],
    );
    let doctor = run("guest", "guest", &["doctor"]);
    let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert_eq!(doctor.status.code(), Some(1), "{text}");
    assert!(text.contains("fix: allow this user"), "{text}");
    let doctor = run("admin", "right", &["doctor"]);
    assert!(
        doctor.status.success(),
        "{}",
        String::from_utf8_lossy(&doctor.stdout)
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
