//! Articles to tags with score and evidence; the topics are data.
//!
//! Topic files (TOML) define concepts (countries, institutions, persons with their terms of office, places, events,
//! documents, instruments) and, for each topic, signals: which concepts speak for it and which against. One automaton
//! finds all concepts of all topics and languages; a regularised logistic regression over features of aboutness
//! (title, lead, number, density, spread, share, who acts) gives a calibrated score, and every tag says which words made it.
//!
//! Pure: files and articles come in as values. A language model was rejected: it is slow, it changes under one's
//! feet, and it cannot say why; plain keyword rules were rejected because they mistake the passing mention for the
//! topic.

mod beginning;
mod classifier;
mod fared;
mod fold;
mod language;
mod lexicon;
mod pattern;
mod reading;
mod regression;
mod review;
mod search;
mod signal;
mod source;
mod topic;
mod train;

pub use classifier::{Classified, Classifier, Document, builtin};
pub use fared::{Counts, Fared, Label};
pub use review::{Change, Explanation, Mistake, Tested, TopicExplanation, diff, explain, test};
pub use source::{Problem, TopicFile};
pub use train::{Example, TopicReport, Trained, train};
