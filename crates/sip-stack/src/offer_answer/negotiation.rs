use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    LocalMedia, Negotiated, Rejected,
    answer::{conclude_shape, settle},
    write::Shape,
};

/// The offers and answers of one dialog (RFC 3264 §8, RFC 6337).
///
/// Our side may change between exchanges through [`local_mut`](Self::local_mut): direction for
/// hold, address and port for a move. The version of the origin line is counted here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiation {
    local: LocalMedia,
    /// The m-lines in force, or of the offer that is open.
    shape: Option<Shape>,
    current: Option<Negotiated>,
    /// The description we sent last; its version goes up when the next one differs.
    sent: Option<Bytes>,
    pending: Pending,
}

/// Who owes an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Pending {
    Nobody,
    /// We offered; the m-lines to go back to if it is refused.
    Peer {
        before: Option<Shape>,
    },
    /// The peer offered this.
    Us {
        offer: Bytes,
    },
}

/// Why an offer cannot be made or taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum OfferPending {
    /// Ours is unanswered; a peer's is refused with 491 (RFC 3261 §14.2).
    #[error("our own offer is not answered yet")]
    Ours,
    /// The peer's is unanswered; another one is refused with 500 and Retry-After (RFC 3311 §5.2).
    #[error("the peer's offer is not answered yet")]
    Theirs,
}

impl OfferPending {
    /// Returns the status owed to a request that carries an offer now.
    pub fn status(self) -> u16 {
        match self {
            Self::Ours => 491,
            Self::Theirs => 500,
        }
    }
}

/// Whether an answer ends its exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// In an unreliable provisional response: it may be used, but the real one is to come.
    Preview,
    /// In a 2xx, an ACK, a PRACK or a reliable provisional response.
    Final,
}

impl Negotiation {
    /// Starts a dialog in which nothing is offered yet.
    pub fn new(local: LocalMedia) -> Self {
        Self { local, shape: None, current: None, sent: None, pending: Pending::Nobody }
    }

    /// Returns our side.
    pub fn local(&self) -> &LocalMedia {
        &self.local
    }

    /// Returns our side, to change before the next exchange.
    pub fn local_mut(&mut self) -> &mut LocalMedia {
        &mut self.local
    }

    /// Returns the session in force; an exchange that fails leaves it as it is.
    pub fn current(&self) -> Option<&Negotiated> {
        self.current.as_ref()
    }

    /// Returns the description we sent last.
    pub fn sent(&self) -> Option<&Bytes> {
        self.sent.as_ref()
    }

    /// Whether the peer waits for our answer.
    pub fn owes_answer(&self) -> bool {
        matches!(self.pending, Pending::Us { .. })
    }

    /// Whether we wait for the peer's answer.
    pub fn awaits_answer(&self) -> bool {
        matches!(self.pending, Pending::Peer { .. })
    }

    /// Takes an offer of the peer; it is answered by [`answer`](Self::answer) or
    /// [`withdraw`](Self::withdraw)n.
    pub fn handle_offer(&mut self, offer: &[u8]) -> Result<(), OfferPending> {
        self.idle()?;
        self.pending = Pending::Us { offer: Bytes::copy_from_slice(offer) };
        Ok(())
    }

    /// Answers the open offer of the peer. On a refusal the offer is closed and the session in
    /// force stays.
    pub fn answer(&mut self) -> Result<(Bytes, Negotiated), Rejected> {
        let pending = std::mem::replace(&mut self.pending, Pending::Nobody);
        let offer = match pending {
            Pending::Us { offer } => offer,
            other @ (Pending::Nobody | Pending::Peer { .. }) => {
                self.pending = other;
                return Err(Rejected::NoOffer);
            }
        };
        let (shape, negotiated) = settle(&offer, &self.local)?;
        let answer = self.stamp(&shape, negotiated.direction);
        self.shape = Some(shape);
        self.current = Some(negotiated.clone());
        Ok((answer, negotiated))
    }

    /// Makes an offer: the first one, or one that keeps the m-lines and payload types of the
    /// session in force.
    pub fn offer(&mut self) -> Result<Bytes, OfferPending> {
        self.idle()?;
        let before = self.shape.clone();
        let mut shape = before.clone().unwrap_or_else(|| Shape::first_offer(&self.local));
        shape.widen(&self.local, self.current.as_ref().map(|current| current.codec));
        let offer = self.stamp(&shape, self.local.direction);
        self.shape = Some(shape);
        self.pending = Pending::Peer { before };
        Ok(offer)
    }

    /// Takes the answer to our open offer. A bad final answer closes the offer, and the session
    /// in force stays; what becomes of the call is the caller's decision.
    pub fn handle_answer(
        &mut self,
        answer: &[u8],
        kind: AnswerKind,
    ) -> Result<Negotiated, Rejected> {
        let Pending::Peer { .. } = self.pending else { return Err(Rejected::NoOffer) };
        let shape = self.shape.as_ref().ok_or(Rejected::NoOffer)?;
        let concluded = conclude_shape(shape, &self.local, answer);
        match (kind, &concluded) {
            (AnswerKind::Final, Ok(_)) => self.pending = Pending::Nobody,
            (AnswerKind::Final, Err(_)) => self.withdraw(),
            (AnswerKind::Preview, _) => {}
        }
        let negotiated = concluded?;
        self.current = Some(negotiated.clone());
        Ok(negotiated)
    }

    /// Closes the open offer without an answer: the request that carried it failed.
    pub fn withdraw(&mut self) {
        match std::mem::replace(&mut self.pending, Pending::Nobody) {
            Pending::Peer { before } => self.shape = before,
            Pending::Us { .. } | Pending::Nobody => {}
        }
    }

    fn idle(&self) -> Result<(), OfferPending> {
        match self.pending {
            Pending::Nobody => Ok(()),
            Pending::Peer { .. } => Err(OfferPending::Ours),
            Pending::Us { .. } => Err(OfferPending::Theirs),
        }
    }

    /// Writes a description; its version is one more than the last one's if anything else in it
    /// differs (RFC 3264 §8).
    fn stamp(&mut self, shape: &Shape, direction: super::Direction) -> Bytes {
        let mut text = shape.write(&self.local, direction);
        if self.sent.as_ref().is_some_and(|sent| *sent != text) {
            self.local.version = self.local.version.wrapping_add(1);
            text = shape.write(&self.local, direction);
        }
        self.sent = Some(text.clone());
        text
    }
}
