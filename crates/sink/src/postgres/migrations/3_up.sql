-- Places of articles in the order of storage; those that are there get theirs as their rows lie. An article that is
-- stored again keeps its place.
ALTER TABLE article ADD COLUMN seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE;
-- Places are taken before the rows are copied, also by users who may only write.
GRANT USAGE ON SEQUENCE article_seq_seq TO PUBLIC;
DROP INDEX article_time;
CREATE INDEX article_time ON article(first_seen, seq);

-- What changed, in order, for readers that follow.
CREATE TABLE change(
  -- Given under the lock of links.rs, so that what is visible is never joined by something lower.
  number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  article   text COLLATE "C" UNIQUE,  -- id of one that was stored; only its last change is kept
  withdrawn text COLLATE "C"          -- or of one that is gone
);
