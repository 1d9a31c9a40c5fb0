//! The command line of Telex.
fn main() {}
