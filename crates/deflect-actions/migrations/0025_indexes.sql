-- What each minute looks for, without reading whole tables; an index holds what is looked for only.
DROP INDEX call_open;
CREATE INDEX call_open ON call (node_id, node_boot) WHERE ended_ms IS NULL;
CREATE INDEX message_erase ON message (erase_after_ms)
  WHERE erase_after_ms IS NOT NULL AND (dest_enc IS NOT NULL OR body_enc IS NOT NULL);
CREATE INDEX link_erase ON link (expires_ms) WHERE context_ref IS NOT NULL;
CREATE INDEX callback_erase ON callback (erase_after_ms) WHERE number_enc IS NOT NULL;
CREATE INDEX callback_booked ON callback (due_ms) WHERE state = 'booked';
CREATE INDEX callback_claimed ON callback (lease_until_ms) WHERE state IN ('claimed','calling');
-- What refers to a call or a consent is looked for before it goes.
CREATE INDEX consent_call ON consent (call_id);
CREATE INDEX message_consent ON message (consent_id);
-- What the hourly sweep looks for.
CREATE INDEX call_input_at ON call_input (at_ms);
CREATE INDEX destination_check_at ON destination_check (at_ms);
CREATE INDEX limit_hit_at ON limit_hit (at_ms);
CREATE INDEX precall_contact_at ON precall_contact (at_ms);
CREATE INDEX callback_over ON callback (created_ms) WHERE done_ms IS NOT NULL;
CREATE INDEX voicemail_over ON voicemail (created_ms) WHERE file IS NULL;
