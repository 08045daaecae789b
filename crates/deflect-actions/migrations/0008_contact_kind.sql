-- What a contact before a call was: a visit to a page, or a contact by an entry point.
ALTER TABLE precall_contact ADD COLUMN kind TEXT NOT NULL DEFAULT 'contact';
CREATE INDEX precall_caller ON precall_contact (caller_key, at_ms);
