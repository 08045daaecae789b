-- step: the step that booked it; max_tries: how often it is dialled at most.
ALTER TABLE callback ADD COLUMN step TEXT;
ALTER TABLE callback ADD COLUMN max_tries SMALLINT NOT NULL DEFAULT 3;
CREATE INDEX callback_due ON callback (due_ms);
