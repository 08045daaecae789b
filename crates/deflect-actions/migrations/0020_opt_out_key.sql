-- By which keys the opt-outs of a brand were hashed: a check value, which finds nobody.
CREATE TABLE opt_out_key (
  brand TEXT NOT NULL, key_check TEXT NOT NULL, since_ms BIGINT NOT NULL, PRIMARY KEY (brand, key_check));
