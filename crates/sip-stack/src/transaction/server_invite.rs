//! The server side of INVITE.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Backoff, LIMIT, ServerOutput as Output, T2, T4, sooner};

/// INVITE server transaction (RFC 3261 §17.2.1, amended by RFC 6026 §7.1).
#[derive(Debug, Serialize, Deserialize)]
pub struct InviteServer {
    reliable: bool,
    state: State,
    #[serde(skip)]
    outputs: VecDeque<Output>,
}

#[derive(Debug, Serialize, Deserialize)]
enum State {
    Proceeding {
        last: Option<Bytes>,
    },
    /// A 2xx went out; the transaction user repeats it.
    Accepted {
        timer_l: Duration,
    },
    Completed {
        last: Bytes,
        timer_g: Option<Backoff>,
        timer_h: Duration,
    },
    Confirmed {
        timer_i: Duration,
    },
    Terminated,
}

/// What an INVITE server transaction is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The INVITE came again.
    Invite,
    /// An ACK with the INVITE's branch.
    Ack,
    /// The transaction user's response.
    Respond {
        /// Its status.
        status: u16,
        /// Its wire form.
        response: Bytes,
    },
}

impl InviteServer {
    /// Starts on a new INVITE; `reliable`: it came over TCP.
    pub fn new(reliable: bool) -> Self {
        Self { reliable, state: State::Proceeding { last: None }, outputs: VecDeque::new() }
    }

    /// Takes an input.
    pub fn handle_input(&mut self, now: Duration, input: Input) {
        use State::{Accepted, Completed, Confirmed, Proceeding, Terminated};
        match (&mut self.state, input) {
            (Proceeding { last }, Input::Invite) => {
                self.outputs.extend(last.clone().map(Output::Transmit));
            }
            (Completed { last, .. }, Input::Invite) => {
                self.outputs.push_back(Output::Transmit(last.clone()));
            }
            (Proceeding { .. }, Input::Respond { status, response }) => {
                self.outputs.push_back(Output::Transmit(response.clone()));
                self.state = match status {
                    ..200 => Proceeding { last: Some(response) },
                    200..300 => Accepted { timer_l: now + LIMIT },
                    300.. => Completed {
                        last: response,
                        timer_g: (!self.reliable).then(|| Backoff::starting(now, T2)),
                        timer_h: now + LIMIT,
                    },
                };
            }
            (Accepted { .. }, Input::Respond { status: 200..300, response }) => {
                self.outputs.push_back(Output::Transmit(response));
            }
            (Accepted { .. }, Input::Ack) => self.outputs.push_back(Output::Acked),
            (Completed { .. }, Input::Ack) => {
                let linger = if self.reliable { Duration::ZERO } else { T4 };
                self.state = Confirmed { timer_i: now + linger };
            }
            // Strays and repeats, absorbed by design.
            (Proceeding { .. }, Input::Ack)
            | (Accepted { .. }, Input::Invite | Input::Respond { .. })
            | (Completed { .. }, Input::Respond { .. })
            | (Confirmed { .. } | Terminated, _) => {}
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        use State::{Accepted, Completed, Confirmed, Proceeding, Terminated};
        match &mut self.state {
            Completed { timer_h: over, .. }
            | Accepted { timer_l: over }
            | Confirmed { timer_i: over }
                if now >= *over =>
            {
                self.state = Terminated;
            }
            Completed { last, timer_g: Some(timer_g), .. } => {
                if timer_g.fire(now) {
                    self.outputs.push_back(Output::Transmit(last.clone()));
                }
            }
            Proceeding { .. }
            | Accepted { .. }
            | Completed { .. }
            | Confirmed { .. }
            | Terminated => {}
        }
    }

    /// Returns the next output; drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match &self.state {
            State::Completed { timer_g, timer_h, .. } => {
                sooner(timer_g.map(|timer| timer.at()), Some(*timer_h))
            }
            State::Accepted { timer_l: at } | State::Confirmed { timer_i: at } => Some(*at),
            State::Proceeding { .. } | State::Terminated => None,
        }
    }

    /// Whether a final response went out.
    pub fn is_answered(&self) -> bool {
        !matches!(self.state, State::Proceeding { .. })
    }

    /// Whether it is over and can be dropped.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
