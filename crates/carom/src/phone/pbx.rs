//! A small legacy PBX: what the demo forwards to.

use std::{
    collections::HashMap, io, net::SocketAddr, ops::RangeInclusive, sync::Arc, time::Duration,
};

use rtp_media::{prompt::Prompt, session::MediaEvent, worker::Command};
use sip_stack::{
    Uri,
    endpoint::{Event, LegId},
    offer_answer::Codec,
};
use tokio::{sync::oneshot, task::JoinHandle};

use super::core::{Core, Happening, Line};

/// What the PBX does with a call.
#[derive(Debug, Clone)]
pub struct Script {
    /// It rings this long.
    pub ring: Duration,
    /// It says this, if anything.
    pub greeting: Option<Arc<Prompt>>,
    /// It hangs up this long after the answer; `None`: never.
    pub hang_up_after: Option<Duration>,
}

/// A running PBX; dropping it ends it.
#[derive(Debug)]
pub struct Pbx {
    at: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

struct Extension {
    line: Line,
    answer_at: Option<Duration>,
    hang_up_at: Option<Duration>,
}

impl Pbx {
    /// Answers every call at `at` by the script.
    ///
    /// # Errors
    /// A socket cannot be had.
    pub async fn open(
        at: SocketAddr,
        rtp: RangeInclusive<u16>,
        script: Script,
    ) -> io::Result<Self> {
        let core = Core::open(at, rtp).await?;
        let at = core.at();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(run(core, script, stopped));
        Ok(Self { at, stop: Some(stop), task })
    }

    /// Where it listens.
    #[must_use]
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// Ends it as a power cut would: nobody is told.
    pub async fn die(mut self) {
        drop(self.stop.take());
        let _ = (&mut self.task).await;
    }
}

impl Drop for Pbx {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(mut core: Core, script: Script, mut stopped: oneshot::Receiver<()>) {
    let mut calls: HashMap<LegId, Extension> = HashMap::new();
    loop {
        let due = calls.values().flat_map(|call| [call.answer_at, call.hang_up_at]).flatten().min();
        let until = due.unwrap_or(core.now() + Duration::from_secs(3_600));
        let happening = tokio::select! {
            _ = &mut stopped => return,
            happening = core.next(until) => happening,
        };
        match happening {
            Happening::Signal(event) => on_signal(&mut core, &script, &mut calls, *event),
            Happening::Media(MediaEvent::Timeout { session }) => {
                let gone = calls.iter().find(|(_, call)| call.line.session == session);
                if let Some(leg) = gone.map(|(leg, _)| *leg) {
                    let now = core.now();
                    core.endpoint.hang_up(now, leg, None);
                }
            }
            Happening::Media(_) => {}
            Happening::Time => on_time(&mut core, &script, &mut calls),
        }
    }
}

fn on_signal(
    core: &mut Core,
    script: &Script,
    calls: &mut HashMap<LegId, Extension>,
    event: Event,
) {
    let now = core.now();
    match event {
        Event::Incoming { leg, request, .. } => {
            let user = Uri::parse(request.uri()).ok().and_then(|uri| uri.user_plain());
            let busy = user.as_deref() == Some("busy");
            let line = core.line(&[Codec::Pcmu, Codec::Pcma]).ok();
            let Some(mut line) = line.filter(|_| !busy) else {
                return core.endpoint.reject(now, leg, if busy { 486 } else { 503 }, None, vec![]);
            };
            if line.talk.handle_offer(request.body()).is_err() {
                return core.endpoint.reject(now, leg, 488, None, vec![]);
            }
            core.endpoint.ring(now, leg, 180, None, vec![]);
            let answer_at = Some(now + script.ring);
            calls.insert(leg, Extension { line, answer_at, hang_up_at: None });
        }
        Event::Offer { leg, sdp, .. } => {
            let Some(call) = calls.get_mut(&leg) else { return };
            let talk = &mut call.line.talk;
            let answer = match sdp {
                Some(sdp) => {
                    talk.handle_offer(&sdp).ok().and_then(|()| talk.answer().ok()).map(|a| a.0)
                }
                None => talk.offer().ok(),
            };
            match answer {
                Some(answer) => core.endpoint.accept_offer(now, leg, answer),
                None => core.endpoint.refuse_offer(now, leg, 488),
            }
            core.connect(&mut call.line);
        }
        Event::Cancelled { leg, .. } | Event::Ended { leg, .. } => {
            if let Some(call) = calls.remove(&leg) {
                core.tell(call.line.session, Command::Close);
            }
        }
        _ => {}
    }
}

fn on_time(core: &mut Core, script: &Script, calls: &mut HashMap<LegId, Extension>) {
    let now = core.now();
    for (leg, call) in calls {
        if call.answer_at.is_some_and(|at| now >= at) {
            call.answer_at = None;
            match call.line.talk.answer() {
                Ok((answer, _)) => {
                    core.endpoint.answer(now, *leg, answer, vec![]);
                    core.connect(&mut call.line);
                    if let Some(greeting) = &script.greeting {
                        let items = vec![Arc::clone(greeting)];
                        let play = Command::Play { id: 1, items, barge_in: false, repeat: false };
                        core.tell(call.line.session, play);
                    }
                    call.hang_up_at = script.hang_up_after.map(|after| now + after);
                }
                Err(why) => core.endpoint.reject(now, *leg, why.status(), None, vec![]),
            }
        }
        if call.hang_up_at.is_some_and(|at| now >= at) {
            call.hang_up_at = None;
            core.endpoint.hang_up(now, *leg, None);
        }
    }
}
