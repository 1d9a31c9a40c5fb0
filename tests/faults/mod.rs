//! Exactly once, through faults.
//!
//! A *campaign* keeps news coming, makes faults at random moments and then judges what is left: every article exactly
//! once in what a read-committed consumer sees, in order, and the sink equal to it. `make test` runs short campaigns,
//! `make faults` long ones (`TELEX_FAULTS` faults each); `TELEX_FAULTS_SEED` repeats one.

mod campaign;
mod disk;
mod embedded;
mod flood;
mod judge;
mod kafka;
mod newsroom;
