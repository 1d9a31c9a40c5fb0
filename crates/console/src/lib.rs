//! The console: the operator's page, the API under `/api/v1`, and tagged articles as Atom and JSON Feed.
//!
//! Pages are written on the server and work without JavaScript; what is live comes by server-sent events. Reading
//! needs nothing but to reach the address, which is on loopback unless told otherwise; changing needs a token.
//! Articles come from the sink's database, SQLite or PostgreSQL, everything else from the bus, so a console runs beside
//! the pipeline as well as within it.
//!
//! Rejected: an application in the browser, which needs a tool chain, breaks without JavaScript, and shows an operator
//! in a hurry a spinner.

mod about;
mod app;
mod articles;
mod ask;
mod assets;
mod events;
mod failure;
mod feeds;
mod feeds_out;
mod guard;
mod keys;
mod letters;
mod look;
mod marks;
mod openapi;
mod overview;
mod render;
mod routes;
mod session;
mod status;
mod store;
mod trace;

pub use app::{Parts, Setting, TopicAbout};
pub use routes::{ConsoleError, router};
