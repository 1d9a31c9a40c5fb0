//! What is asked of the stored articles, wherever they are.

use std::path::PathBuf;

use telex_model::ArticleId;

use crate::articles::{Articles, Headline, Interrupt, Query, StoredArticle};
use crate::error::SinkError;
use crate::follow::{Changes, Story};
use crate::postgres::PostgresDatabase;

/// Reads stored articles, beside whoever stores them.
///
/// Each call sees what is committed at its time; after an error the reader is of no more use. Errors are the
/// database's: it cannot be read, or was interrupted.
pub trait Reader: Send {
    /// Finds articles. Memory stays bounded however many they are; articles stored meanwhile may or may not be among
    /// them.
    fn query<'a>(
        &'a mut self,
        query: &Query,
    ) -> Box<dyn Iterator<Item = Result<StoredArticle, SinkError>> + 'a>;

    /// Counts articles; limit, place and order do not matter.
    fn count(&mut self, query: &Query) -> Result<u64, SinkError>;

    /// Reads the article with an id.
    fn get(&mut self, id: ArticleId) -> Result<Option<StoredArticle>, SinkError>;

    /// Reads the headlines of the other articles of an article's story, those seen first before the others, at most so
    /// many.
    fn others_of_story(&mut self, article: &StoredArticle, limit: u32) -> Result<Vec<Headline>, SinkError>;

    /// Tells which story an article belongs to; none where it is alone with its text, or withdrawn.
    fn story_of(&mut self, article: &StoredArticle) -> Result<Option<Story>, SinkError>;

    /// Reads the articles of a story, those seen first before the others, at most so many.
    fn story(&mut self, id: &ArticleId, limit: u32) -> Result<Vec<StoredArticle>, SinkError>;

    /// Number of the last change; 0 where there was none.
    fn last_change(&mut self) -> Result<u64, SinkError>;

    /// Reads at most so many of the changes behind the one of a number; fewer where the articles are long.
    fn changes(&mut self, after: u64, limit: u32) -> Result<Changes, SinkError>;

    /// Tells whether it can still be asked, after a time in which it was not.
    fn is_alive(&mut self) -> bool;

    /// Gives what ends a question that takes too long, from another thread.
    fn interrupt(&self) -> Interrupt;
}

/// Where articles are stored.
#[derive(Debug, Clone)]
pub enum Database {
    /// In this file of the SQLite sink.
    Sqlite(PathBuf),
    /// In PostgreSQL.
    Postgres(PostgresDatabase),
}

impl Database {
    /// Opens it to be read. What this gives blocks, and is to be dropped where blocking is allowed.
    ///
    /// # Errors
    /// Where it is not there, cannot be read, is damaged, of another program, or of another version.
    pub fn open(&self) -> Result<Box<dyn Reader>, SinkError> {
        Ok(match self {
            Self::Sqlite(path) => Box::new(Articles::open(path)?),
            Self::Postgres(database) => Box::new(database.open()?),
        })
    }
}

impl Reader for Articles {
    fn query<'a>(
        &'a mut self,
        query: &Query,
    ) -> Box<dyn Iterator<Item = Result<StoredArticle, SinkError>> + 'a> {
        Box::new(Articles::query(self, query))
    }

    fn count(&mut self, query: &Query) -> Result<u64, SinkError> {
        Articles::count(self, query)
    }

    fn get(&mut self, id: ArticleId) -> Result<Option<StoredArticle>, SinkError> {
        Articles::get(self, id)
    }

    fn others_of_story(&mut self, article: &StoredArticle, limit: u32) -> Result<Vec<Headline>, SinkError> {
        Articles::others_of_story(self, article, limit)
    }

    fn story_of(&mut self, article: &StoredArticle) -> Result<Option<Story>, SinkError> {
        Articles::story_of(self, article)
    }

    fn story(&mut self, id: &ArticleId, limit: u32) -> Result<Vec<StoredArticle>, SinkError> {
        Articles::story(self, id, limit)
    }

    fn last_change(&mut self) -> Result<u64, SinkError> {
        Articles::last_change(self)
    }

    fn changes(&mut self, after: u64, limit: u32) -> Result<Changes, SinkError> {
        Articles::changes(self, after, limit)
    }

    fn is_alive(&mut self) -> bool {
        true
    }

    fn interrupt(&self) -> Interrupt {
        Articles::interrupt(self)
    }
}
