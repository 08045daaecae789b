-- Receipts name their attempt: the number of the last that was written, or that was given up.
ALTER TABLE message ADD COLUMN try_no INTEGER NOT NULL DEFAULT 0;
UPDATE message SET try_no = 1 WHERE write_ms IS NOT NULL OR provider_id IS NOT NULL;
