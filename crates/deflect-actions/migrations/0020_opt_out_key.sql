-- By which key the opt-outs of a business are hashed: a check value, which finds nobody.
CREATE TABLE opt_out_key (business TEXT PRIMARY KEY, key_check TEXT NOT NULL, since_ms BIGINT NOT NULL);
