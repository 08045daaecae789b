//! The server side of requests other than INVITE.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{LIMIT, ServerOutput as Output};

/// Non-INVITE server transaction (RFC 3261 §17.2.2).
#[derive(Debug, Serialize, Deserialize)]
pub struct Server {
    reliable: bool,
    state: State,
    #[serde(skip)]
    outputs: VecDeque<Output>,
}

#[derive(Debug, Serialize, Deserialize)]
enum State {
    Trying,
    Proceeding { last: Bytes },
    Completed { last: Bytes, timer_j: Duration },
    Terminated,
}

/// What a non-INVITE server transaction is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The request came again.
    Request,
    /// The transaction user's response.
    Respond {
        /// Its status.
        status: u16,
        /// Its wire form.
        response: Bytes,
    },
}

impl Server {
    /// Starts on a new request; `reliable`: it came over TCP.
    pub fn new(reliable: bool) -> Self {
        Self { reliable, state: State::Trying, outputs: VecDeque::new() }
    }

    /// Takes an input.
    pub fn handle_input(&mut self, now: Duration, input: Input) {
        use State::{Completed, Proceeding, Terminated, Trying};
        match (&mut self.state, input) {
            (Proceeding { last } | Completed { last, .. }, Input::Request) => {
                self.outputs.push_back(Output::Transmit(last.clone()));
            }
            (Trying | Proceeding { .. }, Input::Respond { status, response }) => {
                self.outputs.push_back(Output::Transmit(response.clone()));
                let linger = if self.reliable { Duration::ZERO } else { LIMIT };
                self.state = match status {
                    ..200 => Proceeding { last: response },
                    200.. => Completed { last: response, timer_j: now + linger },
                };
            }
            (Trying, Input::Request)
            | (Completed { .. }, Input::Respond { .. })
            | (Terminated, _) => {}
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        match self.state {
            State::Completed { timer_j, .. } if now >= timer_j => self.state = State::Terminated,
            State::Trying
            | State::Proceeding { .. }
            | State::Completed { .. }
            | State::Terminated => {}
        }
    }

    /// Returns the next output; drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.state {
            State::Completed { timer_j, .. } => Some(timer_j),
            State::Trying | State::Proceeding { .. } | State::Terminated => None,
        }
    }

    /// Whether it is over and can be dropped.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
