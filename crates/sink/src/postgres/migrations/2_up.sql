-- Which story an article belongs to, see story.rs. Articles without a row are a story of their own: those that were
-- stored before this version, and what is not compared.
CREATE TABLE story(
  -- Rises in the order in which stories were given, for they are given under a lock: what is new is what is higher.
  number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  article     text COLLATE "C" NOT NULL UNIQUE REFERENCES article(id) ON DELETE CASCADE,
  story       text COLLATE "C" NOT NULL,   -- id of the article that it began with
  fingerprint bigint NOT NULL,
  language    bigint NOT NULL,
  first_seen  bigint NOT NULL              -- milliseconds since 1970
);
CREATE INDEX story_articles ON story(story);
