//! What the queue of a PBX tells of itself: free agents, waiting callers and the wait it expects,
//! and when a person takes a call. Asterisk is asked by its Manager ([`Kind::Ami`]), FreeSWITCH by
//! its event socket ([`Kind::Esl`]).
//!
//! [`follow`] keeps one connection for as long as it runs. Whatever does not answer in time is
//! taken for dead, and is connected to anew.

mod ami;
mod esl;
mod link;

use std::{fmt, time::Duration};

use tokio::{sync::mpsc, time::sleep};

use crate::tls::Trust;

pub use ami::message::{Block, BlockError, Blocks};
pub use esl::frame::{Frame, FrameError, Frames};

/// From one try to connect to the next, at first …
const AGAIN: Duration = Duration::from_secs(1);
/// … and at most.
const AT_MOST: Duration = Duration::from_secs(30);
/// A wrong password is not tried often: it bans whoever tries it.
const REFUSED: Duration = Duration::from_secs(60);

/// How a queue is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Asterisk Manager Interface.
    Ami,
    /// FreeSWITCH event socket, inbound.
    Esl,
}

/// A queue of a PBX.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// By which protocol.
    pub kind: Kind,
    /// Host name or address.
    pub host: String,
    /// 5038 or 8021 as a rule, 5039 of Asterisk by TLS.
    pub port: u16,
    /// By TLS, and whom it believes.
    pub tls: Option<Trust>,
    /// Name of the manager; empty for [`Kind::Esl`].
    pub username: String,
    /// Its password.
    pub secret: String,
    /// Name of the queue.
    pub queue: String,
    /// From one question to the next.
    pub every: Duration,
    /// Each answer must be there by then.
    pub within: Duration,
    /// Whether it is to be told when a person takes a call.
    pub signals: bool,
}

/// What a queue tells of itself; what its PBX does not say is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// The wait that the PBX itself expects, seconds.
    pub wait_seconds: Option<u32>,
    /// Agents who could take a call now.
    pub agents_available: Option<u32>,
    /// Callers who wait.
    pub callers_waiting: Option<u32>,
}

/// What [`follow`] has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The queue answered.
    Told(Report),
    /// The PBX answers, but not for this queue.
    Down(String),
    /// The PBX does not answer, or can't be asked: persons who take calls are not told of.
    Lost(String),
    /// A person took a call.
    Person(Taken),
}

/// The call that a person took, as the PBX knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// By our id of the call (`X-Carom-Call`), which its dial plan keeps.
    Call(String),
    /// By the Call-ID of the leg between us and it.
    SipCallId(String),
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("cannot connect: {0}")]
    Connect(std::io::Error),
    #[error("connection lost: {0}")]
    Lost(std::io::Error),
    #[error("it hung up")]
    Closed,
    #[error("no answer in time")]
    Silent,
    #[error("it does not let us in: {0}")]
    Refused(String),
    #[error("it speaks something else: {0}")]
    Protocol(String),
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, host, port, queue, .. } = self;
        write!(f, "{kind:?} {host}:{port}, queue {queue}")
    }
}

/// Asks the queue until nobody wants to hear of it any more.
pub async fn follow(settings: Settings, news: mpsc::Sender<News>) {
    let mut again = AGAIN;
    while !news.is_closed() {
        let mut was_in = false;
        let trouble = match settings.kind {
            Kind::Ami => ami::session(&settings, &news, &mut was_in).await,
            Kind::Esl => esl::session(&settings, &news, &mut was_in).await,
        };
        let Err(trouble) = trouble;
        if was_in {
            again = AGAIN;
        }
        let pause = if matches!(trouble, Trouble::Refused(_)) { REFUSED } else { again };
        if news.send(News::Lost(trouble.to_string())).await.is_err() {
            return;
        }
        sleep(pause).await;
        again = (again * 2).min(AT_MOST);
    }
}

/// What can be said on a line of these protocols; nothing else is sent.
fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
