//! Labels, and how right the answers to them were.

/// Whether an article is about a topic, as its reader saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// The article is about the topic.
    pub positive: bool,
    /// Another reader could see it otherwise.
    pub borderline: bool,
}

/// Right and wrong answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tagged, and rightly so.
    pub right: usize,
    /// Tagged, but not about the topic.
    pub wrong: usize,
    /// About the topic, but not tagged.
    pub missed: usize,
}

impl Counts {
    /// Counts one answer.
    pub fn add(&mut self, positive: bool, tagged: bool) {
        self.right += usize::from(positive && tagged);
        self.wrong += usize::from(!positive && tagged);
        self.missed += usize::from(positive && !tagged);
    }

    /// Adds other counts.
    pub fn merge(&mut self, other: Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.missed += other.missed;
    }

    /// Returns the share of the tags given that were right; 0 where none was given.
    pub fn precision(&self) -> f64 {
        self.right as f64 / (self.right + self.wrong).max(1) as f64
    }

    /// Returns the share of the articles about the topic that were tagged; 0 where there are none.
    pub fn recall(&self) -> f64 {
        self.right as f64 / (self.right + self.missed).max(1) as f64
    }

    /// Returns the harmonic mean of precision and recall; 0 where nothing was right.
    pub fn f1(&self) -> f64 {
        let sides = (2 * self.right + self.wrong + self.missed) as f64;
        if sides > 0.0 {
            2.0 * self.right as f64 / sides
        } else {
            0.0
        }
    }
}

/// Answers over all labels, and over those on which readers would not differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fared {
    /// Over all labels.
    pub all: Counts,
    /// Without borderline labels.
    pub clear: Counts,
}

impl Fared {
    /// Counts one answer.
    pub fn add(&mut self, label: Label, tagged: bool) {
        self.all.add(label.positive, tagged);
        if !label.borderline {
            self.clear.add(label.positive, tagged);
        }
    }

    /// Adds other answers.
    pub fn merge(&mut self, other: Self) {
        self.all.merge(other.all);
        self.clear.merge(other.clear);
    }
}
