-- Times are milliseconds since 1970.
CREATE TABLE article(
  seq        INTEGER PRIMARY KEY,
  id         TEXT NOT NULL UNIQUE,
  revision   INTEGER NOT NULL,
  topics_version TEXT NOT NULL,
  generation INTEGER NOT NULL,   -- of the log that it came from, see position
  url        TEXT NOT NULL,
  title      TEXT NOT NULL,
  language   TEXT,
  kind       TEXT NOT NULL,
  domain     TEXT NOT NULL,
  published  INTEGER,
  first_seen INTEGER NOT NULL,
  value      ANY NOT NULL        -- the tagged message: text as it is, blob compressed with Zstandard
) STRICT;
CREATE INDEX article_time ON article(first_seen, seq);

CREATE TABLE tag(
  topic      TEXT NOT NULL,
  first_seen INTEGER NOT NULL,   -- of the article: the newest of a topic are one range
  seq        INTEGER NOT NULL REFERENCES article(seq),
  score      REAL NOT NULL,
  PRIMARY KEY(topic, first_seen, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX tag_article ON tag(seq);

-- Row ids are article.seq. The text itself is in article.value, compressed.
CREATE VIRTUAL TABLE search USING fts5(title, text, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2');
-- Measured over SQLite's FTS5 alone, 500 articles of 5 kB a transaction: 1,560 articles per second of CPU with the
-- defaults; 2,160 when a batch's words are gathered in 16 MiB rather than 1 MiB; 2,560 when segments are also merged
-- eight at a time rather than four, on leaves that fill a page.
INSERT INTO search(search, rank) VALUES ('hashsize', 16777216), ('automerge', 8), ('pgsz', 8000);

CREATE TABLE position(
  log        TEXT NOT NULL,
  partition  INTEGER NOT NULL,
  next       INTEGER NOT NULL,
  newest     INTEGER NOT NULL,   -- when the newest stored message was written
  generation INTEGER NOT NULL,   -- how often the log was begun anew
  PRIMARY KEY(log, partition)
) STRICT, WITHOUT ROWID;
