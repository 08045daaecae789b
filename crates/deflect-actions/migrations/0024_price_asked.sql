-- How often the provider was asked what a text cost that it tells to who asks only; 9: it said so.
ALTER TABLE message ADD COLUMN price_asked SMALLINT NOT NULL DEFAULT 0;
