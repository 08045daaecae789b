//! The session: bind, a window of messages, receipts, keep-alive, and again from the start when it
//! breaks.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    Settings,
    bind::{Bound, bind},
    codes,
    held::Held,
    inbox::{self, Inbox},
    pdu::{self, Body, Pdu, Short},
    text,
};
use crate::{
    clock::Clock,
    provider::{Class, Event, Receipt, SendError, State as MessageState},
    tls::Wire,
};

/// An answer to "are you there?" comes within this time, or within that between two such questions.
const THERE: Duration = Duration::from_secs(10);
/// A message without an answer for so long no longer holds its place in the window.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether texts are overdue.
const OVERDUE: Duration = Duration::from_secs(1);
/// Between two attempts to reach the centre; it doubles, up to [`LONGEST`].
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Progress of a [`Submit`]: nobody has written it yet.
pub(super) const WAITS: u8 = 0;
/// Its first octet may be written.
const WRITTEN: u8 = 1;
/// It is not to be written any more.
pub(super) const WITHDRAWN: u8 = 2;

/// How the session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Connecting,
    Bound,
    /// The centre does not want us.
    Refused(Class),
}

/// A message to be sent.
#[derive(Debug)]
pub(super) struct Submit {
    pub short: Short,
    /// Of the last part of a text: an answer that comes late is evidence about it.
    pub reference: Option<String>,
    pub progress: Arc<AtomicU8>,
    pub answer: oneshot::Sender<Submitted>,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Submitted {
    /// The centre has it, by this id.
    Taken(String),
    /// It has not, by this status.
    Refused(u32),
    NotWritten,
    Unanswered,
}

/// What the centre tells.
#[derive(Debug)]
pub struct Heard {
    /// It.
    pub event: Event,
    /// Whether it is kept; else the centre tells it again.
    pub kept: oneshot::Sender<bool>,
}

/// Sessions one after the other, until nobody wants to send any more.
pub(super) async fn run(
    settings: Arc<Settings>,
    mut submits: mpsc::Receiver<Submit>,
    tells: mpsc::Sender<Heard>,
    state: watch::Sender<State>,
) {
    let mut pause = PAUSE;
    let mut inbox = Inbox::default();
    loop {
        let began = Instant::now();
        match bind(&settings).await {
            Ok(bound) => {
                tracing::info!(host = settings.host, "SMPP: bound");
                state.send_replace(State::Bound);
                let session = Session::new(&settings, bound, tells.clone(), &mut inbox);
                let ended = session.serve(&mut submits).await;
                state.send_replace(State::Connecting);
                match ended {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::warn!(host = settings.host, %error, "SMPP: session lost")
                    }
                }
                if began.elapsed() > LONGEST {
                    pause = PAUSE;
                }
            }
            Err(SendError::Definite(why)) if why.class == Class::Auth => {
                tracing::error!(host = settings.host, %why, "SMPP: the bind is refused");
                state.send_replace(State::Refused(why.class));
            }
            Err(why) => tracing::warn!(host = settings.host, %why, "SMPP: not bound"),
        }
        // Who wants to send meanwhile waits, or gives up.
        tokio::select! {
            () = sleep(pause) => {}
            () = nobody(&mut submits) => return,
        }
        pause = (pause * 2).min(LONGEST);
    }
}

/// Ends when nobody wants to send any more; what waited is not written.
async fn nobody(submits: &mut mpsc::Receiver<Submit>) {
    while let Some(submit) = submits.recv().await {
        let _ = submit.answer.send(Submitted::NotWritten);
    }
}

/// A message on its way.
struct Pending {
    reference: Option<String>,
    since: Instant,
    answer: oneshot::Sender<Submitted>,
}

/// What became of something that was told.
struct Kept {
    /// The deliveries that told it, to be answered; none: it was overdue.
    sequences: Vec<u32>,
    /// Id of the text.
    text: Option<String>,
    kept: bool,
}

/// One bound session.
struct Session<'a> {
    settings: &'a Settings,
    wire: Box<dyn Wire>,
    /// What the centre said and is not looked at yet.
    stream: Vec<u8>,
    tells: mpsc::Sender<Heard>,
    /// Texts of phones; they outlive the session.
    inbox: &'a mut Inbox,
    sequence: u32,
    pending: HashMap<u32, Pending>,
    held: Held,
    /// When the centre was last heard.
    heard: Instant,
    /// Since when an answer to "are you there?" is awaited.
    asked: Option<Instant>,
    /// When it was last looked whether texts are overdue.
    looked: Instant,
    /// What was told and is kept, or is not.
    answers: (mpsc::Sender<Kept>, mpsc::Receiver<Kept>),
}

impl<'a> Session<'a> {
    fn new(
        settings: &'a Settings,
        Bound { wire, stream }: Bound,
        tells: mpsc::Sender<Heard>,
        inbox: &'a mut Inbox,
    ) -> Self {
        inbox.begins();
        Self {
            settings,
            wire,
            stream,
            tells,
            inbox,
            sequence: 1,
            pending: HashMap::new(),
            held: Held::default(),
            heard: Instant::now(),
            asked: None,
            looked: Instant::now(),
            answers: mpsc::channel(64),
        }
    }

    /// Serves until nobody wants to send any more (`Ok`) or the session breaks.
    async fn serve(mut self, submits: &mut mpsc::Receiver<Submit>) -> io::Result<()> {
        let served = self.work(submits).await;
        // Written and unanswered: nobody knows.
        for (_, pending) in self.pending.drain() {
            let _ = pending.answer.send(Submitted::Unanswered);
        }
        served
    }

    async fn work(&mut self, submits: &mut mpsc::Receiver<Submit>) -> io::Result<()> {
        loop {
            while let Some(pdu) = pdu::take(&mut self.stream).map_err(io::Error::other)? {
                self.hear(pdu).await?;
            }
            self.forget();
            self.tell_overdue();
            let overdue = self.held.overdue();
            self.answer_all(&overdue, codes::OK).await?;
            let held = self.held.next();
            let room = self.pending.len() < self.settings.window;
            let alarm = self.alarm();
            tokio::select! {
                read = self.wire.read_buf(&mut self.stream) => {
                    if read? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    self.heard = Instant::now();
                    self.asked = None;
                }
                submit = submits.recv(), if room => match submit {
                    Some(submit) => self.submit(submit).await?,
                    None => return self.say(Body::Unbind).await.map(|_| ()),
                },
                Some(kept) = self.answers.1.recv() => self.kept(kept).await?,
                () = sleep_until(alarm) => self.ask().await?,
                () = sleep(OVERDUE), if !self.inbox.is_idle() => {}
                () = sleep_until(held.unwrap_or(alarm)), if held.is_some() => {}
            }
        }
    }

    /// When something is to be done unless the centre is heard.
    fn alarm(&self) -> Instant {
        match self.asked {
            Some(asked) => asked + THERE.min(self.settings.enquire),
            None => self.heard + self.settings.enquire,
        }
    }

    async fn ask(&mut self) -> io::Result<()> {
        if self.asked.is_some() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.asked = Some(Instant::now());
        self.say(Body::EnquireLink).await.map(|_| ())
    }

    /// Messages that are not answered leave the window; an answer that comes later is not known.
    fn forget(&mut self) {
        self.pending.retain(|_, pending| pending.since.elapsed() < PATIENCE);
    }

    async fn submit(&mut self, submit: Submit) -> io::Result<()> {
        let written =
            submit.progress.compare_exchange(WAITS, WRITTEN, Ordering::AcqRel, Ordering::Acquire);
        if written.is_err() {
            return Ok(());
        }
        let (reference, answer) = (submit.reference, submit.answer);
        self.sequence += 1;
        let since = Instant::now();
        self.pending.insert(self.sequence, Pending { reference, since, answer });
        self.write(self.sequence, Body::SubmitSm(submit.short)).await
    }

    async fn hear(&mut self, pdu: Pdu) -> io::Result<()> {
        match pdu.body {
            Body::SubmitSmResp(status, id) => self.settle(pdu.sequence, status, id),
            Body::GenericNack(status) => self.settle(pdu.sequence, status.max(1), String::new()),
            Body::DeliverSm(short) => return self.deliver(pdu.sequence, &short).await,
            Body::EnquireLink => return self.answer(pdu.sequence, Body::EnquireLinkResp).await,
            Body::Unbind => {
                self.answer(pdu.sequence, Body::UnbindResp).await?;
                return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the centre unbound"));
            }
            Body::EnquireLinkResp
            | Body::UnbindResp
            | Body::BindTransceiverResp(_)
            | Body::DeliverSmResp(_) => {}
            Body::Broken(pdu::DELIVER_SM) => {
                self.unread("it ends too early");
                return self.answer(pdu.sequence, Body::DeliverSmResp(codes::PERMANENT)).await;
            }
            Body::Broken(_) => {
                let nack = Body::GenericNack(codes::INVALID_LENGTH);
                return self.answer(pdu.sequence, nack).await;
            }
            Body::BindTransceiver(_) | Body::SubmitSm(_) | Body::Other(_) => {
                let nack = Body::GenericNack(codes::UNKNOWN_COMMAND);
                return self.answer(pdu.sequence, nack).await;
            }
        }
        Ok(())
    }

    /// Something came that nobody can read.
    fn unread(&self, why: &str) {
        metrics::counter!("carom_texts_unread_total").increment(1);
        tracing::warn!(host = self.settings.host, why, "SMPP: a text or receipt is not read");
    }

    /// An answer. Whoever waited may be gone: then it is evidence about an ambiguous message.
    fn settle(&mut self, sequence: u32, status: u32, id: String) {
        let Some(pending) = self.pending.remove(&sequence) else { return };
        let told = match status {
            codes::OK => Submitted::Taken(id),
            status => Submitted::Refused(status),
        };
        let Err(told) = pending.answer.send(told) else { return };
        let receipt = match told {
            Submitted::Taken(id) => {
                Receipt::of(self.settings.receipt_ids.of_answer(&id), MessageState::Accepted)
            }
            Submitted::Refused(status) => Receipt {
                class: Some(codes::class(status)),
                code: Some(format!("{status:#04x}")),
                ..Receipt::of("", MessageState::Failed)
            },
            Submitted::NotWritten | Submitted::Unanswered => return,
        };
        if pending.reference.is_none() {
            return;
        }
        let receipt = Receipt { reference: pending.reference, ..receipt };
        let (kept, _) = oneshot::channel();
        let _ = self.tells.try_send(Heard { event: Event::Receipt(receipt), kept });
    }

    /// A receipt or a text; it is answered when it is kept.
    async fn deliver(&mut self, sequence: u32, short: &Short) -> io::Result<()> {
        let mut series = None;
        let event = if text::is_receipt(short) {
            text::receipt(short, self.settings.receipt_ids).map(Event::Receipt)
        } else {
            let now_ms = Clock::default().now_ms();
            series = inbox::series(short).map(|(series, _)| series);
            self.inbox.take((sequence, short), self.settings, now_ms).map(Event::Inbound)
        };
        let mut sequences = vec![sequence];
        let Some(event) = event else {
            // What says nothing is not told again.
            let Some(series) = series else {
                return self.answer_all(&sequences, codes::OK).await;
            };
            self.held.hold(series, sequence);
            return Ok(());
        };
        if let Some(series) = &series {
            sequences.extend(self.held.take(series));
        }
        let text = match &event {
            Event::Inbound(text) => text.id.clone(),
            Event::Receipt(_) => None,
        };
        if !self.tell(event, sequences.clone(), text.clone()) {
            text.iter().for_each(|id| self.inbox.refused(id));
            return self.answer_all(&sequences, codes::TEMPORARY).await;
        }
        Ok(())
    }

    async fn answer_all(&mut self, sequences: &[u32], status: u32) -> io::Result<()> {
        for sequence in sequences {
            self.answer(*sequence, Body::DeliverSmResp(status)).await?;
        }
        Ok(())
    }

    /// Tells something, where there is room for it; what becomes of it comes by [`Self::kept`].
    fn tell(&self, event: Event, sequences: Vec<u32>, text: Option<String>) -> bool {
        let (kept, known) = oneshot::channel();
        if self.tells.try_send(Heard { event, kept }).is_err() {
            return false;
        }
        let answers = self.answers.0.clone();
        tokio::spawn(async move {
            let kept = known.await.unwrap_or(false);
            let _ = answers.send(Kept { sequences, text, kept }).await;
        });
        true
    }

    async fn kept(&mut self, what: Kept) -> io::Result<()> {
        if what.sequences.is_empty() {
            self.inbox.fetched(&what.text.unwrap_or_default(), what.kept);
            return Ok(());
        }
        let status = if what.kept { codes::OK } else { codes::TEMPORARY };
        self.answer_all(&what.sequences, status).await?;
        match (what.text, what.kept) {
            (Some(id), true) => self.inbox.answered(&id, Clock::default().now_ms()),
            (Some(id), false) => self.inbox.refused(&id),
            (None, _) => {}
        }
        Ok(())
    }

    /// Tells texts whose parts did not all come; what is not kept is told again.
    fn tell_overdue(&mut self) {
        if self.looked.elapsed() < OVERDUE {
            return;
        }
        self.looked = Instant::now();
        let now_ms = Clock::default().now_ms();
        let late: Vec<_> =
            std::iter::from_fn(|| self.inbox.overdue(self.settings, now_ms)).collect();
        for text in late {
            let id = text.id.clone();
            if !self.tell(Event::Inbound(text), Vec::new(), id.clone()) {
                self.inbox.fetched(&id.unwrap_or_default(), false);
            }
        }
    }

    async fn say(&mut self, body: Body) -> io::Result<u32> {
        self.sequence += 1;
        self.write(self.sequence, body).await?;
        Ok(self.sequence)
    }

    async fn answer(&mut self, sequence: u32, body: Body) -> io::Result<()> {
        self.write(sequence, body).await
    }

    /// A centre that takes nothing any more is lost.
    async fn write(&mut self, sequence: u32, body: Body) -> io::Result<()> {
        let bytes = Pdu { sequence, body }.encode();
        let writing = async {
            self.wire.write_all(&bytes).await?;
            self.wire.flush().await
        };
        timeout(THERE, writing).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}
