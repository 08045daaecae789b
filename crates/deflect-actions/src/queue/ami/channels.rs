//! The channels of an Asterisk, as far as it must be known which of them a person has taken.
//!
//! A call in a queue is taken when the manager says `AgentConnect`; one in no queue when its
//! channel and another are in a bridge (`BridgeEnter`), holding bridges aside.

use std::collections::{HashMap, HashSet};

use super::message::Block;
use crate::queue::Taken;

/// So many channels and bridges are remembered; with more all are forgotten, and learned anew.
const MOST: usize = 20_000;
/// The variable in which a dial plan may keep our id of the call, listed in `channelvars` of
/// `manager.conf`.
const VARIABLE: &str = "CAROM_CALL=";

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing of calls that are taken.
    Nothing,
    /// A person took this call.
    Taken(Taken),
    /// A person took the call of this channel, whose Call-ID is to be asked for.
    TakenOn(String),
    /// Two channels met, each of which may be a call of ours.
    Met(Vec<String>),
}

#[derive(Debug, Default)]
pub(super) struct Channels {
    /// Names of the SIP channels by their unique id.
    sip: HashMap<String, String>,
    /// Unique ids of channels that came into a queue.
    queued: HashSet<String>,
    /// Those that are known to be taken.
    taken: HashSet<String>,
    /// Who is in which bridge.
    bridges: HashMap<String, Vec<String>>,
}

impl Channels {
    pub fn hear(&mut self, event: &Block) -> Said {
        self.forget_if_too_many();
        let id = event.get("Uniqueid").to_owned();
        match event.get("Event") {
            "Newchannel" => {
                self.learn(&id, event.get("Channel"));
                Said::Nothing
            }
            "QueueCallerJoin" => {
                self.learn(&id, event.get("Channel"));
                self.queued.insert(id);
                Said::Nothing
            }
            "AgentConnect" => self.connected(event, id),
            "BridgeEnter" => self.entered(event, id),
            "BridgeLeave" => {
                if let Some(bridge) = self.bridges.get_mut(event.get("BridgeUniqueid")) {
                    bridge.retain(|one| *one != id);
                }
                Said::Nothing
            }
            "BridgeDestroy" => {
                self.bridges.remove(event.get("BridgeUniqueid"));
                Said::Nothing
            }
            "Hangup" => {
                self.sip.remove(&id);
                self.queued.remove(&id);
                self.taken.remove(&id);
                Said::Nothing
            }
            _ => Said::Nothing,
        }
    }

    fn learn(&mut self, id: &str, channel: &str) {
        if is_sip(channel) {
            self.sip.insert(id.to_owned(), channel.to_owned());
        }
    }

    fn connected(&mut self, event: &Block, id: String) -> Said {
        self.taken.insert(id);
        if let Some(call) = event.all("ChanVariable").find_map(|v| v.strip_prefix(VARIABLE))
            && !call.is_empty()
        {
            return Said::Taken(Taken::Call(call.to_owned()));
        }
        // A queue that is reached by a Local channel has the call that it came from as its link.
        let own = Some(event.get("Channel")).filter(|channel| is_sip(channel));
        let linked = || self.sip.get(event.get("Linkedid")).map(String::as_str);
        own.or_else(linked).map_or(Said::Nothing, |channel| Said::TakenOn(channel.to_owned()))
    }

    fn entered(&mut self, event: &Block, id: String) -> Said {
        self.learn(&id, event.get("Channel"));
        if event.get("BridgeTechnology").contains("holding") {
            return Said::Nothing;
        }
        let bridge = self.bridges.entry(event.get("BridgeUniqueid").to_owned()).or_default();
        if !bridge.contains(&id) {
            bridge.push(id);
        }
        if bridge.len() < 2 {
            return Said::Nothing;
        }
        let met = bridge.iter().filter(|id| !self.queued.contains(*id));
        let fresh: Vec<String> = met.filter(|id| !self.taken.contains(*id)).cloned().collect();
        let names = fresh.iter().filter_map(|id| self.sip.get(id).cloned()).collect::<Vec<_>>();
        self.taken.extend(fresh);
        if names.is_empty() { Said::Nothing } else { Said::Met(names) }
    }

    fn forget_if_too_many(&mut self) {
        let counts = [self.sip.len(), self.queued.len(), self.taken.len(), self.bridges.len()];
        if counts.into_iter().any(|count| count > MOST) {
            tracing::warn!("AMI: more than {MOST} channels at once; all are learned anew");
            *self = Self::default();
        }
    }
}

fn is_sip(channel: &str) -> bool {
    channel.starts_with("PJSIP/") || channel.starts_with("SIP/")
}
