//! Cases on sessions.

mod batches;
mod commits;
mod topics;

pub use batches::*;
pub use commits::*;
pub use topics::*;
