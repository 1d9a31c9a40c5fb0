-- What lists are filtered by, beside topics: the newest of a domain and of a language are one range each.
CREATE TABLE label(
  name       TEXT NOT NULL,      -- 'd:' and a domain: its own and those above it that have a dot; 'l:' and a language
  first_seen INTEGER NOT NULL,   -- of the article
  seq        INTEGER NOT NULL REFERENCES article(seq),
  PRIMARY KEY(name, first_seen, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO label(name, first_seen, seq)
WITH RECURSIVE part(domain, first_seen, seq) AS (
  SELECT lower(domain), first_seen, seq FROM article
  UNION ALL
  SELECT substr(domain, instr(domain, '.') + 1), first_seen, seq FROM part
  WHERE instr(substr(domain, instr(domain, '.') + 1), '.') > 0 AND instr(domain, '.') > 0
)
SELECT 'd:' || domain, first_seen, seq FROM part
UNION ALL
SELECT 'l:' || lower(substr(language, 1, instr(language || '-', '-') - 1)), first_seen, seq
FROM article WHERE language IS NOT NULL;

-- What filters ask of an article that was found by its words, without its row, which is wide.
CREATE INDEX article_filters ON article(seq, first_seen, domain, language);

-- Rows of the articles that were first seen on a day are among these: words are sought in the order of rows.
CREATE TABLE day(
  day   INTEGER PRIMARY KEY,     -- since 1970
  least INTEGER NOT NULL,
  most  INTEGER NOT NULL
) STRICT;

INSERT INTO day(day, least, most)
SELECT first_seen / 86400000 - (first_seen % 86400000 < 0), min(seq), max(seq) FROM article GROUP BY 1;
