//! What goes into a leg and comes out of it.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::ExtraHeaders;
use crate::{
    endpoint::{Cause, Event, Path, ReofferMethod},
    message::{Request, Response},
    transaction::{ClientKey, ServerKey},
};

/// What a request is for, so that its outcome finds its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// The INVITE that makes the leg.
    Invite,
    /// A new offer.
    Reoffer(ReofferMethod),
    /// An INFO.
    Info,
    /// A NOTIFY: what became of a REFER.
    Notify,
    /// A REFER.
    Refer,
    /// The end.
    Bye,
}

/// What a leg is told.
#[derive(Debug)]
pub enum Input {
    /// The peer's request within the dialog; CANCEL and ACK come by their own ways.
    Request {
        /// Its transaction.
        txn: ServerKey,
        /// The request.
        request: Request,
        /// Where it came from.
        path: Path,
    },
    /// The ACK of a 2xx.
    Ack(Request),
    /// The peer cancels an INVITE that is not answered; the CANCEL itself is answered already.
    Cancel {
        /// The INVITE's transaction.
        txn: ServerKey,
        /// The Reason header.
        reason: Option<String>,
    },
    /// A response to our request, 1xx included.
    Response {
        /// The transaction.
        key: ClientKey,
        /// What the request was for.
        purpose: Purpose,
        /// The response.
        response: Response,
    },
    /// Our request came to nothing without a response.
    Unanswered {
        /// The transaction.
        key: ClientKey,
        /// What the request was for.
        purpose: Purpose,
        /// Silence or a broken path.
        cause: Cause,
    },
    /// The path is broken.
    PathLost(Path),
    /// What the user wants.
    Command(Command),
}

/// What the user of a leg wants.
#[derive(Debug)]
#[allow(missing_docs, reason = "each is the method of Endpoint of its name")]
pub enum Command {
    Ring { status: u16, sdp: Option<Bytes>, headers: ExtraHeaders },
    Answer { sdp: Bytes, headers: ExtraHeaders },
    Reject { status: u16, reason: Option<String>, headers: ExtraHeaders },
    HangUp { reason: Option<String> },
    AcceptOffer { sdp: Bytes },
    RefuseOffer { status: u16 },
    Acknowledge { sdp: Bytes },
    Info { content_type: String, body: Bytes },
    Refer { to: String, ring: Duration },
}

/// What a leg wants done.
#[derive(Debug)]
pub enum Output {
    /// Start a client transaction.
    Request {
        /// Its key, which is in the Via already.
        key: ClientKey,
        /// What it is for.
        purpose: Purpose,
        /// The way.
        path: Path,
        /// The request.
        request: Request,
    },
    /// Who is at the end of a path that a message will go by must prove to be `host`.
    Expect {
        /// The way, by TLS.
        path: Path,
        /// A name or an address.
        host: String,
    },
    /// A client transaction was given up before any answer.
    Doubt(ClientKey),
    /// Send the CANCEL of an INVITE.
    Cancel {
        /// The INVITE's transaction.
        key: ClientKey,
        /// A Reason header.
        reason: Option<String>,
    },
    /// Forget a client transaction.
    Abandon(ClientKey),
    /// Answer a request.
    Respond {
        /// Its transaction.
        txn: ServerKey,
        /// The status.
        status: u16,
        /// The wire form.
        bytes: Bytes,
    },
    /// Send an ACK, which is in no transaction.
    Ack {
        /// The way.
        path: Path,
        /// Its CSeq number.
        seq: u32,
        /// The wire form.
        bytes: Bytes,
    },
    /// Tell the user.
    Event(Event),
}
