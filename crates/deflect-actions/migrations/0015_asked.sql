-- When the page of a link asked how it went, after which no text does; and the texts that wait to ask.
ALTER TABLE link ADD COLUMN asked_ms BIGINT;
CREATE INDEX message_question ON message (call_id) WHERE purpose = 'rating' AND state = 'queued';
