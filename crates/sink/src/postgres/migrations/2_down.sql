DROP TABLE story;
