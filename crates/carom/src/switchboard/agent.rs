//! What a voice bot says of a call: headers of its 200, its BYE or its REFER become fields.

use std::collections::BTreeMap;

use ivr_runtime::{call::Input, flow::model::Flow};
use sip_stack::{
    Uri,
    message::{HeaderName, Headers, NameAddr},
};

use super::{Switchboard, live::CallNo};

/// Port of a SIP URI that names none (RFC 3261 §19.1.2).
const PORT: u16 = 5060;

impl Switchboard {
    /// Takes what the flow reads of it; where a REFER would have the caller is told as the name of
    /// the target that is configured there, and is no word of the flow otherwise.
    pub(super) fn agent_said(&mut self, no: CallNo, headers: &Headers) {
        let Some(call) = self.calls.get(&no) else { return };
        let Some(agent) = call.target.as_ref().and_then(|target| target.agent.as_ref()) else {
            return;
        };
        let values = agent.save.iter().filter_map(|save| {
            let name = HeaderName::from(save.header.as_str());
            let value = match &name {
                HeaderName::ReferTo => target_at(&call.flow, headers)?,
                _ => headers.first(name)?,
            };
            Some((save.field.clone(), save.is.read(value)?))
        });
        let values: BTreeMap<String, String> = values.collect();
        if !values.is_empty() {
            self.tell(no, Input::AgentSaid(values));
        }
    }
}

/// The target that Refer-To names by one of its addresses.
fn target_at<'f>(flow: &'f Flow, headers: &Headers) -> Option<&'f str> {
    let named = NameAddr::first(headers, HeaderName::ReferTo).ok()?;
    let wanted = place(&named.uri)?;
    let is_there = |address: &String| {
        Uri::parse(address).is_ok_and(|uri| place(&uri).as_ref() == Some(&wanted))
    };
    let target = flow.targets.iter().find(|target| target.addresses.iter().any(is_there))?;
    Some(&target.name)
}

/// What makes two addresses the same here: user, host and port.
fn place(uri: &Uri<'_>) -> Option<(Option<String>, String, u16)> {
    let place = (uri.user_plain(), uri.host.to_ascii_lowercase(), uri.port.unwrap_or(PORT));
    uri.is_sip().then_some(place)
}
