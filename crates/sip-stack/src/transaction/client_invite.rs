//! The client side of INVITE.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Backoff, ClientOutput as Output, LIMIT, TIMER_D, sooner};

/// INVITE client transaction (RFC 3261 §17.1.1, amended by RFC 6026 §7.2).
#[derive(Debug, Serialize, Deserialize)]
pub struct InviteClient {
    reliable: bool,
    request: Bytes,
    state: State,
    #[serde(skip)]
    outputs: VecDeque<Output>,
}

#[derive(Debug, Serialize, Deserialize)]
enum State {
    Calling {
        timer_a: Option<Backoff>,
        timer_b: Duration,
    },
    Proceeding,
    /// A 2xx came; more may, from other branches of a fork, and each is the user's.
    Accepted {
        timer_m: Duration,
    },
    Completed {
        ack: Bytes,
        timer_d: Duration,
    },
    Terminated,
}

/// What an INVITE client transaction is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A 1xx.
    Provisional,
    /// A 2xx.
    Success,
    /// A 3xx to 6xx, with the ACK it is owed (§17.1.1.3).
    Failure {
        /// The ACK's wire form.
        ack: Bytes,
    },
    /// The transport failed, or the user gives up.
    Abandon,
}

impl InviteClient {
    /// Sends the request; `reliable`: over TCP.
    pub fn new(now: Duration, request: Bytes, reliable: bool) -> Self {
        let timer_a = (!reliable).then(|| Backoff::starting(now, LIMIT));
        Self {
            reliable,
            state: State::Calling { timer_a, timer_b: now + LIMIT },
            outputs: VecDeque::from([Output::Transmit(request.clone())]),
            request,
        }
    }

    /// Returns the request as sent.
    pub fn request(&self) -> &Bytes {
        &self.request
    }

    /// Takes an input.
    pub fn handle_input(&mut self, now: Duration, input: Input) {
        use State::{Accepted, Calling, Completed, Proceeding, Terminated};
        match (&mut self.state, input) {
            (Calling { .. } | Proceeding, Input::Provisional) => {
                self.outputs.push_back(Output::Inform);
                self.state = Proceeding;
            }
            (Calling { .. } | Proceeding, Input::Success) => {
                self.outputs.push_back(Output::Inform);
                self.state = Accepted { timer_m: now + LIMIT };
            }
            (Accepted { .. }, Input::Success) => self.outputs.push_back(Output::Inform),
            (Calling { .. } | Proceeding, Input::Failure { ack }) => {
                self.outputs.push_back(Output::Transmit(ack.clone()));
                self.outputs.push_back(Output::Inform);
                let linger = if self.reliable { Duration::ZERO } else { TIMER_D };
                self.state = Completed { ack, timer_d: now + linger };
            }
            (Completed { ack, .. }, Input::Failure { .. }) => {
                self.outputs.push_back(Output::Transmit(ack.clone()));
            }
            (_, Input::Abandon) => self.state = Terminated,
            // Late ones, absorbed by design.
            (Accepted { .. }, Input::Provisional | Input::Failure { .. })
            | (Completed { .. }, Input::Provisional | Input::Success)
            | (Terminated, Input::Provisional | Input::Success | Input::Failure { .. }) => {}
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        use State::{Accepted, Calling, Completed, Proceeding, Terminated};
        match &mut self.state {
            Calling { timer_b, .. } if now >= *timer_b => {
                self.outputs.push_back(Output::TimedOut);
                self.state = Terminated;
            }
            Calling { timer_a: Some(timer_a), .. } => {
                if timer_a.fire(now) {
                    self.outputs.push_back(Output::Transmit(self.request.clone()));
                }
            }
            Accepted { timer_m: over } | Completed { timer_d: over, .. } if now >= *over => {
                self.state = Terminated;
            }
            Calling { .. } | Proceeding | Accepted { .. } | Completed { .. } | Terminated => {}
        }
    }

    /// Returns the next output; drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match &self.state {
            State::Calling { timer_a, timer_b } => {
                sooner(timer_a.map(|timer| timer.at()), Some(*timer_b))
            }
            State::Accepted { timer_m: at } | State::Completed { timer_d: at, .. } => Some(*at),
            State::Proceeding | State::Terminated => None,
        }
    }

    /// Whether nothing at all came back yet.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Calling { .. })
    }

    /// Whether it is over and can be dropped.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
