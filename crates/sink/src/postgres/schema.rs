//! The tables: versions, and the way from one to the next and back.
//!
//! Everything lives in the schema `telex`. Each step forward stands in the table `migration` with the step that undoes
//! it, so that a program that does not know a version can still go back from it.

use postgres::{Client, Transaction};

use super::connect::Server;
use super::error::PostgresError;
use crate::error::SinkError;

/// The steps forward, each with its step back; the tables' version is the number of those taken. Entries are never
/// changed once released: what must change becomes a new entry.
const STEPS: [(&str, &str); 3] = [
    (
        include_str!("migrations/1_up.sql"),
        include_str!("migrations/1_down.sql"),
    ),
    (
        include_str!("migrations/2_up.sql"),
        include_str!("migrations/2_down.sql"),
    ),
    (
        include_str!("migrations/3_up.sql"),
        include_str!("migrations/3_down.sql"),
    ),
];

/// Version of the tables that this program writes.
const VERSION: i32 = STEPS.len() as i32;

/// "Tlxs": whoever changes the tables holds this lock, for replicas start at the same moment.
const LOCK: i64 = 0x546c_7873;

/// Takes the steps that the tables lack, each in a transaction of its own.
pub(super) fn upgrade(client: &mut Client, server: &Server) -> Result<(), SinkError> {
    let failed = |e| server.failed(e);
    while let Some(taken) = step(client).map_err(failed)? {
        if taken > VERSION {
            return Err(newer(server, taken));
        }
        tracing::info!(
            database = server.target,
            version = taken,
            "the tables have a new version"
        );
    }
    Ok(())
}

/// Takes the next step; gives the version that the tables then have, or a newer one that they had, none where they
/// are up to date.
fn step(client: &mut Client) -> Result<Option<i32>, postgres::Error> {
    let mut tx = locked(client)?;
    // Asked for first, so that a user who may make nothing can use what is there.
    if !there(&mut tx)? {
        let schema = tx.query_opt("SELECT FROM pg_namespace WHERE nspname = 'telex'", &[])?;
        if schema.is_none() {
            tx.batch_execute("CREATE SCHEMA telex")?;
        }
        tx.batch_execute(
            "CREATE TABLE telex.migration(
               version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), back text NOT NULL)",
        )?;
    }
    let version = version(&mut tx)?;
    if version > VERSION {
        return Ok(Some(version));
    }
    let next = usize::try_from(version).ok().and_then(|v| STEPS.get(v));
    let Some((forward, back)) = next else {
        return Ok(None);
    };
    tx.batch_execute(forward)?;
    let insert = "INSERT INTO migration(version, back) VALUES ($1, $2)";
    tx.execute(insert, &[&(version + 1), back])?;
    tx.commit()?;
    Ok(Some(version + 1))
}

/// Begins a transaction in which nobody else changes the tables.
fn locked(client: &mut Client) -> Result<Transaction<'_>, postgres::Error> {
    let mut tx = client.transaction()?;
    // Another replica may be at work on a step that takes longer than locks are waited for otherwise.
    tx.batch_execute("SET LOCAL lock_timeout = 0")?;
    tx.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])?;
    Ok(tx)
}

fn there(tx: &mut Transaction<'_>) -> Result<bool, postgres::Error> {
    tx.query_one("SELECT to_regclass('telex.migration') IS NOT NULL", &[])?
        .try_get(0)
}

fn version(tx: &mut Transaction<'_>) -> Result<i32, postgres::Error> {
    tx.query_one("SELECT coalesce(max(version), 0) FROM telex.migration", &[])?
        .try_get(0)
}

/// Gives the tables' version, none where there are none.
pub(super) fn look(client: &mut Client, server: &Server) -> Result<Option<i32>, SinkError> {
    let mut found = || -> Result<Option<i32>, postgres::Error> {
        let mut tx = client.transaction()?;
        if there(&mut tx)? {
            version(&mut tx).map(Some)
        } else {
            Ok(None)
        }
    };
    match found().map_err(|e| server.failed(e))? {
        Some(version) if version > VERSION => Err(newer(server, version)),
        other => Ok(other),
    }
}

/// Tells whether the tables are of this program's version; changes nothing.
pub(super) fn check(client: &mut Client, server: &Server) -> Result<(), SinkError> {
    let target = || server.target.clone();
    let error = match look(client, server)? {
        Some(VERSION) => return Ok(()),
        None | Some(0) => PostgresError::Empty { target: target() },
        Some(found) => PostgresError::Older {
            target: target(),
            found,
            known: VERSION,
        },
    };
    Err(error.into())
}

fn newer(server: &Server, found: i32) -> SinkError {
    PostgresError::Newer {
        target: server.target.clone(),
        found,
        known: VERSION,
    }
    .into()
}

/// Takes steps back until the tables have this version; gives those taken back, newest first.
pub(super) fn go_back(client: &mut Client, server: &Server, to: i32) -> Result<Vec<i32>, SinkError> {
    let mut taken_back = Vec::new();
    loop {
        match step_back(client, to).map_err(|e| server.failed(e))? {
            Some(version) => taken_back.push(version),
            None => return Ok(taken_back),
        }
    }
}

fn step_back(client: &mut Client, to: i32) -> Result<Option<i32>, postgres::Error> {
    let mut tx = locked(client)?;
    if !there(&mut tx)? {
        return Ok(None);
    }
    let newest = "SELECT version, back FROM telex.migration WHERE version > $1 ORDER BY version DESC LIMIT 1";
    let Some(row) = tx.query_opt(newest, &[&to])? else {
        return Ok(None);
    };
    let (version, back): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
    tx.batch_execute(&back)?;
    tx.execute("DELETE FROM telex.migration WHERE version = $1", &[&version])?;
    tx.commit()?;
    Ok(Some(version))
}
