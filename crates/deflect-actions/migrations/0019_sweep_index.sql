-- What the hourly sweep and a booking look for, without reading whole tables.
CREATE INDEX step_entered ON step (entered_ms);
CREATE INDEX remote_offer_expires ON remote_offer (expires_ms) WHERE question_enc IS NOT NULL;
CREATE INDEX callback_caller ON callback (caller_key, created_ms);
