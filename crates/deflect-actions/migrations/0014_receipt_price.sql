-- What a receipt told of parts and price, for the message that is matched with it later; and whose words an event
-- holds, so that they are erased with the person.
ALTER TABLE receipt ADD COLUMN segments SMALLINT;
ALTER TABLE receipt ADD COLUMN price_micros BIGINT;
ALTER TABLE event ADD COLUMN caller_key TEXT;
