//! Text of invented words, for measuring.

/// Words that are drawn: as many as a newspaper uses.
const WORDS: f64 = 50_000.0;

const SYLLABLES: [&str; 8] = ["ka", "то", "mi", "re", "ни", "sol", "an", "ве"];

/// Words by a Zipf-like law, so that an index has the shape that it has with real text: the commonest word is in nearly
/// every article, most are in a few. The same in every run.
#[derive(Debug)]
pub struct Words(u64);

impl Default for Words {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Words {
    /// Draws a number (xorshift64).
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Draws words up to that many bytes, and the rest of the last.
    pub fn text(&mut self, bytes: usize) -> String {
        let mut text = String::new();
        while text.len() < bytes {
            text.push_str(&self.word());
            text.push(if self.number().is_multiple_of(90) {
                '\n'
            } else {
                ' '
            });
        }
        text
    }

    /// Draws a word whose rank has a density of 1/rank.
    fn word(&mut self) -> String {
        let uniform = (self.number() % 1_000_000) as f64 / 1e6;
        word(WORDS.powf(uniform) as u64)
    }
}

/// Gives the word of a rank; 1 is the commonest.
pub fn word(rank: u64) -> String {
    let (mut word, mut rank) = (String::new(), rank);
    loop {
        let at = usize::try_from(rank % 8).unwrap_or_default();
        word.push_str(SYLLABLES.get(at).copied().unwrap_or("a"));
        rank /= 8;
        if rank == 0 {
            return word;
        }
    }
}
