//! A small world of invented newspapers, served over real HTTP on loopback.
//!
//! Whole-pipeline tests and the demonstration run against it: articles of our own writing in several languages on
//! pages that are mostly navigation, adverts and other people's headlines, and feeds that are slow, damaged,
//! unchanging or dead, as real ones are. Every article states the text and the tags that the pipeline must find,
//! so [`Site::expected`] is the answer sheet.
//!
//! Each newspaper has its own address in 127.0.0.0/8 and so is a politeness domain of its own; all listen on the
//! same port. Rejected: recorded pages of real newspapers (not ours to publish, and nobody could say what the
//! right text is), and one address with many host names (needs a resolver that the pipeline does not have).

mod article;
mod content;
mod feed;
mod page;
mod paper;
mod response;
mod server;
mod site;
mod words;
mod world;

pub use article::{Article, Block, PageBehaviour};
pub use feed::{FeedUrl, Special};
pub use response::Response;
pub use server::Request;
pub use site::{Options, Site};
pub use words::{Words, word};
pub use world::{Delivery, Expected, PublishError};
