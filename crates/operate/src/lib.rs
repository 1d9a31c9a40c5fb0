//! What operators do with what is on the bus: the list of feeds, dead letters, the trace of an article.
//!
//! The command line and the console call the same functions, so what one shows or changes is what the other does.
//! Rejected: to leave them in the command line and have the console run it, which would parse text for people.

mod dead_letters;
mod error;
mod feeds;
mod put_back;
mod read;
mod trace;

pub use dead_letters::{DeadLetters, Letter, LetterFilter, Replayed, Survey};
pub use error::OperateError;
pub use feeds::{Declared, FeedStatus, Feeds, statuses, web_url, without_user, without_users};
pub use put_back::{AT_ONCE, PutBack, headers};
pub use read::{read_until, tags_on_bus};
pub use trace::{Step, Trace, article_id, trace};
