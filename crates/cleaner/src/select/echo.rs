//! Finds lines whose words stand elsewhere on the page as well: quotations set large, teasers, captions.

/// Words of a group. Five in a row are rarely said twice by chance.
const GROUP: usize = 5;
/// Slots for groups, a power of two; a story has 300 to 3,000. Where two groups share a slot, the first one keeps it.
const SLOTS: usize = 1 << 13;

/// The groups of words of a page's blocks.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    /// Hash of the group, the first block that has it, and whether another has it too.
    slots: Vec<(u32, u32)>,
    /// Slots of the groups of all blocks, one after the other.
    groups: Vec<(u16, u32)>,
    /// Where the groups of each block end.
    ends: Vec<usize>,
}

/// Bit of a slot that is set when a second block has the group.
const SHARED: u32 = 1 << 31;

impl Echoes {
    /// Adds the next block by the hashes of its words.
    pub(super) fn add(&mut self, row: usize, words: &[u64]) {
        if self.slots.is_empty() {
            self.slots = vec![(0, 0); SLOTS];
        }
        let row = row as u32 + 1;
        for group in words.windows(GROUP) {
            let hash = join(group);
            let (slot, upper) = (hash as usize % SLOTS, (hash >> 32) as u32);
            if let Some(held) = self.slots.get_mut(slot) {
                if held.1 == 0 {
                    *held = (upper, row);
                } else if held.0 == upper && held.1 & !SHARED != row {
                    held.1 |= SHARED;
                }
            }
            self.groups.push((slot as u16, upper));
        }
        self.ends.push(self.groups.len());
    }

    /// Tells which share of a block's groups another block has too; -1 for lines of fewer words than a group.
    pub(super) fn share(&self, row: usize) -> f32 {
        let end = self.ends.get(row).copied().unwrap_or(0);
        let begin = row
            .checked_sub(1)
            .and_then(|before| self.ends.get(before))
            .copied();
        let groups = self.groups.get(begin.unwrap_or(0)..end).unwrap_or_default();
        if groups.is_empty() {
            return -1.0;
        }
        let shared = groups.iter().filter(|(slot, upper)| {
            let held = self.slots.get(usize::from(*slot));
            held.is_some_and(|held| held.0 == *upper && held.1 & SHARED != 0)
        });
        shared.count() as f32 / groups.len() as f32
    }
}

fn join(group: &[u64]) -> u64 {
    group.iter().fold(0, |hash: u64, word| {
        (hash.rotate_left(21) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

#[cfg(test)]
mod tests {
    use super::Echoes;

    #[test]
    fn a_line_that_stands_inside_another_is_an_echo_and_so_is_part_of_that() {
        let mut echoes = Echoes::default();
        echoes.add(0, &[1, 2, 3, 4, 5, 6, 7, 8]);
        echoes.add(1, &[9, 10, 11, 12, 13, 14]);
        echoes.add(2, &[2, 3, 4, 5, 6, 7]);
        echoes.add(3, &[1, 2]);
        assert_eq!([0, 1, 2, 3].map(|row| echoes.share(row)), [0.5, 0.0, 1.0, -1.0]);
    }
}
