-- Since when an opt-out is found no more, for lists: the key it is hashed under was given up.
ALTER TABLE opt_out ADD COLUMN lost_ms BIGINT;
