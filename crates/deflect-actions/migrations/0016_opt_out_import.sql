-- Many opt-outs at once: gathered, decided on by one row, then put into opt_out piece by piece, also by
-- whoever starts after a crash. What is not decided never happened.
CREATE TABLE opt_out_import (
  import_id TEXT PRIMARY KEY, via TEXT NOT NULL, begun_ms BIGINT NOT NULL,
  decided_ms BIGINT);                            -- NULL: still gathered
CREATE TABLE opt_out_staged (
  import_id TEXT NOT NULL, n BIGINT NOT NULL, opt_key TEXT NOT NULL, brand TEXT NOT NULL,
  topic TEXT NOT NULL, shown TEXT NOT NULL, PRIMARY KEY (import_id, n));
