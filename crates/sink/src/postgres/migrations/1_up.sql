CREATE TABLE article(
  id             text COLLATE "C" PRIMARY KEY,
  revision       bigint NOT NULL,
  topics_version text NOT NULL,
  generation     bigint NOT NULL,   -- of the log that it came from, see position
  url            text NOT NULL,
  canonical_url  text,
  title          text NOT NULL,
  text           text NOT NULL,
  authors        text[] NOT NULL,
  published      timestamptz,
  modified       timestamptz,
  first_seen     timestamptz NOT NULL,
  language       text,
  kind           text NOT NULL,
  domain         text NOT NULL,
  feed           text NOT NULL,
  quality        double precision NOT NULL,
  fingerprint    text,
  lead_image     text,
  message        jsonb NOT NULL,    -- the tagged message, whole
  -- Cut where even words of four-byte letters, each another one, stay below the megabyte that a tsvector may have.
  search         tsvector NOT NULL GENERATED ALWAYS AS (
    setweight(to_tsvector('simple', left(title, 2000)), 'A') || to_tsvector('simple', left(text, 100000))
  ) STORED
);
CREATE INDEX article_time ON article(first_seen, id);
CREATE INDEX article_search ON article USING gin(search);

CREATE TABLE tag(
  article    text COLLATE "C" NOT NULL REFERENCES article(id) ON DELETE CASCADE,
  topic      text COLLATE "C" NOT NULL,
  first_seen timestamptz NOT NULL,  -- of the article: the newest of a topic are one range
  score      double precision NOT NULL,
  evidence   jsonb NOT NULL,
  PRIMARY KEY(article, topic)
);
CREATE INDEX tag_newest ON tag(topic, first_seen DESC, article);

CREATE TABLE position(
  log        text COLLATE "C" NOT NULL,
  partition  bigint NOT NULL,
  next       bigint NOT NULL,
  newest     bigint NOT NULL,       -- when the newest stored message was written, milliseconds since 1970
  generation bigint NOT NULL,       -- how often the log was begun anew
  PRIMARY KEY(log, partition)
);
