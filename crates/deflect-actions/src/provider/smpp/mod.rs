//! SMPP 3.4: a session with a message centre that stays up, over TCP or TLS.

mod bind;
mod codes;
mod held;
mod inbox;
mod pdu;
mod session;
mod text;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use message_text::{Segments, segments_in};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};

pub use pdu::{Address, Bind, Body, Pdu, PduError, Short, take};
pub use session::Heard;
pub use text::{Alphabet, Long, ReceiptIds};

use self::session::{State, Submit, Submitted};
use super::{Accepted, Class, Failure, OutboundMessage, SendError};

/// Texts that wait for a place in the window.
const WAITING: usize = 256;

/// How a message centre is reached and spoken to.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// Host name or address.
    pub host: String,
    /// 2775 as a rule.
    pub port: u16,
    /// By TLS.
    pub tls: bool,
    /// Who we are.
    pub bind: Bind,
    /// What `data_coding` 0 means there.
    pub alphabet: Alphabet,
    /// How long texts are sent.
    pub long: Long,
    /// How receipts write ids.
    pub receipt_ids: ReceiptIds,
    /// Messages that are on their way at once, at most.
    pub window: usize,
    /// After so long a silence it is asked whether it is there.
    pub enquire: Duration,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// A message centre. Clones share the session.
#[derive(Debug, Clone)]
pub struct Smpp {
    settings: Arc<Settings>,
    link: Arc<OnceLock<Arc<Link>>>,
}

/// Our end of a session, which ends with the last one who holds it.
#[derive(Debug)]
struct Link {
    submits: mpsc::Sender<Submit>,
    state: watch::Receiver<State>,
}

impl Smpp {
    /// A centre; nothing is connected before the texts that go there are served.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), link: Arc::default() }
    }

    /// Goes on with the session of `other`, if that is to the same centre in the same way.
    pub(crate) fn adopt(&self, other: &Self) {
        if self.settings == other.settings
            && let Some(link) = other.link.get()
        {
            let _ = self.link.set(Arc::clone(link));
        }
    }

    /// Begins a session, if there is none; what the centre tells comes out of the receiver.
    pub(crate) fn open(&self) -> Option<mpsc::Receiver<Heard>> {
        if self.link.get().is_some() {
            return None;
        }
        let (submits, queue) = mpsc::channel(WAITING);
        let (tells, heard) = mpsc::channel(WAITING);
        let (state, watched) = watch::channel(State::Connecting);
        self.link.set(Arc::new(Link { submits, state: watched })).ok()?;
        tokio::spawn(session::run(Arc::clone(&self.settings), queue, tells, state));
        Some(heard)
    }

    /// How many messages a text is here: as it is sent, or as the centre cuts it up.
    pub(crate) fn segments(&self, text: &str) -> Segments {
        segments_in(text, self.settings.alphabet)
    }

    /// Binds and says goodbye: whether the credentials are right.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn check(&self, limit: Duration) -> Result<(), SendError> {
        bind::check(&self.settings, limit).await
    }

    pub(super) async fn send(
        &self,
        message: OutboundMessage<'_>,
        limit: Duration,
    ) -> Result<Accepted, SendError> {
        let link = self.link.get().ok_or_else(|| SendError::definite(Class::ProviderDown))?;
        let until = Instant::now() + limit;
        bound(&link.state, until).await?;
        let settings = &self.settings;
        // The last octet of the id is as good as random.
        let id = message.reference.message_id.bytes();
        let joined_by = id.fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        let envelope = envelope(&message);
        let parts =
            text::parts(message.text, settings.alphabet, settings.long, joined_by, &envelope);
        let count = parts.len();
        let mut id = None;
        for (n, mut part) in parts.into_iter().enumerate() {
            // One receipt for the whole, by its last part.
            part.registered_delivery = u8::from(n + 1 == count);
            let last = (n + 1 == count).then(|| message.reference.to_string());
            let submitting = submit(link, part, last, until);
            match submitting.await {
                Ok(told) => id = Some(told),
                // A part of it is there already: nobody may send the whole again.
                Err(SendError::Definite(failure)) if n > 0 => {
                    return Err(SendError::Ambiguous(failure));
                }
                Err(error) => return Err(error),
            }
        }
        let id = id.filter(|id| !id.is_empty()).ok_or_else(SendError::unclear)?;
        Ok(Accepted {
            segments: i64::try_from(self.segments(message.text).count).ok(),
            ..Accepted::of(settings.receipt_ids.of_answer(&id))
        })
    }
}

/// Waits until the session is up. Nothing has been written before that.
async fn bound(state: &watch::Receiver<State>, until: Instant) -> Result<(), SendError> {
    let mut state = state.clone();
    let settled = state.wait_for(|state| !matches!(state, State::Connecting));
    match timeout_at(until, settled).await.map(|settled| settled.map(|state| *state)) {
        Ok(Ok(State::Bound)) => Ok(()),
        Ok(Ok(State::Refused(class))) => Err(SendError::definite(class)),
        Ok(Ok(State::Connecting) | Err(_)) | Err(_) => {
            Err(SendError::definite(Class::ProviderDown))
        }
    }
}

/// Hands one message to the session; returns the centre's id of it.
async fn submit(
    link: &Link,
    short: Short,
    reference: Option<String>,
    until: Instant,
) -> Result<String, SendError> {
    let (answer, answered) = oneshot::channel();
    let progress = Arc::new(AtomicU8::new(session::WAITS));
    let submit = Submit { short, reference, progress: Arc::clone(&progress), answer };
    let outcome = timeout_at(until, async {
        link.submits.send(submit).await.map_err(|_| Submitted::NotWritten)?;
        // A session that ends in between answers nothing.
        answered.await.map_err(|_| Submitted::Unanswered)
    })
    .await;
    match outcome {
        Ok(Ok(Submitted::Taken(id))) => Ok(id),
        Ok(Ok(Submitted::Refused(status))) => {
            let (class, code) = (codes::class(status), Some(format!("{status:#04x}")));
            Err(SendError::Definite(Failure { class, code, retry_after: None }))
        }
        Ok(Ok(Submitted::NotWritten) | Err(Submitted::NotWritten)) => {
            Err(SendError::definite(Class::ProviderDown))
        }
        // Out of time or of the session: it is taken back, if nothing was written yet.
        _ => {
            let withdrawn = progress.compare_exchange(
                session::WAITS,
                session::WITHDRAWN,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match withdrawn {
                Ok(_) => Err(SendError::definite(Class::ProviderDown)),
                Err(_) => Err(SendError::Ambiguous(Failure::of(Class::ProviderDown))),
            }
        }
    }
}

/// All of a message but its text.
fn envelope(message: &OutboundMessage<'_>) -> Short {
    let seconds = message.valid_for.as_secs().clamp(1, 47 * 3_600);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    Short {
        source: address(message.from),
        destination: address(message.to.as_str()),
        // From now on: days, hours, minutes, seconds (§7.1.1.2).
        validity_period: format!(
            "0000{:02}{:02}{minutes:02}{seconds:02}000R",
            hours / 24,
            hours % 24
        ),
        ..Short::default()
    }
}

/// An international number, a short code of the centre, or a name.
fn address(text: &str) -> Address {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match text.strip_prefix('+') {
        Some(number) if digits(number) => Address { ton: 1, npi: 1, text: number.to_owned() },
        _ if digits(text) => Address { ton: 3, npi: 0, text: text.to_owned() },
        _ => Address { ton: 5, npi: 0, text: text.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_it_is() {
        for (text, ton, npi, written) in [
            ("+447700900123", 1, 1, "447700900123"),
            ("84433", 3, 0, "84433"),
            ("Example", 5, 0, "Example"),
        ] {
            assert_eq!(address(text), Address { ton, npi, text: written.to_owned() });
        }
    }
}
