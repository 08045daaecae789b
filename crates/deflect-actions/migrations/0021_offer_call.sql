-- The call by which an offer is taken up: its own, or that of another matter.
ALTER TABLE remote_offer ADD COLUMN taken_call TEXT;
