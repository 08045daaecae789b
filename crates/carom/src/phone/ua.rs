//! The calling telephone: one call by a plan, and the report of it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

use dtmf_detector::info::{InfoKind, build};
use rtp_media::{
    session::{MediaEvent, SessionStats},
    worker::Command,
};
use sip_stack::{
    Uri,
    endpoint::{Event, LegId, OutgoingInvite, Path, Transport},
    offer_answer::{AnswerKind, Codec},
};

use super::{
    core::{Core, Happening, Line},
    plan::{Ending, KeysBy, Plan, Report},
};

/// A key is held this long, ms.
const HELD_MS: u32 = 120;
/// After the last goodbye, what is still under way is waited for.
const AFTERWARDS: Duration = Duration::from_millis(400);
/// The longest recording, ms.
const RECORDING_MS: u32 = 600_000;

/// Why a test call could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// What was dialled is no SIP URI with a host.
    #[error("`{0}` is no SIP address to call; write sip:100@127.0.0.1:5060")]
    Uri(String),
    /// It is to be called over a transport that we have not.
    #[error("`{0}` asks for a transport that is not available; UDP and TCP are")]
    Transport(String),
    /// The host has no address.
    #[error("`{0}` has no address")]
    Unknown(String),
    /// A socket.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A telephone that makes calls.
pub struct Phone {
    core: Core,
}

/// One call under way.
struct Dialling<'a> {
    plan: &'a Plan,
    began: Duration,
    leg: LegId,
    line: Line,
    answered: Option<Duration>,
    pressed: usize,
    ending: Option<Ending>,
    stats: Option<SessionStats>,
    report: Report,
}

impl Phone {
    /// A telephone at `at` (port 0: any) whose RTP takes ports of `rtp`.
    ///
    /// # Errors
    /// A socket cannot be had.
    pub async fn open(at: SocketAddr, rtp: RangeInclusive<u16>) -> Result<Self, PhoneError> {
        Ok(Self { core: Core::open(at, rtp).await? })
    }

    /// Calls by `plan` and tells what happened.
    ///
    /// # Errors
    /// The call could not be tried at all.
    pub async fn dial(&mut self, plan: &Plan) -> Result<Report, PhoneError> {
        let path = self.path(&plan.uri).await?;
        let mut line = self.core.line(&[Codec::Pcma, Codec::Pcmu])?;
        let began = self.core.now();
        let sdp = line.talk.offer().ok();
        let leg = self.core.endpoint.invite(
            began,
            OutgoingInvite {
                request_uri: plan.uri.clone(),
                to: format!("<{}>", plan.uri),
                from: format!("<sip:{}@{}>", plan.from, self.core.at().ip()),
                path,
                fallback_path: None,
                headers: Vec::new(),
                sdp,
                max_forwards: 70,
                takes_refer: false,
                auth: None,
            },
        );
        let mut call = Dialling::new(plan, began, leg, line);
        while call.ending.is_none() {
            let until = call.next_moment();
            match self.core.next(until).await {
                Happening::Signal(event) => call.on_signal(&mut self.core, *event),
                Happening::Media(event) => call.on_media(event),
                Happening::Time => call.on_time(&mut self.core),
            }
        }
        self.wind_up(call).await
    }

    /// Says goodbye to the media and waits for the last messages.
    async fn wind_up(&mut self, mut call: Dialling<'_>) -> Result<Report, PhoneError> {
        call.report.length_ms = ms(self.core.now() - call.began);
        let session = call.line.session;
        if call.answered.is_some() {
            self.core.tell(session, Command::Close);
        }
        let until = self.core.now() + AFTERWARDS;
        loop {
            match self.core.next(until).await {
                Happening::Media(event) => call.on_media(event),
                Happening::Signal(_) => {}
                Happening::Time => break,
            }
        }
        call.report.received_packets = call.stats.map_or(0, |stats| stats.received_packets);
        call.report.ending = call.ending.unwrap_or(Ending::Us);
        Ok(call.report)
    }

    async fn path(&self, uri: &str) -> Result<Path, PhoneError> {
        let remote = look_up(uri).await?;
        let tcp = Uri::parse(uri).is_ok_and(|uri| {
            uri.params.get("transport").is_some_and(|t| t.eq_ignore_ascii_case("tcp"))
        });
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        Ok(Path { transport, local: self.core.at(), remote })
    }
}

/// Checks what somebody wants to dial.
///
/// # Errors
/// It is no SIP URI with a host, or asks for TLS.
pub fn dialable(uri: &str) -> Result<String, PhoneError> {
    let wrong = || PhoneError::Uri(uri.to_owned());
    let parsed = Uri::parse(uri).map_err(|_| wrong())?;
    let transport = parsed.params.get("transport").unwrap_or("udp").to_ascii_lowercase();
    if !parsed.is_sip() || parsed.host.is_empty() {
        return Err(wrong());
    }
    if parsed.is_sips() || !["udp", "tcp"].contains(&transport.as_str()) {
        return Err(PhoneError::Transport(uri.to_owned()));
    }
    Ok(uri.to_owned())
}

/// Our address, as the far end of a URI sees it.
///
/// # Errors
/// The host has no address, or is out of reach.
pub async fn local_towards(uri: &str) -> Result<IpAddr, PhoneError> {
    let remote = look_up(uri).await?;
    let any: IpAddr =
        if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // Nothing is sent: the kernel only chooses the way.
    let socket = tokio::net::UdpSocket::bind((any, 0)).await?;
    socket.connect(remote).await?;
    Ok(socket.local_addr()?.ip())
}

async fn look_up(uri: &str) -> Result<SocketAddr, PhoneError> {
    dialable(uri)?;
    let parsed = Uri::parse(uri).map_err(|_| PhoneError::Uri(uri.to_owned()))?;
    let port = parsed.port.unwrap_or(5060);
    if let Some(ip) = parsed.ip() {
        return Ok(SocketAddr::new(ip, port));
    }
    let unknown = || PhoneError::Unknown(parsed.host.to_owned());
    let found = tokio::net::lookup_host((parsed.host, port)).await;
    found.map_err(|_| unknown())?.next().ok_or_else(unknown)
}

impl<'a> Dialling<'a> {
    fn new(plan: &'a Plan, began: Duration, leg: LegId, line: Line) -> Self {
        let report = Report {
            ending: Ending::Us,
            status: None,
            answered_after_ms: None,
            length_ms: 0,
            events: Vec::new(),
            keys_heard: String::new(),
            received_packets: 0,
            heard: Vec::new(),
        };
        let (answered, pressed, ending, stats) = (None, 0, None, None);
        Self { plan, began, leg, line, answered, pressed, ending, stats, report }
    }

    /// When the plan wants something done.
    fn next_moment(&self) -> Duration {
        let Some(answered) = self.answered else { return self.began + self.plan.ring_for };
        let hang_up = answered + self.plan.hang_up_after;
        let press = self.plan.press.get(self.pressed).map(|press| answered + press.at);
        press.map_or(hang_up, |at| at.min(hang_up))
    }

    fn on_time(&mut self, core: &mut Core) {
        let now = core.now();
        let Some(answered) = self.answered else {
            self.note(now, "nobody answered");
            core.endpoint.hang_up(now, self.leg, None);
            self.ending = Some(Ending::NoAnswer);
            return;
        };
        if let Some(press) = self.plan.press.get(self.pressed)
            && now >= answered + press.at
        {
            self.pressed += 1;
            self.note(now, format!("we press {}", char::from(press.digit)));
            match self.plan.keys_by {
                KeysBy::Rfc4733 => core.tell(
                    self.line.session,
                    Command::SendKey { digit: press.digit, duration_ms: HELD_MS },
                ),
                KeysBy::Info => {
                    let kind = InfoKind::DtmfRelay;
                    let body = build(press.digit, HELD_MS, kind);
                    let content_type = kind.content_type();
                    core.endpoint.info(now, self.leg, content_type, body.as_bytes());
                }
            }
        } else if now >= answered + self.plan.hang_up_after {
            self.note(now, "we hang up");
            core.endpoint.hang_up(now, self.leg, None);
            self.ending = Some(Ending::Us);
        }
    }

    fn on_signal(&mut self, core: &mut Core, event: Event) {
        let now = core.now();
        match event {
            Event::Progress { status, sdp, .. } if status > 100 => {
                self.note(now, format!("{status}"));
                if let Some(sdp) = sdp {
                    self.agree(core, &sdp, AnswerKind::Preview);
                }
            }
            Event::Answered { sdp, .. } => {
                self.note(now, "answered");
                self.answered = Some(now);
                self.report.status = Some(200);
                self.report.answered_after_ms = Some(ms(now - self.began));
                match sdp {
                    Some(sdp) => self.agree(core, &sdp, AnswerKind::Final),
                    None => core.connect(&mut self.line),
                }
                if self.plan.record {
                    core.tell(
                        self.line.session,
                        Command::Record { max_ms: RECORDING_MS, silence_ms: None },
                    );
                }
            }
            Event::Failed { status, response, .. } => {
                if response.is_some() {
                    self.note(now, format!("refused: {status}"));
                    self.report.status = Some(status);
                    self.ending = Some(Ending::Refused);
                } else {
                    // The stack's own word for it: 408 nothing came back, else nobody is there.
                    let why =
                        if status == 408 { "no reply at all" } else { "nobody listens there" };
                    self.note(now, why);
                    self.ending = Some(Ending::NoAnswer);
                }
            }
            Event::Ended { reason, .. } => {
                let why = reason.map_or(String::new(), |reason| format!(" ({reason})"));
                self.note(now, format!("the far end hangs up{why}"));
                self.ending = Some(Ending::FarEnd);
            }
            Event::Offer { leg, sdp, .. } => self.on_offer(core, leg, sdp.as_deref()),
            _ => {}
        }
    }

    fn on_offer(&mut self, core: &mut Core, leg: LegId, sdp: Option<&[u8]>) {
        let now = core.now();
        let talk = &mut self.line.talk;
        let answer = match sdp {
            Some(sdp) => talk.handle_offer(sdp).ok().and_then(|()| talk.answer().ok()).map(|a| a.0),
            None => talk.offer().ok(),
        };
        match answer {
            Some(answer) => core.endpoint.accept_offer(now, leg, answer),
            None => core.endpoint.refuse_offer(now, leg, 488),
        }
        core.connect(&mut self.line);
    }

    fn agree(&mut self, core: &mut Core, sdp: &[u8], kind: AnswerKind) {
        match self.line.talk.handle_answer(sdp, kind) {
            Ok(_) => core.connect(&mut self.line),
            Err(why) => self.note(core.now(), format!("their answer cannot be used: {why}")),
        }
    }

    fn on_media(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::KeyUp { digit, .. } => self.report.keys_heard.push(char::from(digit)),
            MediaEvent::FirstPacket { .. } => {
                self.report
                    .events
                    .push((self.report.answered_after_ms.unwrap_or(0), "first sound".into()));
            }
            MediaEvent::Recorded { samples, .. } => self.report.heard = samples,
            MediaEvent::Closed { stats, .. } => self.stats = Some(stats),
            _ => {}
        }
    }

    fn note(&mut self, now: Duration, text: impl Into<String>) {
        self.report.events.push((ms(now - self.began), text.into()));
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
