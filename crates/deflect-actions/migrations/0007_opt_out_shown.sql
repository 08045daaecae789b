-- Country and last two digits of who opted out, for lists; NULL where nobody knows them any more.
ALTER TABLE opt_out ADD COLUMN shown TEXT;
