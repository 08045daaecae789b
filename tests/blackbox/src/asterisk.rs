//! The Manager Interface of an Asterisk with one queue, `service`, as `main/manager.c` and
//! `apps/app_queue.c` write it. Not Asterisk: a stand-in for a host that has none.

use std::{
    fmt::Write as _,
    io::BufReader,
    net::{Ipv4Addr, TcpStream},
    sync::{Arc, atomic::Ordering},
};

use md5::{Digest, Md5};

use crate::pbx_api::{Counts, Server, block, say};

const CHALLENGE: &str = "1804289383";

/// A running manager, at its usual port 5038.
#[derive(Debug)]
pub struct Asterisk(Arc<Server>);

impl Asterisk {
    /// One whose manager `carom` has this password.
    #[must_use]
    pub fn start(ip: Ipv4Addr, secret: &'static str) -> Self {
        Self(Server::start(ip, 5038, move |server, reader, stream| {
            serve(server, reader, stream, secret)
        }))
    }

    /// What its queue says of itself: free members, callers, average hold time in seconds.
    pub fn queue(&self, available: u32, callers: u32, hold_seconds: u32) {
        *self.0.counts.lock().unwrap() = Counts { available, callers, hold_seconds };
    }

    /// A channel of chan_pjsip, which the SIP call of this id has made.
    pub fn channel(&self, name: &str, call_id: &str) {
        self.0.call_ids.lock().unwrap().push((name.to_owned(), call_id.to_owned()));
    }

    /// An event with these lines; `Event: …` is the first.
    pub fn event(&self, lines: &[&str]) {
        self.0.tell(&format!("{}\r\n\r\n", lines.join("\r\n")));
    }

    /// So many events of channels that are nobody's business.
    pub fn flood(&self, events: usize) {
        let mut text = String::new();
        for n in 0..events {
            let _ = write!(
                text,
                "Event: VarSet\r\nPrivilege: dialplan,all\r\nChannel: PJSIP/other-{n:08x}\r\n\
                 Uniqueid: 17.{n}\r\nLinkedid: 17.{n}\r\nVariable: SOUNDS\r\nValue: x y z\r\n\r\n"
            );
        }
        self.0.tell(&text);
    }

    /// From now on it takes connections and says nothing, or speaks again.
    pub fn goes_dead(&self, dead: bool) {
        self.0.dead.store(dead, Ordering::Relaxed);
    }

    /// Hangs up on everybody.
    pub fn restarts(&self) {
        self.0.hang_up();
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// Every action that was asked for, as `Login Events=off`.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.0.asked.lock().unwrap().clone()
    }
}

fn serve(
    server: &Server,
    reader: &mut BufReader<TcpStream>,
    stream: &TcpStream,
    secret: &str,
) -> Option<()> {
    if !server.dead.load(Ordering::Relaxed) {
        say(stream, "Asterisk Call Manager/11.0.0\r\n");
    }
    let mut is_in = false;
    loop {
        let lines = block(reader)?;
        let get = |name: &str| {
            let start = format!("{name}: ");
            lines.iter().find_map(|line| line.strip_prefix(&start)).unwrap_or("")
        };
        let (action, id) = (get("Action").to_owned(), get("ActionID").to_owned());
        let detail = ["Events", "Queue", "Variable"].map(|name| (name, get(name)));
        let detail = detail.into_iter().filter(|(_, value)| !value.is_empty());
        let detail: String = detail.map(|(name, value)| format!(" {name}={value}")).collect();
        server.asked.lock().unwrap().push(format!("{action}{detail}"));
        if server.dead.load(Ordering::Relaxed) {
            continue;
        }
        let respond = |what: &str, more: &str| {
            say(stream, &format!("Response: {what}\r\nActionID: {id}\r\n{more}\r\n\r\n"));
        };
        match action.as_str() {
            "Challenge" => respond("Success", &format!("Challenge: {CHALLENGE}")),
            "Login" => {
                let key = Md5::digest(format!("{CHALLENGE}{secret}"));
                let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
                if get("Username") != "carom" || get("Key") != key {
                    respond("Error", "Message: Authentication failed");
                    return None;
                }
                respond("Success", "Message: Authentication accepted");
                is_in = true;
                if get("Events") != "off" {
                    server.listens(stream);
                    server.tell("Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 3\r\n\r\n");
                }
            }
            _ if !is_in => respond("Error", "Message: Permission denied"),
            "QueueSummary" => {
                let Counts { available, callers, hold_seconds } = *server.counts.lock().unwrap();
                respond("Success", "EventList: start\r\nMessage: Queue summary will follow");
                let known = get("Queue") == "service";
                if known {
                    say(
                        stream,
                        &format!(
                            "Event: QueueSummary\r\nQueue: service\r\nLoggedIn: 4\r\n\
                             Available: {available}\r\nCallers: {callers}\r\n\
                             HoldTime: {hold_seconds}\r\nTalkTime: 180\r\n\
                             LongestHoldTime: 77\r\nActionID: {id}\r\n\r\n"
                        ),
                    );
                }
                let items = u8::from(known);
                say(
                    stream,
                    &format!(
                        "Event: QueueSummaryComplete\r\nActionID: {id}\r\nEventList: Complete\r\n\
                         ListItems: {items}\r\n\r\n"
                    ),
                );
            }
            "Getvar" => match (server.call_id(get("Channel")), get("Variable")) {
                (None, _) => respond("Error", "Message: No such channel"),
                (Some(call), variable @ "CHANNEL(pjsip,call-id)") => {
                    respond("Success", &format!("Variable: {variable}\r\nValue: {call}"));
                }
                (Some(_), variable) => {
                    respond("Success", &format!("Variable: {variable}\r\nValue: "));
                }
            },
            _ => respond("Error", "Message: Invalid/unknown command"),
        }
    }
}
