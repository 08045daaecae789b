//! FreeSWITCH event socket, inbound: the agents and members of a `mod_callcenter` queue every so
//! often, and its event `bridge-agent-start`, by which a person is known to have taken a call.
//! Words as in `mod_event_socket.c` and `mod_callcenter.c` of FreeSWITCH 1.10.
//!
//! FreeSWITCH expects no wait of its queues: [`Report::wait_seconds`] stays unknown.

pub(super) mod frame;

use std::{collections::VecDeque, convert::Infallible};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use self::frame::{Frame, Frames};
use super::{News, Report, Settings, Taken, Trouble, is_plain, link::Link};

/// Questions that may be open; further ones are not asked.
const OPEN: usize = 256;

/// One connection, from login to its end.
pub(super) async fn session(
    settings: &Settings,
    news: &mpsc::Sender<News>,
    was_in: &mut bool,
) -> Result<Infallible, Trouble> {
    let mut session = Session {
        link: Link::open(settings).await?,
        settings,
        news,
        open: VecDeque::new(),
        agents: None,
    };
    session.log_in().await?;
    *was_in = true;
    session.run().await
}

struct Session<'a> {
    link: Link,
    settings: &'a Settings,
    news: &'a mpsc::Sender<News>,
    /// What was asked, in order; so is what is answered.
    open: VecDeque<(Asked, Instant)>,
    /// Free agents, until the members are counted too.
    agents: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Which queues there are.
    Queues,
    Agents,
    Members,
    /// The Call-ID of a call that a person took.
    CallId,
}

impl Session<'_> {
    async fn log_in(&mut self) -> Result<(), Trouble> {
        let hello = self.link.answer(Frames::take).await?;
        match hello.get("Content-Type") {
            "auth/request" => {}
            "text/rude-rejection" => return Err(Trouble::Refused(hello.body.trim().to_owned())),
            other => return Err(Trouble::Protocol(format!("no event socket: {other}"))),
        }
        let secret = self.settings.secret.clone();
        self.command(&format!("auth {secret}")).await?;
        if self.settings.signals {
            self.command("event plain CUSTOM callcenter::info").await?;
        }
        self.ask(Asked::Queues, "callcenter_config queue list").await
    }

    /// A command of the socket itself, done.
    async fn command(&mut self, command: &str) -> Result<(), Trouble> {
        if !is_plain(command) {
            return Err(Trouble::Protocol("a command of more than one line".to_owned()));
        }
        self.link.send(&format!("{command}\n\n")).await?;
        let reply = self.link.answer(Frames::take).await?;
        match reply.get("Reply-Text") {
            text if text.starts_with("+OK") => Ok(()),
            text => Err(Trouble::Refused(text.to_owned())),
        }
    }

    /// Asks, hears and tells until the connection is over.
    async fn run(&mut self) -> Result<Infallible, Trouble> {
        let mut next = Instant::now();
        loop {
            let open = self.open.front().map(|(_, until)| *until);
            tokio::select! {
                frame = self.link.next(Frames::take) => self.hear(&frame?).await?,
                () = sleep_until(open.unwrap_or(next)) => {
                    if open.is_some() {
                        return Err(Trouble::Silent);
                    }
                    next = Instant::now() + self.settings.every;
                    let queue = self.settings.queue.clone();
                    let list = |what| format!("callcenter_config queue list {what} {queue}");
                    self.ask(Asked::Agents, &list("agents")).await?;
                    self.ask(Asked::Members, &list("members")).await?;
                }
            }
        }
    }

    async fn ask(&mut self, asked: Asked, command: &str) -> Result<(), Trouble> {
        if self.open.len() >= OPEN || !is_plain(command) {
            tracing::warn!(open = self.open.len(), "event socket: a question is not asked");
            return Ok(());
        }
        self.link.send(&format!("api {command}\n\n")).await?;
        self.open.push_back((asked, Instant::now() + self.settings.within));
        Ok(())
    }

    async fn hear(&mut self, frame: &Frame) -> Result<(), Trouble> {
        match frame.get("Content-Type") {
            "api/response" => match self.open.pop_front() {
                Some((asked, _)) => self.answered(asked, &frame.body).await,
                None => Err(Trouble::Protocol("an answer to nothing".to_owned())),
            },
            "text/event-plain" => {
                let event = frame.event();
                let session = event.get("CC-Member-Session-UUID");
                if event.get("CC-Action") != "bridge-agent-start" || session.is_empty() {
                    return Ok(());
                }
                // It speaks of the call's channel by id; SIP knows it by its Call-ID.
                let command = format!("uuid_getvar {session} sip_call_id");
                self.ask(Asked::CallId, &command).await
            }
            "text/disconnect-notice" => Err(Trouble::Closed),
            _ => Ok(()),
        }
    }

    async fn answered(&mut self, asked: Asked, body: &str) -> Result<(), Trouble> {
        let refused = body.starts_with("-ERR") || body.starts_with("-USAGE");
        match asked {
            Asked::CallId => match body.trim() {
                "" | "_undef_" => Ok(()),
                _ if refused => Ok(()),
                id => self.tell(News::Person(Taken::SipCallId(id.to_owned()))).await,
            },
            _ if refused => {
                self.agents = None;
                self.tell(News::Down(body.trim().to_owned())).await
            }
            Asked::Queues => {
                let queue = &self.settings.queue;
                let is_it = |row: &Row<'_>| row.get("name") == Some(queue);
                match rows(body).iter().any(is_it) {
                    true => Ok(()),
                    false => Err(Trouble::Refused(format!("there is no queue `{queue}`"))),
                }
            }
            Asked::Agents => {
                let free = |row: &&Row<'_>| {
                    let status = row.get("status").unwrap_or("");
                    status.starts_with("Available") && row.get("state") == Some("Waiting")
                };
                self.agents = Some(count(rows(body).iter().filter(free).count()));
                Ok(())
            }
            Asked::Members => {
                let waits = |row: &&Row<'_>| matches!(row.get("state"), Some("Waiting" | "Trying"));
                let report = Report {
                    wait_seconds: None,
                    agents_available: self.agents.take(),
                    callers_waiting: Some(count(rows(body).iter().filter(waits).count())),
                };
                self.tell(News::Told(report)).await
            }
        }
    }

    async fn tell(&self, news: News) -> Result<(), Trouble> {
        self.news.send(news).await.map_err(|_| Trouble::Closed)
    }
}

/// A row of a list, with the names of its columns.
struct Row<'b> {
    names: &'b str,
    values: &'b str,
}

impl<'b> Row<'b> {
    fn get(&self, name: &str) -> Option<&'b str> {
        let at = self.names.split('|').position(|own| own == name)?;
        self.values.split('|').nth(at)
    }
}

/// The rows of a list: names of columns, rows, `+OK`; without a row there are no names either.
fn rows(body: &str) -> Vec<Row<'_>> {
    let mut lines = body.lines().filter(|line| !line.is_empty() && *line != "+OK");
    let Some(names) = lines.next() else { return Vec::new() };
    lines.map(|values| Row { names, values }).collect()
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
