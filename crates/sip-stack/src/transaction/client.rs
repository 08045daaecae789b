//! The client side of requests other than INVITE.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Backoff, ClientOutput as Output, LIMIT, T2, T4, sooner};

/// Non-INVITE client transaction (RFC 3261 §17.1.2).
#[derive(Debug, Serialize, Deserialize)]
pub struct Client {
    reliable: bool,
    request: Bytes,
    state: State,
    #[serde(skip)]
    outputs: VecDeque<Output>,
}

#[derive(Debug, Serialize, Deserialize)]
enum State {
    Trying { timer_e: Option<Backoff>, timer_f: Duration },
    Proceeding { timer_e: Option<Backoff>, timer_f: Duration },
    Completed { timer_k: Duration },
    Terminated,
}

/// What a non-INVITE client transaction is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A 1xx.
    Provisional,
    /// A final response.
    Final,
    /// The transport failed, or the user gives up.
    Abandon,
}

impl Client {
    /// Sends the request; `reliable`: over TCP.
    pub fn new(now: Duration, request: Bytes, reliable: bool) -> Self {
        let timer_e = (!reliable).then(|| Backoff::starting(now, T2));
        Self {
            reliable,
            state: State::Trying { timer_e, timer_f: now + LIMIT },
            outputs: VecDeque::from([Output::Transmit(request.clone())]),
            request,
        }
    }

    /// Takes an input.
    pub fn handle_input(&mut self, now: Duration, input: Input) {
        use State::{Completed, Proceeding, Terminated, Trying};
        match (&self.state, input) {
            (Trying { timer_f, .. }, Input::Provisional) => {
                self.outputs.push_back(Output::Inform);
                let timer_e = (!self.reliable).then(|| Backoff::steady(now, T2));
                self.state = Proceeding { timer_e, timer_f: *timer_f };
            }
            (Proceeding { .. }, Input::Provisional) => self.outputs.push_back(Output::Inform),
            (Trying { .. } | Proceeding { .. }, Input::Final) => {
                self.outputs.push_back(Output::Inform);
                let linger = if self.reliable { Duration::ZERO } else { T4 };
                self.state = Completed { timer_k: now + linger };
            }
            (_, Input::Abandon) => self.state = Terminated,
            (Completed { .. } | Terminated, Input::Provisional | Input::Final) => {}
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        use State::{Completed, Proceeding, Terminated, Trying};
        match &mut self.state {
            Trying { timer_f, .. } | Proceeding { timer_f, .. } if now >= *timer_f => {
                self.outputs.push_back(Output::TimedOut);
                self.state = Terminated;
            }
            Trying { timer_e: Some(timer_e), .. } | Proceeding { timer_e: Some(timer_e), .. } => {
                if timer_e.fire(now) {
                    self.outputs.push_back(Output::Transmit(self.request.clone()));
                }
            }
            Completed { timer_k } if now >= *timer_k => self.state = Terminated,
            Trying { .. } | Proceeding { .. } | Completed { .. } | Terminated => {}
        }
    }

    /// Returns the next output; drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match &self.state {
            State::Trying { timer_e, timer_f } | State::Proceeding { timer_e, timer_f } => {
                sooner(timer_e.map(|timer| timer.at()), Some(*timer_f))
            }
            State::Completed { timer_k } => Some(*timer_k),
            State::Terminated => None,
        }
    }

    /// Whether nothing at all came back yet.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Trying { .. })
    }

    /// Whether it is over and can be dropped.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
