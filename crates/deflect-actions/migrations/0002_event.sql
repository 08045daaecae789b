-- Events that wait to be told to the webhooks of the configuration: a row an event and webhook,
-- deleted when it was taken. hook: hash of its URL. body: as it is sent, without numbers, digits and texts.
CREATE TABLE event (
  event_id TEXT NOT NULL, hook TEXT NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL,
  created_ms BIGINT NOT NULL, attempt SMALLINT NOT NULL DEFAULT 0, next_try_ms BIGINT NOT NULL,
  claimed_by TEXT, lease_until_ms BIGINT, PRIMARY KEY (event_id, hook));
CREATE INDEX event_due ON event (next_try_ms);
