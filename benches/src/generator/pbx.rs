//! The PBX's side: every call is answered at once (RFC 3261, as a UAS).

use std::{collections::HashMap, net::SocketAddr};

use super::sip::Message;

/// Calls that the engine has forwarded, by Call-ID.
#[derive(Debug, Default)]
pub(super) struct Pbx {
    calls: HashMap<String, Forwarded>,
    /// INVITEs of new calls.
    pub taken: u64,
}

#[derive(Debug)]
struct Forwarded {
    answer: String,
    leg: Option<u32>,
}

/// What the PBX wants done.
#[derive(Debug)]
pub(super) enum Reply {
    Send(String),
    /// A new call: open a leg to this address and [answer](Pbx::answer).
    Open(SocketAddr),
    /// The call's leg is over.
    Close(u32),
    Nothing,
}

impl Pbx {
    pub(super) fn running(&self) -> usize {
        self.calls.len()
    }

    /// Takes a request.
    pub(super) fn on_request(&mut self, message: Message<'_>, contact: &str) -> Vec<Reply> {
        let call_id = message.header("Call-ID").unwrap_or("");
        match message.method() {
            Some("INVITE") => match (self.calls.get(call_id), message.rtp_address()) {
                (Some(known), _) => vec![Reply::Send(known.answer.clone())],
                (None, Some(address)) => vec![Reply::Open(address)],
                (None, None) => {
                    vec![Reply::Send(message.response("488 No Audio", "pbx", contact, None))]
                }
            },
            Some("BYE" | "CANCEL") => {
                let ok = message.response("200 OK", "pbx", contact, None);
                let leg = self.calls.remove(call_id).and_then(|call| call.leg);
                vec![Reply::Send(ok), leg.map_or(Reply::Nothing, Reply::Close)]
            }
            Some("ACK") | None => Vec::new(),
            Some(_) => vec![Reply::Send(message.response("200 OK", "pbx", contact, None))],
        }
    }

    /// Rings and answers a new call whose RTP is on `leg`.
    pub(super) fn answer(
        &mut self,
        message: Message<'_>,
        leg: Option<u32>,
        contact: &str,
        sdp: &str,
    ) -> [String; 2] {
        self.taken += 1;
        let tag = format!("p{}", self.taken);
        let ringing = message.response("180 Ringing", &tag, contact, None);
        let answer = message.response("200 OK", &tag, contact, Some(sdp));
        let call_id = message.header("Call-ID").unwrap_or("").to_owned();
        self.calls.insert(call_id, Forwarded { answer: answer.clone(), leg });
        [ringing, answer]
    }
}
