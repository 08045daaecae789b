-- The buttons of a page by which the business was asked to write, and took it: a name a line.
ALTER TABLE link ADD COLUMN invited TEXT;
