-- The reports and look-ups of the store, by name. One text for SQLite and PostgreSQL.
-- $1, $2: from and to (exclusive), ms.  $3: cut-off = now − window, ms.  $4: window N, ms (default 7 days = 604800000).

-- query: funnel
SELECT COUNT(*) AS eligible, CAST(SUM(offered) AS BIGINT) AS offered, CAST(SUM(accepted) AS BIGINT) AS accepted,
  CAST(SUM(sent) AS BIGINT) AS sent, CAST(SUM(delivered) AS BIGINT) AS delivered, CAST(SUM(clicked) AS BIGINT) AS clicked,
  CAST(SUM(CASE WHEN handled = 'unknown' THEN 1 ELSE 0 END) AS BIGINT) AS handled_unknown
FROM v_funnel WHERE started_ms >= $1 AND started_ms < $2 AND arm = 'on';

-- query: deflection_rate (D1)
SELECT e.n AS eligible, d.n AS deflected, CAST(100.0 * d.n / NULLIF(e.n, 0) AS DOUBLE PRECISION) AS deflection_pct
FROM (SELECT COUNT(*) AS n FROM v_eligible WHERE started_ms >= $1 AND started_ms < $2) e,
     (SELECT COUNT(*) AS n FROM v_deflected WHERE started_ms >= $1 AND started_ms < $2) d;

-- query: containment (C1, B1; only cohorts old enough to judge, only known callers)
WITH r AS (SELECT escalated, CASE WHEN next_call_ms <= ended_ms + $4 THEN 1 ELSE 0 END AS bounced
           FROM v_recontact
           WHERE started_ms >= $1 AND started_ms < $2 AND ended_ms <= $3 AND caller_key IS NOT NULL)
SELECT COUNT(*) AS mature, CAST(SUM(bounced) AS BIGINT) AS bounced,
  CAST(SUM(CASE WHEN bounced = 0 AND escalated = 0 THEN 1 ELSE 0 END) AS BIGINT) AS contained,
  CAST(100.0 * SUM(CASE WHEN bounced = 0 AND escalated = 0 THEN 1 ELSE 0 END) / NULLIF(COUNT(*), 0) AS DOUBLE PRECISION) AS containment_pct
FROM r;

-- query: net_savings (S2, in micros)
WITH r AS (SELECT started_ms, escalated, CASE WHEN next_call_ms <= ended_ms + $4 THEN 1 ELSE 0 END AS bounced
           FROM v_recontact
           WHERE started_ms >= $1 AND started_ms < $2 AND ended_ms <= $3 AND caller_key IS NOT NULL)
SELECT
  (SELECT CAST(COALESCE(SUM((SELECT p.micros FROM rate p WHERE p.kind = 'call' AND p.valid_from_ms <= r.started_ms
     ORDER BY p.valid_from_ms DESC LIMIT 1)), 0) AS BIGINT) FROM r WHERE r.bounced = 0 AND r.escalated = 0) AS avoided_micros,
  (SELECT CAST(COALESCE(SUM((SELECT p.micros FROM rate p WHERE p.kind = 'digital' AND p.valid_from_ms <= f.started_ms
     ORDER BY p.valid_from_ms DESC LIMIT 1)), 0) AS BIGINT) FROM v_funnel f
   WHERE f.clicked = 1 AND f.started_ms >= $1 AND f.started_ms < $2 AND f.ended_ms <= $3) AS digital_micros,
  (SELECT CAST(COALESCE(SUM(m.price_micros), 0) AS BIGINT) FROM message m JOIN call c ON c.call_id = m.call_id
   WHERE c.started_ms >= $1 AND c.started_ms < $2 AND c.ended_ms <= $3) AS message_micros;

-- query: recall_by_arm (excess re-calls: difference of the two rows)
WITH base AS (SELECT f.arm, CASE WHEN EXISTS (SELECT 1 FROM call n
      WHERE (n.caller_key = f.caller_key OR n.caller_key_prev = f.caller_key) AND n.business = f.business
        AND n.call_id <> f.call_id AND n.started_ms > f.ended_ms AND n.started_ms <= f.ended_ms + $4
        AND n.origin = 'trunk' AND COALESCE(n.end_reason, '') NOT IN ('rejected','test_call')) THEN 1 ELSE 0 END AS recalled
  FROM v_funnel f
  WHERE f.started_ms >= $1 AND f.started_ms < $2 AND f.ended_ms <= $3 AND f.caller_key IS NOT NULL)
SELECT arm, COUNT(*) AS calls, CAST(100.0 * SUM(recalled) / COUNT(*) AS DOUBLE PRECISION) AS recall_pct
FROM base GROUP BY arm ORDER BY arm;

-- query: menu_use ($3: flow)
SELECT s.step, s.exit, COUNT(*) AS n,
  CAST(100.0 * COUNT(*) / SUM(COUNT(*)) OVER (PARTITION BY s.step) AS DOUBLE PRECISION) AS pct
FROM step s JOIN call c ON c.call_id = s.call_id
WHERE c.started_ms >= $1 AND c.started_ms < $2 AND c.flow = $3 AND s.kind IN ('menu','offer','answer') AND s.exit IS NOT NULL
GROUP BY s.step, s.exit ORDER BY s.step, s.exit;

-- query: presses_to_answer (DP-10; $3: flow; keys taken before an answer began, by answer)
WITH a AS (SELECT s.step, (SELECT COUNT(*) FROM step b WHERE b.call_id = s.call_id AND b.seq < s.seq
                           AND LENGTH(b.exit) = 1) AS presses
           FROM step s JOIN call c ON c.call_id = s.call_id
           WHERE c.started_ms >= $1 AND c.started_ms < $2 AND c.flow = $3 AND s.kind = 'answer')
SELECT step, COUNT(*) AS answers, CAST(AVG(1.0 * presses) AS DOUBLE PRECISION) AS presses, MAX(presses) AS most
FROM a GROUP BY step ORDER BY step;

-- query: drop_off ($3: flow; median of the time heard before hanging up)
WITH v AS (SELECT s.step, s.exit, s.left_ms - s.entered_ms AS heard_ms
           FROM step s JOIN call c ON c.call_id = s.call_id
           WHERE c.started_ms >= $1 AND c.started_ms < $2 AND c.flow = $3 AND s.left_ms IS NOT NULL),
     h AS (SELECT step, heard_ms, ROW_NUMBER() OVER (PARTITION BY step ORDER BY heard_ms) AS pos,
                  COUNT(*) OVER (PARTITION BY step) AS n FROM v WHERE exit = 'hangup')
SELECT v.step, COUNT(*) AS visits, CAST(SUM(CASE WHEN v.exit = 'hangup' THEN 1 ELSE 0 END) AS BIGINT) AS hangups,
  CAST(100.0 * SUM(CASE WHEN v.exit = 'hangup' THEN 1 ELSE 0 END) / COUNT(*) AS DOUBLE PRECISION) AS hangup_pct,
  (SELECT h.heard_ms FROM h WHERE h.step = v.step AND h.pos = (h.n + 1) / 2) AS median_heard_ms
FROM v GROUP BY v.step ORDER BY hangup_pct DESC, v.step;

-- query: step_visits ($1, $2: first and last local date; $3, $4: started from and to; also of steps that are deleted)
SELECT flow, step, exit, CAST(SUM(n) AS BIGINT) AS visits
FROM (SELECT c.flow, s.step, s.exit, COUNT(*) AS n
      FROM step s JOIN call c ON c.call_id = s.call_id
      WHERE c.started_ms >= $3 AND c.started_ms < $4 AND c.local_date >= $1 AND c.local_date <= $2
        AND c.flow IS NOT NULL AND s.exit IS NOT NULL
      GROUP BY c.flow, s.step, s.exit
      UNION ALL
      SELECT flow, step, exit, n FROM step_count WHERE local_date >= $1 AND local_date <= $2) AS visited
GROUP BY flow, step, exit ORDER BY flow, step, exit;

-- query: heat_map
SELECT local_dow, local_hour, COUNT(*) AS calls, CAST(SUM(offered) AS BIGINT) AS offered, CAST(SUM(accepted) AS BIGINT) AS accepted
FROM v_funnel WHERE started_ms >= $1 AND started_ms < $2
GROUP BY local_dow, local_hour ORDER BY local_dow, local_hour;

-- query: intervals (DP-14: 15 minutes in the line's zone)
SELECT local_date, local_quarter, COUNT(*) AS calls
FROM call WHERE started_ms >= $1 AND started_ms < $2 AND origin = 'trunk'
GROUP BY local_date, local_quarter ORDER BY local_date, local_quarter;

-- query: asa (DP-15; unknown waits are counted beside it, never averaged in)
SELECT CAST(AVG(CASE WHEN handled = 'human' THEN human_answered_ms - forward_started_ms END) AS DOUBLE PRECISION) AS asa_ms,
  CAST(SUM(CASE WHEN handled = 'human' THEN 1 ELSE 0 END) AS BIGINT) AS answered,
  CAST(SUM(CASE WHEN handled = 'no_human' THEN 1 ELSE 0 END) AS BIGINT) AS abandoned,
  CAST(SUM(CASE WHEN handled = 'unknown' THEN 1 ELSE 0 END) AS BIGINT) AS unknown
FROM v_eligible WHERE started_ms >= $1 AND started_ms < $2 AND forward_started_ms IS NOT NULL;

-- query: failed_promise ($1, $2: caller_key and caller_key_prev of the new call; $3: since, now − 24 h)
SELECT COUNT(*) AS n FROM message m JOIN call c ON c.call_id = m.call_id
WHERE (c.caller_key = $1 OR c.caller_key = $2) AND m.state IN ('failed','undelivered','ambiguous') AND m.created_ms >= $3;

-- query: engaged (IC-13, D3; $1, $2: engaged from and to; $3: window, ms; who is not known is counted apart)
WITH e AS (
  SELECT 'before a call' AS how, business, caller_key, engaged_ms AS at_ms FROM precall_contact
  WHERE engaged_ms >= $1 AND engaged_ms < $2
  UNION ALL
  SELECT 'by a link', c.business, c.caller_key, l.first_human_ms FROM link l JOIN call c ON c.call_id = l.call_id
  WHERE l.first_human_ms >= $1 AND l.first_human_ms < $2),
n AS (
  SELECT e.how, CASE WHEN e.caller_key IS NULL THEN 0 ELSE 1 END AS known,
    CASE WHEN EXISTS (SELECT 1 FROM call k WHERE (k.caller_key = e.caller_key OR k.caller_key_prev = e.caller_key)
      AND k.business = e.business AND k.origin = 'trunk' AND COALESCE(k.end_reason, '') NOT IN ('rejected','test_call')
      AND k.started_ms > e.at_ms AND k.started_ms <= e.at_ms + $3) THEN 1 ELSE 0 END AS called
  FROM e)
SELECT how, COUNT(*) AS engaged, CAST(SUM(known) AS BIGINT) AS known,
  CAST(SUM(CASE WHEN known = 1 AND called = 0 THEN 1 ELSE 0 END) AS BIGINT) AS no_call,
  CAST(100.0 * SUM(CASE WHEN known = 1 AND called = 0 THEN 1 ELSE 0 END) / NULLIF(SUM(known), 0) AS DOUBLE PRECISION) AS no_call_pct
FROM n GROUP BY how ORDER BY how;

-- query: destinations (EX-31; $1, $2: link made from and to; $3: window, ms)
WITH d AS (
  SELECT l.destination, CASE WHEN l.first_human_ms IS NULL THEN 0 ELSE 1 END AS opened,
    CASE WHEN EXISTS (SELECT 1 FROM outcome x WHERE x.call_id = l.call_id AND x.kind = 'engaged') THEN 1 ELSE 0 END AS engaged,
    CASE WHEN EXISTS (SELECT 1 FROM outcome x WHERE x.call_id = l.call_id AND x.kind = 'resolved') THEN 1 ELSE 0 END AS solved,
    CASE WHEN EXISTS (SELECT 1 FROM call k WHERE (k.caller_key = c.caller_key OR k.caller_key_prev = c.caller_key)
      AND k.business = c.business AND k.origin = 'trunk' AND COALESCE(k.end_reason, '') NOT IN ('rejected','test_call')
      AND k.started_ms > l.created_ms AND k.started_ms <= l.created_ms + $3) THEN 1 ELSE 0 END AS called_again
  FROM link l JOIN call c ON c.call_id = l.call_id WHERE l.created_ms >= $1 AND l.created_ms < $2)
SELECT destination, COUNT(*) AS links, CAST(SUM(opened) AS BIGINT) AS opened, CAST(SUM(engaged) AS BIGINT) AS engaged,
  CAST(SUM(solved) AS BIGINT) AS solved, CAST(SUM(called_again) AS BIGINT) AS called_again
FROM d GROUP BY destination ORDER BY links DESC, destination;

-- query: waited (IC-05; who was in line again after the text; $1, $2: started from and to)
WITH w AS (
  SELECT c.handled, c.ended_ms,
    (SELECT MIN(l.first_human_ms) FROM link l WHERE l.call_id = c.call_id) AS opened_ms
  FROM v_eligible c WHERE c.started_ms >= $1 AND c.started_ms < $2
    AND EXISTS (SELECT 1 FROM message m JOIN step s ON s.call_id = m.call_id
      WHERE m.call_id = c.call_id AND m.purpose = 'link' AND m.accepted_ms IS NOT NULL
        AND s.kind = 'wait' AND s.entered_ms >= m.created_ms)),
h AS (
  SELECT CASE WHEN handled <> 'no_human' THEN handled
    WHEN opened_ms <= ended_ms THEN 'left after opening' ELSE 'left unopened' END AS how FROM w)
SELECT how, COUNT(*) AS calls FROM h GROUP BY how ORDER BY how;

-- query: channels (EX-07; $1, $2: first and last local date; $3, $4: started from and to; others' counts have a source)
SELECT local_date, '' AS source, 'calls' AS kind, COUNT(*) AS n FROM v_eligible
WHERE started_ms >= $3 AND started_ms < $4 AND local_date >= $1 AND local_date <= $2 GROUP BY local_date
UNION ALL SELECT local_date, '', 'human', COUNT(*) FROM v_eligible
WHERE started_ms >= $3 AND started_ms < $4 AND local_date >= $1 AND local_date <= $2 AND handled = 'human' GROUP BY local_date
UNION ALL SELECT local_date, '', 'deflected', COUNT(*) FROM v_deflected
WHERE started_ms >= $3 AND started_ms < $4 AND local_date >= $1 AND local_date <= $2 GROUP BY local_date
UNION ALL SELECT local_date, source, kind, n FROM external_count WHERE local_date >= $1 AND local_date <= $2
ORDER BY 1, 2, 3;

-- query: senders (EX-28; $1, $2: made from and to; by the sender that had a text last; `unknown` is no failure)
SELECT sender, COUNT(*) AS texts, CAST(SUM(CASE WHEN accepted_ms IS NULL THEN 0 ELSE 1 END) AS BIGINT) AS accepted,
  CAST(SUM(CASE WHEN delivered_ms IS NULL THEN 0 ELSE 1 END) AS BIGINT) AS delivered,
  CAST(SUM(CASE WHEN state IN ('failed','undelivered') THEN 1 ELSE 0 END) AS BIGINT) AS failed,
  CAST(SUM(CASE WHEN error_class = 'blocked' AND state IN ('failed','undelivered') THEN 1 ELSE 0 END) AS BIGINT) AS blocked,
  CAST(SUM(CASE WHEN state IN ('ambiguous','unknown') THEN 1 ELSE 0 END) AS BIGINT) AS unknown,
  CAST(100.0 * SUM(CASE WHEN delivered_ms IS NULL THEN 0 ELSE 1 END) / NULLIF(SUM(CASE WHEN accepted_ms IS NULL THEN 0 ELSE 1 END), 0)
    AS DOUBLE PRECISION) AS delivered_pct,
  CAST(100.0 * SUM(CASE WHEN error_class = 'blocked' AND state IN ('failed','undelivered') THEN 1 ELSE 0 END) / COUNT(*)
    AS DOUBLE PRECISION) AS blocked_pct
FROM message WHERE created_ms >= $1 AND created_ms < $2 AND sender IS NOT NULL GROUP BY sender ORDER BY sender;
