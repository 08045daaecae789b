-- Events that hold the words of a person are encrypted: body is empty then.
ALTER TABLE event ADD COLUMN body_enc TEXT;
