//! Articles in PostgreSQL, for many replicas and many readers.
//!
//! One row an article, its tags, its story, what changed, and the positions, all in one transaction a batch. Each batch
//! locks the positions of its partitions before anything else: of two processes that hold a partition for the same one,
//! as after a pause longer than the bus allows, the second waits for the first and then leaves out what is stored.
//!
//! Articles come in by `COPY`; of those that are there already the old row is deleted first. Rejected: a temporary
//! table and an upsert from it, which writes every row twice and lets the catalogue grow with every batch; an upsert a
//! row, which costs a round trip each.

mod articles;
mod batch;
mod changes;
mod connect;
mod error;
mod forget;
mod links;
mod read;
mod schema;
mod select;
mod tls;
mod value;

use jiff::Timestamp;
use postgres::Client;

pub use articles::{PostgresArticles, PostgresDatabase};
pub use error::PostgresError;

use crate::articles::Query;
use crate::error::SinkError;
use crate::row::{Fate, Row, Sink};
use batch::Statements;
use connect::Server;
use links::Links;

/// The sink into PostgreSQL.
///
/// Connects when it first stores, or when it is told to, and anew after every error: whether a transaction came
/// through that was cut amid its commit is told by the positions.
#[derive(Debug)]
pub struct PostgresSink {
    server: Server,
    connection: Option<Connection>,
}

/// A connection whose tables are up to date.
struct Connection {
    client: Client,
    statements: Statements,
    links: Links,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    fn store(&mut self, log: &str, rows: &[Row<'_>]) -> Result<Vec<Fate>, postgres::Error> {
        batch::store(&mut self.client, &self.statements, &mut self.links, log, rows)
    }
}

impl PostgresSink {
    /// Makes the sink of a URL, `postgres://user:password@host:5432/database?sslmode=verify-full`; does not connect.
    ///
    /// Understands what libpq does of `sslmode` and `sslrootcert`; without the latter the certificate authorities of
    /// the web are trusted. The URL is kept secret: no error shows more than host, port and database.
    ///
    /// # Errors
    /// Where the URL or its certificate file cannot be read.
    pub fn new(url: &str) -> Result<Self, SinkError> {
        Ok(Self {
            server: Server::new(url)?,
            connection: None,
        })
    }

    /// Connects, makes the tables where there are none and brings them up to date.
    ///
    /// # Errors
    /// Where the server cannot be reached, does not let the user in, or the tables are of a newer version. Whether
    /// trying again later may help is told by [`SinkError::may_pass`].
    pub fn connect(&mut self) -> Result<(), SinkError> {
        self.connection = None;
        let mut client = self.server.connect()?;
        schema::upgrade(&mut client, &self.server)?;
        let statements = Statements::prepare(&mut client).map_err(|e| self.server.failed(e))?;
        self.connection = Some(Connection {
            client,
            statements,
            links: Links::default(),
        });
        Ok(())
    }

    /// Tells where it writes to: host, port and database.
    pub fn target(&self) -> &str {
        &self.server.target
    }

    /// Connects and tells the version of the tables, none where there are none; changes nothing.
    ///
    /// # Errors
    /// As [`PostgresSink::connect`].
    pub fn look(&self) -> Result<Option<i32>, SinkError> {
        let mut client = self.server.connect()?;
        schema::look(&mut client, &self.server)
    }

    /// Lets go of the oldest articles that were first seen before a time, at most so many; gives their number.
    /// Followers see them as withdrawn. Several processes may do it at once.
    ///
    /// # Errors
    /// As [`PostgresSink::connect`].
    pub fn forget(&mut self, before: Timestamp, most: usize) -> Result<usize, SinkError> {
        if self.connection.is_none() {
            self.connect()?;
        }
        let Some(Connection {
            client, statements, ..
        }) = &mut self.connection
        else {
            return Ok(0);
        };
        forget::forget(client, statements, before, most).map_err(|error| {
            self.connection = None;
            self.server.failed(error)
        })
    }

    /// Takes the tables back to a version, by the steps back that stand beside them; gives the versions taken back.
    /// What the steps drop is lost: a backup comes first, and no sink may be running.
    ///
    /// # Errors
    /// Where the server cannot be reached or does not let the user do it.
    pub fn go_back(&self, to: u32) -> Result<Vec<i32>, SinkError> {
        let mut client = self.server.connect()?;
        schema::go_back(&mut client, &self.server, i32::try_from(to).unwrap_or(i32::MAX))
    }

    /// Gives the stored messages that a query asks for, one by one, until `give` has enough and answers false. Words are
    /// those that PostgreSQL's parser finds: accents count, and scripts without spaces are sought by what stands between
    /// two spaces or marks.
    ///
    /// # Errors
    /// Where the server cannot be reached, or the tables are of another version.
    pub fn read(&self, query: &Query, give: &mut dyn FnMut(&str) -> bool) -> Result<(), SinkError> {
        let mut client = self.server.connect()?;
        match schema::check(&mut client, &self.server) {
            Err(SinkError::Postgres(PostgresError::Empty { .. })) => return Ok(()),
            checked => checked?,
        }
        read::read(&mut client, query, give).map_err(|e| self.server.failed(e))
    }

    fn attempt(&mut self, log: &str, rows: &[Row<'_>]) -> Result<Vec<Fate>, SinkError> {
        if self.connection.is_none() {
            self.connect()?;
        }
        let Some(connection) = &mut self.connection else {
            return Ok(Vec::new());
        };
        let stored = connection.store(log, rows);
        stored.map_err(|error| {
            // The next one begins on a connection about which everything is known.
            self.connection = None;
            self.server.failed(error)
        })
    }
}

impl Sink for PostgresSink {
    fn store(&mut self, log: &str, rows: &[Row<'_>]) -> Result<Vec<Fate>, SinkError> {
        let held = self.connection.is_some();
        match self.attempt(log, rows) {
            // A connection that was fine a batch ago: the server may be there all the same.
            Err(SinkError::Postgres(PostgresError::Unreachable { .. })) if held => self.attempt(log, rows),
            result => result,
        }
    }
}
