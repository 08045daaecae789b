-- Pages of links: which browser a link is bound to (hash of its name), when a bot asked who comes, and
-- when the app beside it was opened. What stands on a page is encrypted in context_ref.
ALTER TABLE link ADD COLUMN browser TEXT;
ALTER TABLE link ADD COLUMN context_read_ms BIGINT;
ALTER TABLE link ADD COLUMN app_ms BIGINT;
CREATE INDEX link_message ON link (message_id);
