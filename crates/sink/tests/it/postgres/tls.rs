//! TLS: a server with certificates of authorities of the test's own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use postgres::Client;
use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair};
use telex_sink::{PostgresSink, SinkError};

use super::own;
use crate::server::{Server, url};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Someone who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    file: PathBuf,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        let file = folder.join(format!("{name}.pem"));
        std::fs::write(&file, pem("CERTIFICATE", certificate.der())).expect("written");
        Self {
            issuer: Issuer::new(parameters, key),
            file,
        }
    }

    /// Has the server show a certificate for a host that is valid for so many days from ten days ago.
    fn certify(&self, server: &Server, host: &str, days: u32) {
        let mut parameters = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        parameters.not_before = (SystemTime::now() - 10 * DAY).into();
        parameters.not_after = parameters.not_before + days * DAY;
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("signed");
        let mut client = server.client("postgres");
        let data: String = client
            .query_one("SHOW data_directory", &[])
            .expect("shown")
            .get(0);
        let name = format!("{host}-{days}");
        let write = |end: &str, text: String| {
            let file = Path::new(&data).join(format!("{name}.{end}"));
            std::fs::write(&file, text).expect("written");
            let done = |command: &mut Command| command.status().is_ok_and(|s| s.success());
            assert!(done(Command::new("chmod").arg("600").arg(&file)));
            assert!(done(
                Command::new("chown").arg("--reference").arg(&data).arg(&file)
            ));
        };
        write("pem", pem("CERTIFICATE", certificate.der()));
        write("key", pem("PRIVATE KEY", &key.serialize_der()));
        for (setting, value) in [
            ("ssl_cert_file", format!("{name}.pem")),
            ("ssl_key_file", format!("{name}.key")),
            ("ssl", "on".to_owned()),
        ] {
            client
                .batch_execute(&format!("ALTER SYSTEM SET {setting} = '{value}'"))
                .expect("set");
        }
        client.batch_execute("SELECT pg_reload_conf()").expect("told");
        await_setting(server, "ssl_cert_file", &format!("{name}.pem"));
    }
}

/// Waits until new connections see a setting.
fn await_setting(server: &Server, name: &str, value: &str) {
    let begun = Instant::now();
    let seen = |mut client: Client| -> String {
        let row = client.query_one(&format!("SHOW {name}"), &[]).expect("shown");
        row.get(0)
    };
    while seen(server.client("postgres")) != value {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "the server does not read its settings"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn pem(what: &str, der: &[u8]) -> String {
    // 48 bytes make a line of 64 characters.
    let lines = der
        .chunks(48)
        .map(|line| data_encoding::BASE64.encode(line) + "\n");
    format!(
        "-----BEGIN {what}-----\n{}-----END {what}-----\n",
        lines.collect::<String>()
    )
}

/// Connects to the server by a host's name; tells whether TLS is spoken.
fn connect(server: &Server, host: &str, mode: &str, roots: Option<&Path>) -> Result<bool, SinkError> {
    let name = format!("{host}-{mode}");
    let roots = roots.map(|file| format!("&sslrootcert={}", file.display()));
    let url = url(server.port, "postgres").replace("@127.0.0.1", &format!("@{host}"));
    let url = format!(
        "{url}?hostaddr=127.0.0.1&sslmode={mode}{}&application_name={name}",
        roots.unwrap_or_default()
    );
    let mut sink = PostgresSink::new(&url)?;
    sink.connect()?;
    let spoken = server
        .client("postgres")
        .query_one(
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = $1",
            &[&name],
        )
        .expect("read");
    Ok(spoken.get(0))
}

#[test]
fn certificates_are_verified_as_sslmode_asks() {
    let Some(server) = own(&[]) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let [ours, other] = ["ours", "other"].map(|name| Authority::new(folder.path(), name));
    ours.certify(&server, "db.example", 100);
    let (ours_file, other_file) = (Some(&*ours.file), Some(&*other.file));
    for (host, mode, roots, tls) in [
        ("db.example", "disable", None, false),
        ("db.example", "prefer", None, true),
        ("db.example", "require", None, true),
        ("other.example", "require", ours_file, true),
        ("other.example", "verify-ca", ours_file, true),
        ("db.example", "verify-full", ours_file, true),
    ] {
        let spoken = connect(&server, host, mode, roots).unwrap_or_else(|e| panic!("{mode}: {}", e.chain()));
        assert_eq!(spoken, tls, "{host} {mode}");
    }
    let refused = |host: &str, mode: &str, roots: Option<&Path>, told: &str| {
        let error = connect(&server, host, mode, roots).expect_err(mode);
        let text = error.chain();
        assert!(!error.may_pass() && text.contains(told), "{host} {mode}: {text}");
        assert!(!text.contains("horse"), "{text}");
    };
    let unknown = "signed by nobody who is trusted: let sslrootcert name the file";
    refused("db.example", "require", other_file, unknown);
    refused("db.example", "verify-ca", other_file, unknown);
    refused("db.example", "verify-full", other_file, unknown);
    refused("db.example", "verify-full", None, unknown);
    let name = "for another host: use the host's name in the URL";
    refused("other.example", "verify-full", ours_file, name);
    refused("127.0.0.1", "verify-full", ours_file, name);

    ours.certify(&server, "db.example", 9);
    assert!(connect(&server, "db.example", "require", None).expect("nothing is verified"));
    refused("db.example", "verify-ca", ours_file, "has expired");
    refused("db.example", "verify-full", ours_file, "has expired");
}
