//! How a leg's requests and responses look.

use std::time::Duration;

use bytes::Bytes;

use super::{ExtraHeaders, Leg, Output, Purpose, route::Ways};
use crate::{
    dialog::tagged,
    endpoint::{ACCEPT, ALLOW, ALLOW_REFER, EndpointConfig, LegId, Path},
    message::{HeaderName, NameAddr, Request, Response},
    transaction::{ClientKey, ServerKey},
    uri::Uri,
};

impl Leg {
    /// Returns a new transaction's key and the Via that carries it.
    pub(super) fn via(&mut self, config: &EndpointConfig, path: Path) -> (ClientKey, String) {
        let key = ClientKey::new(self.random.number());
        (key, via_of(config, path, key))
    }

    pub(super) fn contact(&self) -> String {
        if self.sips {
            return format!("<sips:{}>", self.shown);
        }
        format!("<sip:{}{}>", self.shown, self.path.transport.parameter())
    }

    /// The methods that the peer may use.
    pub fn allow(&self) -> &'static str {
        if self.takes_refer { ALLOW_REFER } else { ALLOW }
    }

    /// Adds what every INVITE and UPDATE says of us.
    pub(super) fn introduce(&self, config: &EndpointConfig, request: &mut Request) {
        let headers = request.headers_mut();
        headers.push(HeaderName::Contact, self.contact());
        headers.push(HeaderName::Allow, self.allow());
        headers.push(HeaderName::UserAgent, &config.user_agent);
    }

    pub(super) fn send(
        &mut self,
        now: Duration,
        config: &EndpointConfig,
        key: ClientKey,
        purpose: Purpose,
        ways: Ways,
        mut request: Request,
    ) {
        self.sign(&mut request);
        let host = ways.host.clone();
        let path = self.fit(now, config, key, purpose, ways, &mut request);
        let path = self.keep_secret(config, key, path, &mut request);
        self.expect(path, host);
        self.keep_for_challenge(key, path, &request);
        if purpose != Purpose::Invite {
            self.open.push(key);
        }
        self.outputs.push_back(Output::Request { key, purpose, path, request });
    }

    /// Answers a request with a bare status.
    pub(super) fn respond(
        &mut self,
        config: &EndpointConfig,
        txn: ServerKey,
        request: &Request,
        status: u16,
    ) {
        let mut response = bare(self.id, request, status);
        response.headers_mut().push(HeaderName::Server, &config.user_agent);
        self.push_response(txn, &response);
    }

    /// Answers OPTIONS within the dialog as one outside is answered (RFC 3261 §11.2).
    pub(super) fn answer_options(
        &mut self,
        config: &EndpointConfig,
        txn: ServerKey,
        request: &Request,
    ) {
        let mut response = bare(self.id, request, 200);
        let headers = response.headers_mut();
        headers.push(HeaderName::Allow, self.allow());
        headers.push(HeaderName::Accept, ACCEPT);
        headers.push(HeaderName::Server, &config.user_agent);
        self.push_response(txn, &response);
    }

    pub(super) fn push_response(&mut self, txn: ServerKey, response: &Response) {
        let (status, bytes) = (response.status(), response.to_bytes());
        self.outputs.push_back(Output::Respond { txn, status, bytes });
    }

    /// Makes a response that says where we are, to an INVITE or UPDATE.
    pub(super) fn full_response(
        &self,
        config: &EndpointConfig,
        request: &Request,
        status: u16,
        reason: &str,
        sdp: Option<&Bytes>,
        extra: ExtraHeaders,
    ) -> Response {
        let mut response =
            Response::for_request(request, status, reason).with_record_route(request);
        tag(self.id, &mut response);
        let headers = response.headers_mut();
        headers.push(HeaderName::Contact, self.contact());
        headers.push(HeaderName::Allow, self.allow());
        headers.push(HeaderName::Server, &config.user_agent);
        for (name, value) in extra {
            headers.push(name, value);
        }
        if let Some(sdp) = sdp {
            response.set_body("application/sdp", sdp);
        }
        response
    }
}

/// Writes a Via, which names the listener that its path starts from.
pub(super) fn via_of(config: &EndpointConfig, path: Path, key: ClientKey) -> String {
    let shown = config.shown(path.transport, path.local);
    let rport = if path.transport.is_reliable() { "" } else { ";rport" };
    let transport = path.transport.as_str();
    format!("SIP/2.0/{transport} {shown}{rport};branch={}", key.branch())
}

pub(super) fn is_sips(uri: &str) -> bool {
    Uri::parse(uri).is_ok_and(|uri| uri.is_sips())
}

/// Whether an INVITE begins a dialog of SIPS URIs (RFC 3261 §12.1.1).
pub(super) fn asks_for_sips(invite: &Request) -> bool {
    let first = |name| NameAddr::first(invite.headers(), name).ok();
    let hop = first(HeaderName::RecordRoute).or_else(|| first(HeaderName::Contact));
    is_sips(invite.uri()) || hop.is_some_and(|hop| hop.uri.is_sips())
}

/// Makes a response with our tag and nothing else.
pub(super) fn bare(id: LegId, request: &Request, status: u16) -> Response {
    let mut response = Response::for_request(request, status, "");
    tag(id, &mut response);
    response
}

fn tag(id: LegId, response: &mut Response) {
    let to = response.headers().first(HeaderName::To).unwrap_or("").to_owned();
    let tagged = tagged(&to, &id.to_string());
    if tagged != to {
        response.headers_mut().set(HeaderName::To, tagged);
    }
}
