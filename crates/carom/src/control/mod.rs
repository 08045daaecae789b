//! The control socket: how the CLI talks to the running node.
//!
//! One JSON object per line each way. The socket is a file of mode 0600, so that only the
//! node's own user reaches it.

mod client;
mod peer;
mod server;

pub use client::{Client, NotRunning};
pub use peer::user_name;
pub use server::serve;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

/// What the CLI may ask of the running node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Reads the configuration again and swaps it in if it has no errors.
    Reload {
        /// Who wants it; left out, the user at the other end of the socket.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        author: Option<String>,
    },
    /// Takes no new calls; ends when the running ones have ended or the deadline is reached.
    Drain,
    /// Running calls and the last ended ones.
    Calls {
        /// At most so many.
        limit: u32,
    },
    /// The time line of one call; `call` is its id or a unique beginning of it.
    Call {
        /// Call id.
        call: String,
    },
    /// The last messages, newest first, with text where the sender is the local sandbox.
    Messages {
        /// At most so many.
        limit: u32,
    },
    /// All of one message; `message` is its id, or a unique beginning of it.
    Message {
        /// Message id.
        message: String,
    },
    /// Has a message sent again, where that breaks no promise.
    RetryMessage {
        /// Its id, or a unique beginning of it.
        message: String,
        /// One that may have arrived is sent once more all the same.
        allow_duplicate: bool,
    },
    /// Takes back a message that waits.
    CancelMessage {
        /// Its id, or a unique beginning of it.
        message: String,
    },
    /// Who wants no texts, newest first.
    OptOuts {
        /// `X` of `[business.X]`; `None`: of all.
        business: Option<String>,
        /// At most so many.
        limit: u32,
    },
    /// Some want no texts from now on.
    AddOptOuts {
        /// Who, of what.
        entries: Vec<OptOutEntry>,
        /// `operator`, `import`.
        via: String,
    },
    /// Somebody wants texts again.
    RemoveOptOut {
        /// Who, of what; without a topic of anything.
        entry: OptOutEntry,
    },
    /// The present key of an opt-out list is that of the list from now on.
    AcceptOptOutKey {
        /// `X` of `[business.X]`; `None`: of all.
        business: Option<String>,
    },
    /// Blanks all that is known of a number.
    Erase {
        /// E.164.
        number: String,
        /// `X` of `[business.X]`; `None`: of all.
        business: Option<String>,
    },
    /// Encrypts anew what the store keeps encrypted.
    RotateKey {
        /// Under a new key, which replaces that of the file; else under the first of those given.
        new_key: bool,
    },
    /// Sends a text of the operator's own.
    Text(TextOrdered),
    /// The last callbacks, newest first.
    Callbacks {
        /// At most so many.
        limit: u32,
    },
    /// A booked callback is not made.
    CancelCallback {
        /// Its id, or a unique beginning of it.
        id: String,
    },
    /// The last messages that callers left, newest first.
    Voicemails {
        /// At most so many.
        limit: u32,
    },
    /// One message that a caller left.
    Voicemail {
        /// Its id, or a unique beginning of it.
        id: String,
        /// What to do with it.
        act: VoicemailAct,
    },
    /// Sets or clears a flag that the rules test.
    Flag {
        /// Its name.
        name: String,
        /// Set or clear.
        on: bool,
    },
    /// The opening hours that are served, as they are now.
    Hours,
    /// Closes or opens hours for once.
    ChangeHours(HoursOrder),
    /// Takes back what was closed or opened for once.
    ClearHours {
        /// `X` of `[hours.X]`.
        hours: String,
    },
    /// Gauges and the configuration in use.
    Status,
}

/// A text of the operator's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextOrdered {
    /// The number, E.164.
    pub to: String,
    /// The text.
    pub text: String,
    /// Names of senders in the order tried; empty: all.
    pub via: Vec<String>,
}

/// Who wants no texts of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptOutEntry {
    /// E.164.
    pub number: String,
    /// `X` of `[business.X]`; `None`: of all.
    pub business: Option<String>,
    /// Of what; `None`: of anything.
    pub topic: Option<String>,
    /// Line of the file that it is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

/// What is done with a message that a caller left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VoicemailAct {
    /// Where its sound lies is told.
    Find,
    /// It was heard.
    Heard,
    /// Its sound is erased.
    Delete,
}

/// Hours are to be closed, or open, for once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursOrder {
    /// `X` of `[hours.X]`.
    pub hours: String,
    /// Open, or closed.
    pub open: bool,
    /// First moment, as the operator wrote it; `None`: now.
    pub from: Option<String>,
    /// End, as written.
    pub until: String,
    /// What for.
    pub because: String,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Done, with a sentence for the operator.
    Done(String),
    /// An answer as JSON.
    Data(serde_json::Value),
    /// Not done, and why.
    Error(String),
}

/// A request on its way to the node, with the way back.
#[derive(Debug)]
pub struct Asked {
    /// The request.
    pub request: Request,
    /// The user who asks, as the system knows them.
    pub user: String,
    /// Where the reply goes.
    pub reply: oneshot::Sender<Reply>,
}

/// Where requests are handed to the node.
pub type Inbox = mpsc::Sender<Asked>;
