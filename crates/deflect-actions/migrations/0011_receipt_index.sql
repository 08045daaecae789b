-- What was told of a message, and early receipts, are looked up for each text.
CREATE INDEX receipt_message ON receipt (message_id);
CREATE INDEX receipt_provider ON receipt (provider, provider_id);
