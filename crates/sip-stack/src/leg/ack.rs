//! The two ends of a 2xx to an INVITE: repeating ours until its ACK, and repeating our ACK.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::Path,
    message::Request,
    transaction::{Backoff, LIMIT, ServerKey, T2, sooner},
};

/// Our 2xx that waits for its ACK (RFC 3261 §13.3.1.4); repeated over TCP too, for there may be
/// UDP further on.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Unacked {
    pub(super) txn: ServerKey,
    pub(super) seq: u32,
    pub(super) status: u16,
    pub(super) bytes: Bytes,
    /// It carried an offer, so the ACK carries the answer.
    pub(super) offers: bool,
    /// It answered the INVITE that made the leg.
    pub(super) first: bool,
    repeat: Backoff,
    deadline: Duration,
}

impl Unacked {
    pub(super) fn new(
        now: Duration,
        txn: ServerKey,
        seq: u32,
        bytes: Bytes,
        offers: bool,
        first: bool,
    ) -> Self {
        let (repeat, deadline) = (Backoff::starting(now, T2), now + LIMIT);
        Self { txn, seq, status: 200, bytes, offers, first, repeat, deadline }
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        sooner(Some(self.repeat.at()), Some(self.deadline))
    }

    pub(super) fn is_lost(&self, now: Duration) -> bool {
        now >= self.deadline
    }

    pub(super) fn is_due(&mut self, now: Duration) -> bool {
        self.repeat.fire(now)
    }

    /// Returns the answer that the ACK carries for our offer.
    pub(super) fn answer_in(&self, ack: &Request) -> Option<Bytes> {
        (self.offers && !ack.body().is_empty()).then(|| ack.body().clone())
    }
}

/// The ACKs that went out, to be repeated when their 2xx is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Acks(Vec<Sent>);

#[derive(Debug, Serialize, Deserialize)]
struct Sent {
    seq: u32,
    remote_tag: String,
    path: Path,
    bytes: Bytes,
    until: Duration,
}

impl Acks {
    pub(super) fn keep(
        &mut self,
        now: Duration,
        seq: u32,
        remote_tag: &str,
        path: Path,
        bytes: Bytes,
    ) {
        let remote_tag = remote_tag.to_owned();
        self.0.push(Sent { seq, remote_tag, path, bytes, until: now + LIMIT });
    }

    pub(super) fn find(&self, seq: u32, remote_tag: &str) -> Option<(Path, Bytes)> {
        let sent = self.0.iter().find(|sent| sent.seq == seq && sent.remote_tag == remote_tag)?;
        Some((sent.path, sent.bytes.clone()))
    }

    pub(super) fn expire(&mut self, now: Duration) {
        self.0.retain(|sent| now < sent.until);
    }
}
