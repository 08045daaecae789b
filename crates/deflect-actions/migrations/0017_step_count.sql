-- How often each step of a flow was left by which exit on a day, of steps that were deleted since.
CREATE TABLE step_count (
  flow TEXT NOT NULL, flow_rev TEXT NOT NULL, step TEXT NOT NULL, exit TEXT NOT NULL,
  local_date TEXT NOT NULL, n BIGINT NOT NULL, PRIMARY KEY (flow, flow_rev, step, exit, local_date));
