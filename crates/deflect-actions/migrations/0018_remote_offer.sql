-- Offers made to callers of other IVRs, until they are taken up, on whichever node; and what came of it, for
-- who asks twice.
CREATE TABLE remote_offer (
  offer_id TEXT PRIMARY KEY, question_enc TEXT, created_ms BIGINT NOT NULL, expires_ms BIGINT NOT NULL,
  taken_key TEXT, taken_ms BIGINT, answer TEXT);
CREATE INDEX remote_offer_created ON remote_offer (created_ms);
