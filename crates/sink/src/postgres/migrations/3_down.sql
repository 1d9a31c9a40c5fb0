DROP TABLE change;
DROP INDEX article_time;
ALTER TABLE article DROP COLUMN seq;
CREATE INDEX article_time ON article(first_seen, id);
