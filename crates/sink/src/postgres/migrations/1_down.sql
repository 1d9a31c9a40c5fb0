DROP TABLE position;
DROP TABLE tag;
DROP TABLE article;
