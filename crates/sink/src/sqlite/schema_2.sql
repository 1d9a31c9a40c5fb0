-- Which story an article belongs to, see story.rs. Articles without a row are a story of their own: those that were
-- stored before this version, and what is not compared.
CREATE TABLE story(
  seq         INTEGER PRIMARY KEY REFERENCES article(seq),
  story       TEXT NOT NULL,      -- id of the article that it began with
  fingerprint INTEGER NOT NULL,
  language    INTEGER NOT NULL,
  first_seen  INTEGER NOT NULL
) STRICT;
CREATE INDEX story_articles ON story(story);

-- What changed, in order, for readers that follow: no number is given twice, also where the newest are deleted.
CREATE TABLE change(
  number     INTEGER PRIMARY KEY AUTOINCREMENT,
  seq        INTEGER UNIQUE,     -- the article that was stored; only its last change is kept
  withdrawn  TEXT                -- or the id of one that is gone
) STRICT;
