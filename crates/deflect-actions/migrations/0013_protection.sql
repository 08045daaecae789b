-- What protects people and money and is learned as it goes, for all nodes and over restarts:
-- `answer` (answers to a number in the hour that at_ms began), `risk` (score of a number), `pause`
-- (a sender whose texts are taken for spam).
CREATE TABLE protection (
  kind TEXT NOT NULL, scope_key TEXT NOT NULL, n BIGINT NOT NULL,
  at_ms BIGINT NOT NULL, until_ms BIGINT NOT NULL, PRIMARY KEY (kind, scope_key));
