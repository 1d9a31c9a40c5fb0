//! Consumer groups: who owns which partition, and how partitions change hands.

use std::collections::{BTreeMap, BTreeSet};

use super::random::SplitMix64;

/// The sessions of one group on one topic, and what they have committed.
///
/// A partition that is to change hands stays with its owner until that has seen the revocation and come back, or
/// is gone; only then somebody else gets it (Kafka's cooperative protocol).
#[derive(Debug, Default)]
pub(super) struct Group {
    members: BTreeMap<u64, Member>,
    partitions: u32,
    /// Next offset and attempts per partition.
    pub(super) committed: BTreeMap<u32, (u64, u32)>,
}

#[derive(Debug, Default)]
struct Member {
    owned: BTreeSet<u32>,
    /// Of those, the ones that it does not know of yet.
    assigned: BTreeSet<u32>,
    /// Of those, the ones that it is to give up, and does not know yet.
    revoked: BTreeSet<u32>,
    /// Of those, the ones that it knows it is to give up.
    leaving: BTreeSet<u32>,
}

impl Group {
    pub(super) fn new(partitions: u32) -> Self {
        Self {
            partitions,
            ..Self::default()
        }
    }

    pub(super) fn busy(&self) -> bool {
        !self.members.is_empty()
    }

    pub(super) fn is_member(&self, session: u64) -> bool {
        self.members.contains_key(&session)
    }

    pub(super) fn members(&self) -> Vec<u64> {
        self.members.keys().copied().collect()
    }

    pub(super) fn owns(&self, session: u64, partition: u32) -> bool {
        self.members
            .get(&session)
            .is_some_and(|m| m.owned.contains(&partition) && !m.assigned.contains(&partition))
    }

    pub(super) fn join(&mut self, session: u64) {
        self.members.insert(session, Member::default());
        self.balance();
    }

    pub(super) fn leave(&mut self, session: u64) {
        if self.members.remove(&session).is_some() {
            self.balance();
        }
    }

    /// What a session is to learn that it owns now.
    pub(super) fn take_assigned(&mut self, session: u64) -> BTreeSet<u32> {
        let member = self.members.get_mut(&session);
        member
            .map(|m| std::mem::take(&mut m.assigned))
            .unwrap_or_default()
    }

    /// What a session is to learn that it must give up.
    pub(super) fn take_revoked(&mut self, session: u64) -> BTreeSet<u32> {
        let Some(member) = self.members.get_mut(&session) else {
            return BTreeSet::new();
        };
        let revoked = std::mem::take(&mut member.revoked);
        member.leaving.extend(&revoked);
        revoked
    }

    /// Takes in that a session is done with what it had to give up.
    pub(super) fn release(&mut self, session: u64) {
        let Some(member) = self.members.get_mut(&session) else {
            return;
        };
        let leaving = std::mem::take(&mut member.leaving);
        if !leaving.is_empty() {
            member.owned.retain(|p| !leaving.contains(p));
            self.balance();
        }
    }

    /// Has some partitions given up; whoever then has too few gets them, which may be who had them.
    pub(super) fn shuffle(&mut self, random: &mut SplitMix64) {
        for member in self.members.values_mut() {
            let ours: Vec<u32> = member.owned.iter().copied().collect();
            for partition in ours {
                if random.below(2) == 0 {
                    member.give_up(partition);
                }
            }
        }
        self.balance();
    }

    /// Spreads the partitions evenly and moves as few as it can.
    fn balance(&mut self) {
        if self.members.is_empty() {
            return;
        }
        let count = self.members.len();
        let total = usize::try_from(self.partitions).unwrap_or_default();
        let quota = |i: usize| total / count + usize::from(i < total % count);
        for (i, member) in self.members.values_mut().enumerate() {
            while member.staying().count() > quota(i) {
                let Some(last) = member.staying().last() else {
                    break;
                };
                member.give_up(last);
            }
        }
        let owned: BTreeSet<u32> = self
            .members
            .values()
            .flat_map(|m| m.owned.iter().copied())
            .collect();
        let mut free = (0..self.partitions).filter(|p| !owned.contains(p));
        for (i, member) in self.members.values_mut().enumerate() {
            while member.staying().count() < quota(i) {
                let Some(partition) = free.next() else { return };
                member.owned.insert(partition);
                member.assigned.insert(partition);
            }
        }
    }
}

impl Member {
    fn staying(&self) -> impl Iterator<Item = u32> + '_ {
        let given_up = |p: &u32| self.revoked.contains(p) || self.leaving.contains(p);
        self.owned.iter().copied().filter(move |p| !given_up(p))
    }

    fn give_up(&mut self, partition: u32) {
        if self.assigned.remove(&partition) {
            // It never knew.
            self.owned.remove(&partition);
        } else if !self.leaving.contains(&partition) {
            self.revoked.insert(partition);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_moves_after_its_owner_has_seen_it_go() {
        let mut group = Group::new(4);
        group.join(1);
        assert_eq!(group.take_assigned(1).len(), 4);
        group.join(2);
        assert!(group.take_assigned(2).is_empty(), "nothing is free yet");
        assert_eq!(group.take_revoked(1), BTreeSet::from([2, 3]));
        assert!(group.owns(1, 3), "seen, but not done with it");
        group.release(1);
        assert!(!group.owns(1, 3));
        assert_eq!(group.take_assigned(2), BTreeSet::from([2, 3]));
        group.leave(1);
        assert_eq!(
            group.take_assigned(2),
            BTreeSet::from([0, 1]),
            "of one that left, at once"
        );
    }
}
