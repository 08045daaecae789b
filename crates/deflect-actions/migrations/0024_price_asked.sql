-- How often the provider was asked what a text cost that it tells to who asks only; 9: it said so.
ALTER TABLE message ADD COLUMN price_asked SMALLINT NOT NULL DEFAULT 0;
-- When it said so: other nodes count it then.
ALTER TABLE message ADD COLUMN priced_ms BIGINT;
CREATE INDEX message_unpriced ON message (provider, message_id) WHERE price_asked < 5;
CREATE INDEX message_priced ON message (priced_ms) WHERE priced_ms IS NOT NULL;
