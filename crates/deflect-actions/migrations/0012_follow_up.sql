-- Texts that are to follow calls, from the end of the call until they are in the outbox.
CREATE TABLE follow_up (
  call_id TEXT NOT NULL, step TEXT NOT NULL,
  node_id TEXT NOT NULL, node_boot TEXT NOT NULL,  -- who sees to it
  dest_key TEXT NOT NULL, order_enc TEXT NOT NULL, at_ms BIGINT NOT NULL, PRIMARY KEY (call_id, step));
