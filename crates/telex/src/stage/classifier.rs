//! Articles to tagged articles.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use telex_classifier::{Classifier, Document};
use telex_model::event::{self, header};
use telex_model::{Article, ArticleId, Stage, Tagged, Topic, canary_header, to_json};
use telex_stream::{Message, Outcome, Output, Route, Transform, read_value};
use telex_telemetry::Metrics;

/// Reasons for which the classifier drops a message.
pub(crate) const DROP_REASONS: [&str; 1] = ["retraction"];

/// Reasons for which an article becomes a dead letter.
pub(crate) const DEAD_REASONS: [&str; 5] = [
    "invalid_json",
    "wrong_type",
    "oversize",
    "panic",
    "killed_process",
];

/// The classifier as a stage.
pub(crate) struct ClassifierStage {
    prefix: String,
    classifier: Arc<Classifier>,
    /// Topic of each tag, also of tags that earlier topic files gave: they can still be taken back.
    topics: Vec<(String, Topic)>,
    metrics: Arc<Metrics>,
}

impl ClassifierStage {
    /// `topics` are the classifier's tags with their topics.
    pub(crate) fn new(
        prefix: &str,
        classifier: Arc<Classifier>,
        topics: Vec<(String, Topic)>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let stage = Self {
            prefix: prefix.to_owned(),
            classifier,
            topics,
            metrics,
        };
        stage.declare();
        stage
    }

    /// Puts another set of topic files in use.
    pub(crate) fn replace(&mut self, classifier: Classifier, mut topics: Vec<(String, Topic)>) {
        let gone = |(tag, _): &(String, Topic)| !topics.iter().any(|(other, _)| other == tag);
        let gone: Vec<(String, Topic)> = self.topics.drain(..).filter(gone).collect();
        topics.extend(gone);
        self.classifier = Arc::new(classifier);
        self.topics = topics;
        self.declare();
    }

    /// The version of the topic files in use.
    #[cfg(test)]
    pub(super) fn version(&self) -> &str {
        self.classifier.version()
    }

    /// Tags that can be given or taken back.
    #[cfg(test)]
    pub(super) fn tags(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(|(tag, _)| tag.as_str())
    }

    /// Has the metric of every tag be there before the first article gets it.
    fn declare(&self) {
        self.topics
            .iter()
            .for_each(|(tag, _)| drop(self.metrics.tagged.with_label_values(&[tag])));
    }

    /// Sends a canary to its own topic, and to no other.
    fn canary(&self, message: &Message, id: ArticleId, value: Bytes, header: (String, String)) -> Output {
        let topic = Topic::Canary;
        let mut headers = event::headers(&topic, "classifier", id.to_string(), Timestamp::now());
        headers.push((
            event::TRACEPARENT.to_owned(),
            event::traceparent(id, 1, "classifier"),
        ));
        headers.push(header);
        Output {
            topic: topic.name(&self.prefix),
            key: Bytes::clone(&message.key),
            route: Route::Key,
            value: Some(value),
            headers,
        }
    }

    fn count(&self, tagged: &Tagged, now: Timestamp, again: bool) {
        let age = |since: Timestamp| now.duration_since(since).as_secs_f64().max(0.0);
        tagged
            .tags
            .iter()
            .for_each(|t| self.metrics.tagged.with_label_values(&[&t.topic]).inc());
        if tagged.revision == 1 && !again {
            self.metrics.seen_to_tagged.observe(age(tagged.first_seen));
            if let Some(published) = tagged.published {
                self.metrics.published_to_tagged.observe(age(published));
            }
        }
    }
}

impl Transform for ClassifierStage {
    fn process(&self, message: &Message) -> Outcome {
        let article: Article = match read_value(message, &Topic::Articles) {
            Ok(article) => article,
            Err(outcome) => return outcome,
        };
        let document = Document {
            title: &article.title,
            text: &article.text,
            language: article.language.as_deref(),
        };
        let found = self.classifier.classify(&document);
        let (id, revision, first_seen) = (article.id, article.revision, article.first_seen);
        let mut tagged = Tagged::new(article, self.classifier.version(), found.tags, found.concepts);
        tagged.language = tagged.language.or(found.language);
        let again = header(&message.headers, event::REPLAY).is_some();
        let now = Timestamp::now();
        let event_id = format!("{id}:{revision}:{}", tagged.topics_version);
        let mut headers = event::headers(&Topic::Tagged, "classifier", event_id, now);
        let tags: Vec<&str> = tagged.tags.iter().map(|t| t.topic.as_str()).collect();
        headers.push((
            event::TRACEPARENT.to_owned(),
            event::traceparent(id, revision, "classifier"),
        ));
        headers.push((event::TAGS.to_owned(), tags.join(",")));
        headers.push((event::FIRST_SEEN.to_owned(), first_seen.to_string()));
        let value = Bytes::from(to_json(&tagged));
        if let Some(canary) = canary_header(&message.headers) {
            self.metrics.canary(Stage::Classifier);
            return Outcome::Emit(vec![self.canary(message, id, value, canary)]);
        }
        let output = |topic: &Topic, value: Option<Bytes>| Output {
            topic: topic.name(&self.prefix),
            key: Bytes::clone(&message.key),
            route: Route::Key,
            value,
            headers: headers.clone(),
        };
        let mut outputs = vec![output(&Topic::Tagged, Some(value.clone()))];
        for (tag, topic) in &self.topics {
            if tags.contains(&tag.as_str()) {
                outputs.push(output(topic, Some(value.clone())));
            } else if revision > 1 || again {
                // An earlier revision or the same one under earlier topic files may have had the tag; a retraction of
                // what never was changes nothing.
                outputs.push(output(topic, None));
            }
        }
        self.count(&tagged, now, again);
        Outcome::Emit(outputs)
    }
}
