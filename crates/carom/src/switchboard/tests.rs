//! Callbacks whose network nobody reads: what becomes of them by time, by late news, and by a
//! reload.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use carom_blackbox::{CONFIG, Place, fill};
use deflect_actions::store::CallbackDue;
use ivr_runtime::flow::model::TargetId;
use rtp_media::worker::MediaConfig;
use sip_stack::{
    endpoint::{EndpointConfig, Transport},
    message::Headers,
    transport::Listen,
};

use super::{live::Media, *};
use crate::config::{Codec, Config};

const FLOW: &str = r#"
version = 1

[flow]
name    = "Back"
default = true
start   = "callback"
human   = "agents"

[target.agents]
sip            = "sip:desk@{desk}:5060"
answered_means = "queue"
human_signal   = "reinvite"
ping_seconds   = 0

[step.callback]
do       = "callback"
play     = "welcome.wav"
then     = "hangup"
if_fails = "agents"
"#;

const TRUNK: &str = r#"trusted    = true
outbound      = true
address       = "sip:carrier.invalid:5060"
callback_from = "+442079460018""#;

const ANSWER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n\
    t=0 0\r\nm=audio 9 RTP/AVP 8\r\n";

#[tokio::test]
async fn a_callback_whom_nobody_takes_from_the_queue_ends_once_and_holds_nobody_up() {
    let place = Place::new();
    let mut board = board(&place, "{pbx}").await;
    let (no, mut dialled) = dial(&mut board);
    board.on_target_answered(no, Some(ANSWER), &Headers::default());
    let now = board.now();
    let dial = board.calls.get_mut(&no).unwrap().dial.as_mut().unwrap();
    let waits = dial.until.replace(now);
    assert!(waits.is_some_and(|until| until > now + Duration::from_secs(60)), "{waits:?}");
    board.reschedule(no);
    // Its media session has yet to tell its counts, which is waited for.
    board.on_time();
    assert!(board.now() < now + Duration::from_secs(2), "every other call waited");
    assert_eq!(dialled.try_recv(), Ok(Dialled::NotReached));
    let line = &board.calls[&no].line;
    assert_eq!(line.entries.iter().filter(|entry| entry.kind == "end").count(), 1, "{line:?}");
}

#[tokio::test]
async fn late_news_of_a_target_s_address_is_none_of_the_next_target_s() {
    let place = Place::new();
    let mut board = board(&place, "desk.invalid").await;
    let (no, _dialled) = dial(&mut board);
    let of_first = board.calls[&no].target.as_ref().unwrap().attempt;
    board.stop_forward(no);
    board.forward(no, TargetId(1), true);
    board.on_resolved(no, of_first, Vec::new());
    assert!(board.calls[&no].target.is_some(), "its own look-up is waited for");
    let of_second = board.calls[&no].target.as_ref().unwrap().attempt;
    board.on_resolved(no, of_second, Vec::new());
    assert!(!board.calls.contains_key(&no), "and that has found nobody");
}

#[tokio::test]
async fn later_legs_of_a_call_have_the_media_of_the_configuration_that_it_began_with() {
    let place = Place::new();
    let mut board = board(&place, "{pbx}").await;
    let (no, _dialled) = dial(&mut board);
    let codecs = |media: &Media| media.talk.local().codecs.clone();
    let first = codecs(&board.calls[&no].caller.media);
    let mut reloaded = (*board.snapshot).clone();
    reloaded.config.media.codecs = vec![Codec::G722];
    board.snapshot = Arc::new(reloaded);
    let mut of_later = |no| codecs(&board.reserve(no, Side::Target, None).unwrap());
    assert_eq!(of_later(no), first);
    assert_ne!(of_later(CallNo(99)), first, "a new call takes the new one");
}

/// A switchboard whose callbacks ring `desk` first.
async fn board(place: &Place, desk: &str) -> Switchboard {
    place.write("flows/main.toml", &fill(place, &FLOW.replace("{desk}", desk)));
    let config = CONFIG.replace("trusted    = true", TRUNK);
    let config = place.write("carom.toml", &fill(place, &config));
    let snapshot = Arc::new(Config::load(Some(&config)).unwrap());
    let services = crate::node::services(&snapshot).await.unwrap();
    let at = (place.engine(), 5060).into();
    let listen = Listen { transport: Transport::Udp, at, identity: None };
    let (wires, _) = Transports::bind(&[listen]).await.unwrap();
    let media = MediaPool::start(MediaConfig::default(), Box::new(|_| {})).unwrap();
    let ports = PortPool::new(at.ip(), 20_000..=20_999);
    let endpoint = Endpoint::new(EndpointConfig::new("test", 1));
    let (done, _) = mpsc::unbounded_channel();
    let drives = (wires, media, ports);
    Switchboard::new(Clock::start(), endpoint, drives, snapshot, services, None, done)
}

/// A callback that is due.
fn dial(board: &mut Switchboard) -> (CallNo, oneshot::Receiver<Dialled>) {
    let (reply, dialled) = oneshot::channel();
    let due = CallbackDue {
        callback_id: "cb-1".into(),
        number: "+447700900801".parse().unwrap(),
        target: "agents".into(),
        tries: 0,
        flow: "Back".into(),
        trunk: Some("carrier".into()),
        called: "100".into(),
        language: None,
        call_id: "call-1".into(),
        intent: None,
        step: "callback".into(),
        due_ms: 0,
    };
    board.dial(DialOrder { due, reply });
    (*board.calls.keys().next().unwrap(), dialled)
}
