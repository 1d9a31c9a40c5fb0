//! The sink: tagged articles into SQLite and PostgreSQL with full-text search, into JSON lines and
//! Parquet files.
//!
//! [`SinkStage`] reads `telex.tagged.v1` and hands whole batches to every [`Sink`]. A sink stores a batch together
//! with the positions that it came from, durably and at once, before the bus learns of it: after a crash between
//! the two the batch comes again and is recognised, so each article is stored once.
//!
//! [`Articles`] reads the database of the SQLite sink, also beside a running sink; a [`Reader`] that and PostgreSQL.
//!
//! Rejected: offsets on the bus alone with an upsert by id. It would do for the database, though an article that
//! was retracted would come back for a moment; in a file of JSON lines it would leave every line of a repeated
//! batch twice.

mod articles;
mod copy;
mod durable;
mod error;
mod follow;
mod json_lines;
mod parquet;
mod plan;
mod position;
mod postgres;
mod reader;
mod retention;
mod row;
mod sqlite;
mod stage;
mod story;
mod text;

pub use articles::{
    Articles, Cursor, Found, Headline, Interrupt, Order, ParseCursorError, Query, StoredArticle,
};
pub use copy::copy_database;
pub use error::{Cause, SinkError};
pub use follow::{ChangeKind, Changed, Changes, Story};
pub use json_lines::{JsonLines, JsonLinesOptions};
pub use parquet::{ParquetOptions, ParquetSink};
pub use postgres::{PostgresArticles, PostgresDatabase, PostgresError, PostgresSink};
pub use reader::{Database, Reader};
pub use row::{Change, Fate, Row, Sink};
pub use sqlite::{SqliteOptions, SqliteSink};
pub use stage::{DEAD_REASONS, DROP_REASONS, SinkStage};
pub use text::Marker;
