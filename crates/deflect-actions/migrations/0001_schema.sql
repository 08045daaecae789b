-- Carom's store: tables, views and report queries. Runs unchanged on SQLite and PostgreSQL.
-- Times: BIGINT milliseconds UTC, suffix _ms.  Money: BIGINT micros.  Hashes: lower-case hex TEXT.
-- Flags: SMALLINT 0/1.  *_enc: AEAD ciphertext in base64, set to NULL once erase_after_ms has passed.
-- *_key / *_key_prev: keyed hash under this epoch's and the previous epoch's secret; joins match either.
-- Ids are UUIDv7 text.  Intervals longer than 24 days never appear as a product of literals
-- (PostgreSQL would compute it in 32 bits): they are parameters, in milliseconds.

-- ------------------------------------------------------------------ tables: what the reports use
CREATE TABLE node (
  node_id TEXT NOT NULL, node_boot TEXT NOT NULL, version TEXT NOT NULL, started_ms BIGINT NOT NULL,
  lease_until_ms BIGINT NOT NULL, draining SMALLINT NOT NULL DEFAULT 0, stopped_ms BIGINT,
  PRIMARY KEY (node_id, node_boot));

CREATE TABLE flow_rev (                          -- what was served; the files are the source of truth
  flow_rev TEXT PRIMARY KEY, flow TEXT NOT NULL, source TEXT NOT NULL, first_served_ms BIGINT NOT NULL);

CREATE TABLE call (
  call_id TEXT PRIMARY KEY,
  node_id TEXT NOT NULL, node_boot TEXT NOT NULL,
  origin TEXT NOT NULL DEFAULT 'trunk' CHECK (origin IN ('trunk','api','callback')),
  trunk TEXT, did TEXT, business TEXT NOT NULL, flow TEXT, flow_rev TEXT,
  sip_call_id_a TEXT, sip_call_id_b TEXT,
  started_ms BIGINT NOT NULL, answered_ms BIGINT, ended_ms BIGINT,
  local_date TEXT NOT NULL,                      -- YYYY-MM-DD in the line's zone, fixed at write time, as are:
  local_dow SMALLINT NOT NULL,                   -- 1 = Monday … 7 = Sunday
  local_hour SMALLINT NOT NULL, local_quarter SMALLINT NOT NULL CHECK (local_quarter BETWEEN 0 AND 95),
  caller_key TEXT, caller_key_prev TEXT,         -- both NULL when the number is withheld or unusable
  caller_region TEXT, caller_line_type TEXT, verstat TEXT,
  language TEXT, intent TEXT, customer_type TEXT,
  arm TEXT NOT NULL DEFAULT 'on' CHECK (arm IN ('on','holdout')),
  last_step TEXT,
  forward_target TEXT, forward_started_ms BIGINT,
  human_answered_ms BIGINT, human_ended_ms BIGINT,
  handled TEXT CHECK (handled IN ('human','no_human','unknown')),   -- NULL while the call runs
  end_reason TEXT CHECK (end_reason IN ('deflected','answered_in_ivr','forwarded','callback_booked','voicemail',
    'caller_hangup','apology','no_route','error','rejected','emergency_bypass','test_call')),
  sip_final SMALLINT, mos_centi SMALLINT);       -- mean opinion score × 100
CREATE INDEX call_started ON call (started_ms);
CREATE INDEX call_caller ON call (caller_key, business, started_ms);
CREATE INDEX call_caller_prev ON call (caller_key_prev, business, started_ms);
CREATE INDEX call_open ON call (node_id, node_boot, ended_ms);

CREATE TABLE step (
  call_id TEXT NOT NULL, seq INTEGER NOT NULL, step TEXT NOT NULL, kind TEXT NOT NULL,
  entered_ms BIGINT NOT NULL, left_ms BIGINT, first_key_ms BIGINT,
  exit TEXT,                                     -- key label, timeout, wrong, hangup, error, next
  note TEXT,                                     -- e.g. the case taken, unknown:long_wait
  tries SMALLINT NOT NULL DEFAULT 1, PRIMARY KEY (call_id, seq));

CREATE TABLE offer (
  offer_id TEXT PRIMARY KEY, call_id TEXT NOT NULL, step TEXT NOT NULL,
  stage TEXT NOT NULL,                           -- every-call, use-case, business-hours, in-queue, menu, agent, api
  intent TEXT, offered_ms BIGINT NOT NULL,
  response TEXT NOT NULL CHECK (response IN ('pending','accepted','declined','timeout','hangup','suppressed')),
  pressed TEXT,                                  -- the key that answered it
  reason TEXT,                                   -- why suppressed: holdout, share, unknown:textable, not_available, …
  channel TEXT,
  CHECK (response <> 'suppressed' OR reason IS NOT NULL));
CREATE INDEX offer_call ON offer (call_id);

CREATE TABLE consent (
  consent_id TEXT PRIMARY KEY, call_id TEXT NOT NULL REFERENCES call (call_id), step TEXT NOT NULL,
  prompt_id TEXT NOT NULL, prompt_hash TEXT NOT NULL, language TEXT NOT NULL, pressed TEXT,
  purpose TEXT NOT NULL, dest_key TEXT NOT NULL, dest_key_prev TEXT, at_ms BIGINT NOT NULL, withdrawn_ms BIGINT);

CREATE TABLE message (
  message_id TEXT PRIMARY KEY, call_id TEXT NOT NULL REFERENCES call (call_id), offer_id TEXT,
  consent_id TEXT NOT NULL REFERENCES consent (consent_id),         -- EX-29: no message without one
  idem_key TEXT NOT NULL UNIQUE, purpose TEXT NOT NULL,
  channel TEXT NOT NULL, sender TEXT, provider TEXT, provider_id TEXT,
  dest_key TEXT NOT NULL, dest_key_prev TEXT, dest_region TEXT, dest_enc TEXT, body_enc TEXT, template TEXT,
  encoding TEXT, segments SMALLINT,
  state TEXT NOT NULL CHECK (state IN ('queued','claimed','accepted','sent','delivered','read',
    'undelivered','failed','ambiguous','unknown','canceled')),
  attempt SMALLINT NOT NULL DEFAULT 0, claimed_by TEXT, lease_until_ms BIGINT, next_try_ms BIGINT,
  write_ms BIGINT,                               -- committed before the first byte of the request is written; NULL again after a Definite failure
  error_class TEXT, error_code TEXT, price_micros BIGINT,
  created_ms BIGINT NOT NULL, valid_until_ms BIGINT NOT NULL, accepted_ms BIGINT, sent_ms BIGINT,
  delivered_ms BIGINT, read_ms BIGINT, failed_ms BIGINT, final_ms BIGINT, erase_after_ms BIGINT);
CREATE INDEX message_call ON message (call_id);
CREATE INDEX message_due ON message (state, next_try_ms);
CREATE INDEX message_provider ON message (provider, provider_id);
CREATE INDEX message_dest ON message (dest_key, created_ms);

CREATE TABLE link (
  link_id TEXT PRIMARY KEY, message_id TEXT, call_id TEXT, entry_point TEXT, destination TEXT NOT NULL,
  token_hash TEXT NOT NULL UNIQUE, level TEXT NOT NULL DEFAULT 'L0', context_ref TEXT,
  created_ms BIGINT NOT NULL, expires_ms BIGINT NOT NULL,
  first_fetch_ms BIGINT, first_human_ms BIGINT, redeemed_ms BIGINT);
CREATE INDEX link_call ON link (call_id);

CREATE TABLE outcome (
  outcome_id TEXT PRIMARY KEY, call_id TEXT NOT NULL,
  kind TEXT NOT NULL,                            -- resolved, unresolved, escalated, callback_requested, answered_in_ivr, rated
  csat SMALLINT, at_ms BIGINT NOT NULL, source TEXT NOT NULL);
CREATE INDEX outcome_call ON outcome (call_id);

CREATE TABLE rate (                              -- cost of one contact; kind: call | digital
  kind TEXT NOT NULL, valid_from_ms BIGINT NOT NULL, micros BIGINT NOT NULL, PRIMARY KEY (kind, valid_from_ms));

-- ------------------------------------------------------------------ tables: the rest
CREATE TABLE call_input (                        -- what the call machine was told, in order, for replay; secret digits masked
  call_id TEXT NOT NULL, seq INTEGER NOT NULL, at_ms BIGINT NOT NULL, input TEXT NOT NULL, PRIMARY KEY (call_id, seq));
CREATE TABLE receipt (                           -- as received, without numbers and bodies
  receipt_id TEXT PRIMARY KEY, provider TEXT NOT NULL, provider_id TEXT, message_id TEXT, dedup_key TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL, error_class TEXT, error_code TEXT, at_ms BIGINT, received_ms BIGINT NOT NULL);
CREATE TABLE opt_out (                           -- opt_key: a key of its own that never rotates
  opt_key TEXT NOT NULL, brand TEXT NOT NULL, topic TEXT NOT NULL DEFAULT '', via TEXT NOT NULL,
  since_ms BIGINT NOT NULL, revoked_ms BIGINT, PRIMARY KEY (opt_key, brand, topic, since_ms));
CREATE TABLE callback (
  callback_id TEXT PRIMARY KEY, call_id TEXT NOT NULL, caller_key TEXT, caller_key_prev TEXT,
  number_enc TEXT, target TEXT NOT NULL, due_ms BIGINT NOT NULL, tries SMALLINT NOT NULL DEFAULT 0,
  state TEXT NOT NULL CHECK (state IN ('booked','claimed','calling','done','failed','canceled')),
  claimed_by TEXT, lease_until_ms BIGINT, created_ms BIGINT NOT NULL, done_ms BIGINT, erase_after_ms BIGINT);
CREATE TABLE voicemail (
  voicemail_id TEXT PRIMARY KEY, call_id TEXT NOT NULL, step TEXT NOT NULL, file TEXT, length_ms BIGINT,
  created_ms BIGINT NOT NULL, heard_ms BIGINT, erase_after_ms BIGINT);
CREATE TABLE destination_check (
  link TEXT NOT NULL, at_ms BIGINT NOT NULL, ok SMALLINT NOT NULL, status INTEGER, took_ms BIGINT,
  cert_until_ms BIGINT, note TEXT, PRIMARY KEY (link, at_ms));
CREATE TABLE limit_hit (
  hit_id TEXT PRIMARY KEY, at_ms BIGINT NOT NULL, call_id TEXT, rule TEXT NOT NULL, scope TEXT NOT NULL, scope_key TEXT);
CREATE TABLE precall_contact (
  contact_id TEXT PRIMARY KEY, entry_point TEXT NOT NULL, link_id TEXT, business TEXT NOT NULL,
  caller_key TEXT, caller_key_prev TEXT, at_ms BIGINT NOT NULL, engaged_ms BIGINT, solved_ms BIGINT);
CREATE TABLE external_count (                    -- EX-07: posted by day and source, never mixed into call counts
  local_date TEXT NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL, n BIGINT NOT NULL,
  PRIMARY KEY (local_date, source, kind));
CREATE TABLE change_marker (                     -- flow revisions, notes, and flags: the newest row of a flag is its value
  marker_id TEXT PRIMARY KEY, at_ms BIGINT NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('flow_rev','flag','note')),
  name TEXT NOT NULL, value TEXT, by_whom TEXT);
CREATE TABLE audit (
  audit_id TEXT PRIMARY KEY, at_ms BIGINT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, detail TEXT);

-- ------------------------------------------------------------------ views
CREATE VIEW v_eligible AS                        -- the denominator; finished calls only
SELECT * FROM call
WHERE origin = 'trunk' AND answered_ms IS NOT NULL AND ended_ms IS NOT NULL
  AND end_reason NOT IN ('rejected','emergency_bypass','test_call')
  AND NOT (end_reason = 'caller_hangup' AND ended_ms - answered_ms < 5000);      -- short abandon

CREATE VIEW v_funnel AS
SELECT c.call_id, c.business, c.did, c.flow, c.flow_rev, c.started_ms, c.ended_ms, c.caller_key, c.caller_key_prev,
       c.language, c.intent, c.customer_type, c.local_date, c.local_dow, c.local_hour, c.local_quarter,
       c.arm, c.end_reason, c.last_step, c.handled, c.human_answered_ms,
  CASE WHEN EXISTS (SELECT 1 FROM offer o WHERE o.call_id = c.call_id AND o.response <> 'suppressed') THEN 1 ELSE 0 END AS offered,
  CASE WHEN EXISTS (SELECT 1 FROM offer o WHERE o.call_id = c.call_id AND o.response = 'accepted') THEN 1 ELSE 0 END AS accepted,
  CASE WHEN EXISTS (SELECT 1 FROM message m WHERE m.call_id = c.call_id AND m.purpose = 'link' AND m.accepted_ms IS NOT NULL) THEN 1 ELSE 0 END AS sent,
  CASE WHEN EXISTS (SELECT 1 FROM message m WHERE m.call_id = c.call_id AND m.purpose = 'link' AND m.delivered_ms IS NOT NULL) THEN 1 ELSE 0 END AS delivered,
  CASE WHEN EXISTS (SELECT 1 FROM message m WHERE m.call_id = c.call_id AND m.state IN ('failed','undelivered')) THEN 1 ELSE 0 END AS msg_failed,
  CASE WHEN EXISTS (SELECT 1 FROM message m WHERE m.call_id = c.call_id AND m.state = 'ambiguous') THEN 1 ELSE 0 END AS msg_ambiguous,
  CASE WHEN EXISTS (SELECT 1 FROM link l WHERE l.call_id = c.call_id AND l.first_human_ms IS NOT NULL) THEN 1 ELSE 0 END AS clicked,
  CASE WHEN EXISTS (SELECT 1 FROM outcome x WHERE x.call_id = c.call_id AND x.kind = 'resolved') THEN 1 ELSE 0 END AS resolved,
  CASE WHEN EXISTS (SELECT 1 FROM outcome x WHERE x.call_id = c.call_id AND x.kind IN ('escalated','callback_requested')) THEN 1 ELSE 0 END AS escalated,
  CASE WHEN EXISTS (SELECT 1 FROM outcome x WHERE x.call_id = c.call_id AND x.kind = 'answered_in_ivr') THEN 1 ELSE 0 END AS answered_in_ivr
FROM v_eligible c;

CREATE VIEW v_deflected AS                       -- gross
SELECT f.*, CASE WHEN f.accepted = 1 AND f.sent = 1 THEN 'digital' ELSE 'ivr_answer' END AS how
FROM v_funnel f
WHERE f.handled = 'no_human'                     -- neither a person nor "we cannot know"
  AND f.end_reason NOT IN ('callback_booked','voicemail')            -- work moved, not removed (EX-09)
  AND ((f.accepted = 1 AND f.sent = 1) OR f.answered_in_ivr = 1);

CREATE VIEW v_recontact AS                       -- next_call_ms: the same caller's next call to the same business
SELECT d.*,
  (SELECT MIN(n.started_ms) FROM call n
   WHERE (n.caller_key = d.caller_key OR n.caller_key_prev = d.caller_key)       -- the second: an epoch began in between
     AND n.business = d.business AND n.call_id <> d.call_id AND n.started_ms > d.ended_ms
     AND n.origin = 'trunk' AND COALESCE(n.end_reason, '') NOT IN ('rejected','test_call')) AS next_call_ms
FROM v_deflected d;

