//! The inbound event socket of a FreeSWITCH with one `mod_callcenter` queue, `service@default`, as
//! `mod_event_socket.c` and `mod_callcenter.c` write it. Not FreeSWITCH: a stand-in for a host that
//! has none.

use std::{
    io::BufReader,
    net::{Ipv4Addr, TcpStream},
    sync::{Arc, atomic::Ordering},
};

use crate::pbx_api::{Counts, Server, block, say};

/// A running event socket, at its usual port 8021.
#[derive(Debug)]
pub struct Freeswitch(Arc<Server>);

impl Freeswitch {
    /// One with this password.
    #[must_use]
    pub fn start(ip: Ipv4Addr, secret: &'static str) -> Self {
        Self(Server::start(ip, 8021, move |server, reader, stream| {
            serve(server, reader, stream, secret)
        }))
    }

    /// What its queue holds: agents who wait for a call, and members who wait for an agent.
    pub fn queue(&self, available: u32, callers: u32) {
        *self.0.counts.lock().unwrap() = Counts { available, callers, hold_seconds: 0 };
    }

    /// The SIP call of this id has made the session of that one.
    pub fn session(&self, uuid: &str, call_id: &str) {
        self.0.call_ids.lock().unwrap().push((uuid.to_owned(), call_id.to_owned()));
    }

    /// `callcenter::info`: what happens to the member of this session.
    pub fn callcenter(&self, action: &str, session: &str) {
        let body = format!(
            "Event-Name: CUSTOM\nEvent-Subclass: callcenter%3A%3Ainfo\nCC-Queue: service%40default\n\
             CC-Action: {action}\nCC-Agent: 1000%40default\nCC-Member-UUID: 7d3f\n\
             CC-Member-Session-UUID: {session}\nCC-Member-CID-Name: Ann%20B\n\n"
        );
        let length = body.len();
        self.0.tell(&format!("Content-Length: {length}\nContent-Type: text/event-plain\n\n{body}"));
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
}

fn serve(
    server: &Server,
    reader: &mut BufReader<TcpStream>,
    stream: &TcpStream,
    secret: &str,
) -> Option<()> {
    if !server.dead.load(Ordering::Relaxed) {
        say(stream, "Content-Type: auth/request\n\n");
    }
    let mut is_in = false;
    loop {
        let command = block(reader)?.join("\n");
        server.asked.lock().unwrap().push(command.clone());
        if server.dead.load(Ordering::Relaxed) {
            continue;
        }
        let reply = |text: &str| {
            say(stream, &format!("Content-Type: command/reply\nReply-Text: {text}\n\n"));
        };
        let answer = |body: &str| {
            let length = body.len();
            say(stream, &format!("Content-Type: api/response\nContent-Length: {length}\n\n{body}"));
        };
        if let Some(given) = command.strip_prefix("auth ") {
            is_in = given == secret;
            reply(if is_in { "+OK accepted" } else { "-ERR invalid" });
            if !is_in {
                say(stream, "Content-Type: text/disconnect-notice\nContent-Length: 0\n\n");
                return None;
            }
        } else if !is_in {
            reply("-ERR command not found");
        } else if command == "event plain CUSTOM callcenter::info" {
            reply("+OK event listener enabled plain");
            server.listens(stream);
        } else if let Some(api) = command.strip_prefix("api ") {
            answer(&said(server, api));
        } else {
            reply("-ERR command not found");
        }
    }
}

fn said(server: &Server, api: &str) -> String {
    let Counts { available, callers, .. } = *server.counts.lock().unwrap();
    let list = |names: &str, rows: Vec<String>| match rows.is_empty() {
        true => "+OK\n".to_owned(),
        false => format!("{names}\n{}\n+OK\n", rows.join("\n")),
    };
    match api {
        "callcenter_config queue list" => list(
            "name|strategy|moh_sound",
            vec!["service@default|longest-idle-agent|local_stream://moh".to_owned()],
        ),
        "callcenter_config queue list agents service@default" => {
            let row = |n: u32, status: &str, state: &str| {
                format!("{}@default|single_box||callback|user/{n}|{status}|{state}|3", 1_000 + n)
            };
            let free = (0..available).map(|n| row(n, "Available", "Waiting"));
            let others = [
                row(90, "Available", "In a queue call"),
                row(91, "On Break", "Waiting"),
                row(92, "Logged Out", "Waiting"),
            ];
            let names = "name|instance_id|uuid|type|contact|status|state|max_no_answer";
            list(names, free.chain(others).collect())
        }
        "callcenter_config queue list members service@default" => {
            let row =
                |n: u32, state: &str| format!("service@default|single_box|{n}|s{n}|{state}|9");
            let waiting = (0..callers).map(|n| row(n, "Waiting"));
            let rows = waiting.chain([row(80, "Answered"), row(81, "Abandoned")]).collect();
            list("queue|instance_id|uuid|session_uuid|state|score", rows)
        }
        other => match other.strip_prefix("uuid_getvar ").and_then(|rest| rest.split_once(' ')) {
            Some((uuid, "sip_call_id")) => {
                server.call_id(uuid).unwrap_or_else(|| "-ERR No such channel!\n".to_owned())
            }
            _ => format!("-ERR {other} Command not found!\n"),
        },
    }
}
