-- file: where the revision was last read; subs: its sub-flow files, a JSON object from name to text.
-- Both are NULL for revisions of before.
ALTER TABLE flow_rev ADD COLUMN file TEXT;
ALTER TABLE flow_rev ADD COLUMN subs TEXT;
