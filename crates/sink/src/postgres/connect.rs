//! The server: its URL, and connections to it.

use std::time::Duration;

use postgres::config::{Host, SslMode};
use postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::PostgresError;
use super::tls;
use crate::error::SinkError;

/// As long as a host may take to answer before the next one is tried.
const CONNECT: Duration = Duration::from_secs(10);

/// The same for a reader, whom somebody waits for.
const CONNECT_TO_READ: Duration = Duration::from_secs(2);

/// A peer that acknowledges nothing for so long is gone: half the deadline of a batch.
const SILENCE: Duration = Duration::from_secs(20);

/// The same for a reader.
const SILENCE_TO_READ: Duration = Duration::from_secs(5);

/// What every connection is set to.
///
/// Locks are waited for less long than a batch may take. A process that is frozen amid a transaction must not hold
/// its partitions from whoever has taken them over. What is read after a lock was waited for must be what is there
/// then. A role or database set to lose commits must not make the bus believe that they are stored; stricter settings
/// stay. Where the server has LZ4, long values cost it less time.
const SESSION: &str = "
    SET default_transaction_isolation = 'read committed';
    SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '30s';
    SET search_path = telex;
    SET timezone = 'UTC';
    SELECT set_config('synchronous_commit', 'on', false)
      WHERE current_setting('synchronous_commit') IN ('off', 'local');
    SELECT set_config('default_toast_compression', 'lz4', false)
      FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals);";

/// A server and how to reach it.
pub(super) struct Server {
    /// Host, port and database: what may be shown.
    pub(super) target: String,
    config: Config,
    tls: MakeRustlsConnect,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Server").field(&self.target).finish()
    }
}

impl Server {
    pub(super) fn new(url: &str) -> Result<Self, PostgresError> {
        let wrong = |what: &str| PostgresError::Url(what.to_owned());
        if !["postgres://", "postgresql://"]
            .iter()
            .any(|s| url.starts_with(s))
        {
            return Err(wrong("it does not begin with postgres://"));
        }
        let (rest, settings) = tls::settings(url).map_err(PostgresError::Url)?;
        // The parser's own words may hold a piece of the password.
        let mut config: Config = rest.parse().map_err(|_| wrong("it is no URL of a database"))?;
        if config.get_hosts().is_empty() {
            return Err(wrong("it names no host"));
        }
        if config.get_user().is_none() {
            return Err(wrong("it names no user"));
        }
        config.ssl_mode(settings.mode);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_application_name().is_none() {
            config.application_name("telex-sink");
        }
        config
            .tcp_user_timeout(SILENCE)
            .keepalives_idle(SILENCE / 2)
            .keepalives_interval(SILENCE / 4)
            .keepalives_retries(2);
        Ok(Self {
            target: target(&config),
            tls: MakeRustlsConnect::new(tls::client(&settings).map_err(PostgresError::Url)?),
            config,
        })
    }

    /// The same for a reader, which gives up sooner.
    pub(super) fn for_reading(url: &str) -> Result<Self, PostgresError> {
        let mut server = Self::new(url)?;
        let given = server.config.get_connect_timeout().copied();
        server
            .config
            .connect_timeout(given.unwrap_or(CONNECT_TO_READ).min(CONNECT_TO_READ))
            .tcp_user_timeout(SILENCE_TO_READ);
        Ok(server)
    }

    /// Gives what connections make TLS with.
    pub(super) fn tls(&self) -> MakeRustlsConnect {
        self.tls.clone()
    }

    pub(super) fn connect(&self) -> Result<Client, SinkError> {
        let mut client = self
            .config
            .connect(self.tls.clone())
            .map_err(|e| self.failed(e))?;
        client.batch_execute(SESSION).map_err(|e| self.failed(e))?;
        let encoding: String = client
            .query_one("SHOW server_encoding", &[])
            .and_then(|row| row.try_get(0))
            .map_err(|e| self.failed(e))?;
        if encoding != "UTF8" {
            return Err(PostgresError::Encoding {
                target: self.target.clone(),
                encoding,
            }
            .into());
        }
        if self.config.get_ssl_mode() == SslMode::Prefer {
            tracing::debug!(
                target = self.target,
                "sslmode is prefer: the server is not verified"
            );
        }
        Ok(client)
    }

    pub(super) fn failed(&self, error: postgres::Error) -> SinkError {
        PostgresError::of(&self.target, error).into()
    }
}

/// Hosts with their ports, and the database.
fn target(config: &Config) -> String {
    let port = |n: usize| {
        let ports = config.get_ports();
        ports.get(n).or(ports.first()).copied().unwrap_or(5432)
    };
    let hosts: Vec<String> = (0..)
        .zip(config.get_hosts())
        .map(|(n, host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(n)),
            Host::Unix(folder) => format!("{}:{}", folder.display(), port(n)),
        })
        .collect();
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("{}/{database}", hosts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_more_of_a_url_than_host_port_and_database() {
        let shown = |url| Server::new(url).expect("a server").target;
        assert_eq!(shown("postgres://me:hunter2@db:6432/news"), "db:6432/news");
        assert_eq!(
            shown("postgresql://me:hunter2@a,b:6000/?sslmode=disable"),
            "a:5432,b:6000/me"
        );
        assert_eq!(
            shown("postgres://me@/news?host=/run/postgresql"),
            "/run/postgresql:5432/news"
        );
        for wrong in [
            "hunter2",
            "host=db password=hunter2",
            "postgres://me:hunter2@",
            "postgres://db/hunter2",
            "postgres://me:hunter2@db:hunter2/x",
            "postgres://me:hunter%2@db/x?hunter2=1",
            "postgres://me:hunter2@db/x?sslmode=hunter2",
            "postgres://me:hunter2@db/x?sslmode=verify-full&sslrootcert=/nowhere/ca.pem",
        ] {
            let error = SinkError::from(Server::new(wrong).expect_err(wrong));
            assert!(!error.may_pass());
            let text = format!("{} {error:?}", error.chain());
            assert!(!text.contains("hunter"), "{text}");
        }
    }
}
