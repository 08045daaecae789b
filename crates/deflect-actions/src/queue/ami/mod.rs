//! Asterisk Manager Interface: login by MD5 challenge, `QueueSummary` every so often, and the
//! events by which a person is known to have taken a call. Words as in `main/manager.c` and
//! `apps/app_queue.c` of Asterisk 18 to 22.

mod channels;
pub(super) mod message;

use std::{collections::HashMap, convert::Infallible, fmt::Write as _, time::Duration};

use md5::{Digest, Md5};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use self::{
    channels::{Channels, Said},
    message::{Block, Blocks},
};
use super::{News, Report, Settings, Taken, Trouble, is_plain, link::Link};

/// Where a channel's Call-ID stands: chan_pjsip, then chan_sip.
const CALL_IDS: [&str; 2] = ["CHANNEL(pjsip,call-id)", "SIPCALLID"];
/// Questions for Call-IDs that may be open; further ones are not asked.
const OPEN: usize = 256;

/// One connection, from login to its end.
pub(super) async fn session(
    settings: &Settings,
    news: &mpsc::Sender<News>,
    was_in: &mut bool,
) -> Result<Infallible, Trouble> {
    let mut session = Session {
        link: Link::open(settings).await?,
        blocks: Blocks::default(),
        settings,
        news,
        action: 0,
        channels: Channels::default(),
        call_ids: HashMap::new(),
        asked: None,
    };
    session.log_in().await?;
    *was_in = true;
    session.run().await
}

struct Session<'a> {
    link: Link,
    blocks: Blocks,
    settings: &'a Settings,
    news: &'a mpsc::Sender<News>,
    action: u64,
    channels: Channels,
    /// Open questions for a channel's Call-ID, by action: the channel, and which of [`CALL_IDS`].
    call_ids: HashMap<String, (String, usize, Instant)>,
    asked: Option<Asked>,
}

/// An open `QueueSummary`.
struct Asked {
    action: String,
    until: Instant,
    report: Option<Report>,
}

impl Session<'_> {
    async fn log_in(&mut self) -> Result<(), Trouble> {
        self.link.answer(Blocks::greeting).await?;
        let action = self.send("Challenge", &[("AuthType", "MD5")]).await?;
        let challenge = self.reply(&action).await?;
        let given = challenge.get("Challenge").to_owned();
        if given.is_empty() {
            return Err(Trouble::Refused(challenge.get("Message").to_owned()));
        }
        let key = hex::encode(Md5::digest(format!("{given}{}", self.settings.secret)));
        let username = self.settings.username.clone();
        let events = if self.settings.signals { "agent,call" } else { "off" };
        let login =
            [("AuthType", "MD5"), ("Username", &*username), ("Key", &*key), ("Events", events)];
        let action = self.send("Login", &login).await?;
        let reply = self.reply_within(&action, self.settings.within + LOGIN_MORE).await?;
        match reply.get("Response") {
            "Success" => Ok(()),
            _ => Err(Trouble::Refused(reply.get("Message").to_owned())),
        }
    }

    /// Asks, hears and tells until the connection is over.
    async fn run(&mut self) -> Result<Infallible, Trouble> {
        let mut next = Instant::now();
        loop {
            let open = self.asked.as_ref().map(|asked| asked.until);
            let Self { link, blocks, .. } = self;
            tokio::select! {
                block = link.next(|buffer| blocks.take(buffer)) => self.hear(block?).await?,
                () = sleep_until(open.unwrap_or(next)) => {
                    if self.asked.is_some() {
                        return Err(Trouble::Silent);
                    }
                    next = Instant::now() + self.settings.every;
                    let now = Instant::now();
                    self.call_ids.retain(|_, (_, _, until)| *until > now);
                    let queue = self.settings.queue.clone();
                    let action = self.send("QueueSummary", &[("Queue", &queue)]).await?;
                    let until = now + self.settings.within;
                    self.asked = Some(Asked { action, until, report: None });
                }
            }
        }
    }

    async fn hear(&mut self, block: Block) -> Result<(), Trouble> {
        let action = block.get("ActionID").to_owned();
        if !block.get("Response").is_empty() {
            if let Some((channel, which, _)) = self.call_ids.remove(&action) {
                return self.call_id_told(channel, which, &block).await;
            }
            if block.get("Response") == "Error" && self.is_asked(&action) {
                self.asked = None;
                let why = block.get("Message").to_owned();
                return self.tell(News::Down(why)).await;
            }
            return Ok(());
        }
        match block.get("Event") {
            "QueueSummary" if self.is_asked(&action) => {
                let queue = &self.settings.queue;
                if block.get("Queue").eq_ignore_ascii_case(queue)
                    && let Some(asked) = &mut self.asked
                {
                    asked.report = Some(report(&block));
                }
                Ok(())
            }
            "QueueSummaryComplete" if self.is_asked(&action) => {
                let report = self.asked.take().and_then(|asked| asked.report);
                let none = || News::Down(format!("there is no queue `{}`", self.settings.queue));
                self.tell(report.map_or_else(none, News::Told)).await
            }
            _ => match self.channels.hear(&block) {
                Said::Nothing => Ok(()),
                Said::Taken(taken) => self.tell(News::Person(taken)).await,
                Said::TakenOn(channel) => self.ask_call_id(channel, 0).await,
                Said::Met(channels) => {
                    for channel in channels {
                        self.ask_call_id(channel, 0).await?;
                    }
                    Ok(())
                }
            },
        }
    }

    fn is_asked(&self, action: &str) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.action == action)
    }

    async fn ask_call_id(&mut self, channel: String, which: usize) -> Result<(), Trouble> {
        let Some(variable) = CALL_IDS.get(which) else { return Ok(()) };
        if self.call_ids.len() >= OPEN || !is_plain(&channel) {
            tracing::warn!(
                open = self.call_ids.len(),
                "AMI: a call that was taken is not looked up"
            );
            return Ok(());
        }
        let fields = [("Channel", channel.as_str()), ("Variable", variable)];
        let action = self.send("Getvar", &fields).await?;
        let until = Instant::now() + self.settings.within;
        self.call_ids.insert(action, (channel, which, until));
        Ok(())
    }

    async fn call_id_told(
        &mut self,
        channel: String,
        which: usize,
        block: &Block,
    ) -> Result<(), Trouble> {
        match block.get("Value") {
            "" | "(null)" => self.ask_call_id(channel, which + 1).await,
            id => self.tell(News::Person(Taken::SipCallId(id.to_owned()))).await,
        }
    }

    async fn tell(&self, news: News) -> Result<(), Trouble> {
        self.news.send(news).await.map_err(|_| Trouble::Closed)
    }

    /// Sends an action; returns its id.
    async fn send(&mut self, action: &str, fields: &[(&str, &str)]) -> Result<String, Trouble> {
        self.action += 1;
        let id = format!("carom-{}", self.action);
        let mut text = format!("Action: {action}\r\nActionID: {id}\r\n");
        for (name, value) in fields {
            if !is_plain(value) {
                return Err(Trouble::Protocol(format!("{name} has more than one line")));
            }
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str("\r\n");
        self.link.send(&text).await?;
        Ok(id)
    }

    async fn reply(&mut self, action: &str) -> Result<Block, Trouble> {
        self.reply_within(action, self.settings.within).await
    }

    /// The response to an action; events that come before it are passed over.
    async fn reply_within(&mut self, action: &str, within: Duration) -> Result<Block, Trouble> {
        let Self { link, blocks, .. } = self;
        let wanted = async {
            loop {
                let block = link.next(|buffer| blocks.take(buffer)).await?;
                if !block.get("Response").is_empty() && block.get("ActionID") == action {
                    return Ok(block);
                }
            }
        };
        tokio::time::timeout(within, wanted).await.map_err(|_| Trouble::Silent)?
    }
}

/// Asterisk keeps who has a wrong password waiting for a second before it says so.
const LOGIN_MORE: Duration = Duration::from_secs(2);

/// `HoldTime` is the queue's own running average, which its announcements tell callers, too. It
/// begins with 0, and is no expectation of those who wait while nobody has been answered yet.
fn report(block: &Block) -> Report {
    let callers_waiting = block.number("Callers");
    let is_told = |hold: &u32| *hold > 0 || callers_waiting == Some(0);
    Report {
        wait_seconds: block.number("HoldTime").filter(is_told),
        agents_available: block.number("Available"),
        callers_waiting,
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    #[test]
    fn a_queue_that_has_answered_nobody_expects_no_wait_of_those_who_wait() {
        for (callers, hold, wait) in [(3, 41, Some(41)), (3, 0, None), (0, 0, Some(0))] {
            let text = format!("Callers: {callers}\r\nHoldTime: {hold}\r\nAvailable: 2\r\n\r\n");
            let mut buffer = BytesMut::from(text.as_bytes());
            let block = Blocks::default().take(&mut buffer).expect("whole").expect("a block");
            let report = report(&block);
            assert_eq!((report.wait_seconds, report.callers_waiting), (wait, Some(callers)));
        }
    }
}
