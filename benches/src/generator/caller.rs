//! The carrier's side: calls that are made, answered, held and ended (RFC 3261, as a UAC).

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use super::sip::{Message, Outgoing};

/// First interval of repetition, and its ceiling (RFC 3261 §17.1).
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// A request unanswered for so long has failed.
pub(super) const GIVE_UP: Duration = Duration::from_secs(32);

/// How a call is made.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The called number.
    pub number: &'static str,
    /// With RTP both ways; else what the engine sends is thrown away.
    pub rtp: bool,
    /// From the answer to the BYE; `None`: until it is told to end.
    pub hold: Option<Duration>,
    /// A key, so long after the answer.
    pub press: Option<(Duration, u8)>,
}

/// Who makes a call: each call another.
pub fn number_of(call: u32) -> String {
    format!("+447400{:06}", call % 1_000_000)
}

/// What became of the calls.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// INVITEs, repeats not counted.
    pub dialled: u64,
    /// 200 to the INVITE.
    pub answered: u64,
    /// Other final answers.
    pub refused: BTreeMap<u16, u64>,
    /// BYE answered.
    pub ended: u64,
    /// The engine sent the BYE.
    pub hung_up_on: u64,
    /// Requests without a final answer.
    pub unanswered: u64,
    /// Requests sent again.
    pub repeats: u64,
    /// From INVITE to 200, µs.
    pub answer_us: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct Call {
    number: u32,
    plan: Plan,
    sdp: String,
    invited: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    Inviting { repeat: Option<Duration> },
    Up { uri: String, to: String },
    Ending { bye: String, repeat: Duration },
    Over,
}

/// What a call wants done.
#[derive(Debug)]
pub(super) enum Do {
    Send(String),
    /// Begin RTP to there.
    Talk(SocketAddr),
    /// Tell the call after this time.
    Repeat(Duration),
    HangUp(Duration),
    Press(Duration, u8),
    /// Its RTP is over.
    Quiet,
}

/// Where the parties are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub here: SocketAddr,
    pub engine: SocketAddr,
}

impl Call {
    pub(super) fn begin(
        number: u32,
        plan: Plan,
        sdp: String,
        now: Duration,
        ends: Ends,
    ) -> (Self, Vec<Do>) {
        let state = State::Inviting { repeat: Some(T1) };
        let call = Self { number, plan, sdp, invited: now, state };
        let invite = call.invite(ends);
        (call, vec![Do::Send(invite), Do::Repeat(T1)])
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    fn invite(&self, ends: Ends) -> String {
        let to = format!("<sip:{}@{}>", self.plan.number, ends.engine);
        let uri = format!("sip:{}@{}", self.plan.number, ends.engine);
        self.request("INVITE", "1 INVITE", "i", &uri, &to, ends)
    }

    fn request(
        &self,
        method: &str,
        cseq: &str,
        mark: &str,
        uri: &str,
        to: &str,
        ends: Ends,
    ) -> String {
        let number = self.number;
        let from = format!("<sip:{}@127.0.0.1>;tag=c{number}", number_of(number));
        let outgoing = Outgoing {
            method,
            uri,
            branch: &format!("{number}{mark}"),
            at: ends.here,
            from: &from,
            to,
            call_id: &format!("{number}-bench"),
            cseq,
            sdp: (method == "INVITE").then_some(&self.sdp),
        };
        outgoing.text()
    }

    /// Takes a response.
    pub(super) fn on_response(
        &mut self,
        now: Duration,
        message: Message<'_>,
        ends: Ends,
        counts: &mut Counts,
    ) -> Vec<Do> {
        let Some(status) = message.status() else { return Vec::new() };
        match (&mut self.state, message.answers()) {
            (State::Inviting { repeat }, "INVITE") if status < 200 => {
                *repeat = None;
                Vec::new()
            }
            (State::Inviting { .. }, "INVITE") if status < 300 => {
                self.answered(now, message, ends, counts)
            }
            (State::Inviting { .. }, "INVITE") => {
                *counts.refused.entry(status).or_default() += 1;
                self.state = State::Over;
                let to = message.header("To").unwrap_or("");
                let uri = format!("sip:{}@{}", self.plan.number, ends.engine);
                // Part of the INVITE's transaction: the same branch (RFC 3261 §17.1.1.3).
                vec![Do::Send(self.request("ACK", "1 ACK", "i", &uri, to, ends)), Do::Quiet]
            }
            // The 200 again: our ACK was late or lost.
            (State::Up { uri, to }, "INVITE") if (200..300).contains(&status) => {
                let (uri, to) = (uri.clone(), to.clone());
                vec![Do::Send(self.request("ACK", "1 ACK", "a", &uri, &to, ends))]
            }
            (State::Ending { .. }, "BYE") if status >= 200 => {
                counts.ended += 1;
                self.state = State::Over;
                vec![Do::Quiet]
            }
            (State::Up { .. } | State::Ending { .. } | State::Inviting { .. } | State::Over, _) => {
                Vec::new()
            }
        }
    }

    fn answered(
        &mut self,
        now: Duration,
        message: Message<'_>,
        ends: Ends,
        counts: &mut Counts,
    ) -> Vec<Do> {
        counts.answered += 1;
        counts.answer_us.push((now - self.invited).as_micros() as u32);
        let uri = message.contact().unwrap_or("").to_owned();
        let to = message.header("To").unwrap_or("").to_owned();
        let mut todo = vec![Do::Send(self.request("ACK", "1 ACK", "a", &uri, &to, ends))];
        if let Some(address) = message.rtp_address().filter(|_| self.plan.rtp) {
            todo.push(Do::Talk(address));
        }
        self.state = State::Up { uri, to };
        match self.plan.hold {
            Some(hold) if hold.is_zero() => todo.extend(self.hang_up(ends)),
            Some(hold) => todo.push(Do::HangUp(hold)),
            None => {}
        }
        todo.extend(self.plan.press.map(|(wait, digit)| Do::Press(wait, digit)));
        todo
    }

    /// Ends the call, if it is up.
    pub(super) fn hang_up(&mut self, ends: Ends) -> Vec<Do> {
        let State::Up { uri, to } = &self.state else { return Vec::new() };
        let bye = self.request("BYE", "2 BYE", "b", uri, to, ends);
        self.state = State::Ending { bye: bye.clone(), repeat: T1 };
        vec![Do::Send(bye), Do::Repeat(T1)]
    }

    /// A BYE of the engine.
    pub(super) fn on_bye(&mut self, counts: &mut Counts) -> Vec<Do> {
        if self.is_over() {
            return Vec::new();
        }
        counts.hung_up_on += 1;
        self.state = State::Over;
        vec![Do::Quiet]
    }

    /// A repetition is due, unless it was answered.
    pub(super) fn on_repeat(&mut self, now: Duration, ends: Ends, counts: &mut Counts) -> Vec<Do> {
        let invite = matches!(self.state, State::Inviting { .. }).then(|| self.invite(ends));
        let (text, wait) = match (&mut self.state, invite) {
            (State::Inviting { repeat }, Some(invite)) => {
                if now - self.invited >= GIVE_UP {
                    return self.give_up(counts);
                }
                let Some(repeat) = repeat else { return vec![Do::Repeat(T2)] };
                *repeat *= 2;
                (invite, *repeat)
            }
            (State::Ending { bye, repeat }, _) => {
                if *repeat >= GIVE_UP {
                    return self.give_up(counts);
                }
                *repeat *= 2;
                (bye.clone(), (*repeat).min(T2))
            }
            (State::Inviting { .. } | State::Up { .. } | State::Over, _) => return Vec::new(),
        };
        counts.repeats += 1;
        vec![Do::Send(text), Do::Repeat(wait)]
    }

    fn give_up(&mut self, counts: &mut Counts) -> Vec<Do> {
        counts.unanswered += 1;
        self.state = State::Over;
        vec![Do::Quiet]
    }
}
