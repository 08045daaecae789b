//! What is answered before anybody else hears of it (RFC 3261 §8.2.1 to §8.2.3, §16.3).

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use super::{
    ACCEPT, ALLOW, Endpoint,
    path::{Path, Source},
    types::{Dropped, LegId, Output},
};
use crate::{
    dialog::tagged,
    leg::{ExtraHeaders, Leg},
    message::{HeaderName, Method, ParseError, Request, Response},
    transaction::{ServerKey, origin},
};

impl Endpoint {
    /// Refuses a request that nobody can serve; returns whether it did.
    pub(super) fn refuse(
        &mut self,
        now: Duration,
        key: ServerKey,
        path: Path,
        leg: Option<LegId>,
        request: &Request,
    ) -> bool {
        let Some((status, headers)) = self.refusal(leg, request) else { return false };
        self.open_server(key, path, leg, request);
        self.note_request(leg, request);
        self.answer_bare(now, key, leg, request, status, headers);
        true
    }

    fn refusal(&self, leg: Option<LegId>, request: &Request) -> Option<(u16, ExtraHeaders)> {
        let method = request.method();
        let legs = leg.and_then(|leg| self.legs.get(&leg));
        let refers = *method == Method::Refer && legs.is_some_and(Leg::takes_refer);
        let tells = *method == Method::Notify && legs.is_some_and(Leg::has_referred);
        if !refers && !tells && !is_allowed(method) {
            let status = if matches!(method, Method::Other(_)) { 501 } else { 405 };
            let allow = legs.map_or(ALLOW, Leg::allow);
            return Some((status, vec![(HeaderName::Allow, allow.to_owned())]));
        }
        let uri = request.parsed_uri();
        if !uri.is_ok_and(|uri| uri.is_sip() || is_service_urn(request.uri())) {
            return Some((416, Vec::new()));
        }
        let in_dialog = request.to().is_ok_and(|to| to.tag().is_some());
        if in_dialog && leg.is_none() {
            return Some((481, Vec::new()));
        }
        if let Some(merged) = origin(request, self.config.seed)
            && self.origins.contains_key(&merged)
        {
            return Some((482, Vec::new()));
        }
        if !in_dialog && matches!(method, Method::Bye | Method::Info | Method::Update) {
            return Some((481, Vec::new()));
        }
        self.refused_by_headers(in_dialog, request)
    }

    fn refused_by_headers(
        &self,
        in_dialog: bool,
        request: &Request,
    ) -> Option<(u16, ExtraHeaders)> {
        let headers = request.headers();
        let required: Vec<&str> = headers.values(HeaderName::Require).collect();
        if !required.is_empty() {
            return Some((420, vec![(HeaderName::Unsupported, required.join(", "))]));
        }
        let invites = *request.method() == Method::Invite;
        if invites && !in_dialog {
            let hops =
                headers.first(HeaderName::MaxForwards).and_then(|hops| hops.trim().parse().ok());
            if hops == Some(0u32) {
                return Some((483, Vec::new()));
            }
            if self.config.loop_guard.as_ref().is_some_and(|guard| guard.refuses(request)) {
                return Some((482, Vec::new()));
            }
            if self.draining {
                let retry = (HeaderName::RetryAfter, self.config.drain_retry_after_s.to_string());
                return Some((503, vec![retry]));
            }
        }
        let carries_sdp = invites || *request.method() == Method::Update;
        if carries_sdp && !request.body().is_empty() {
            let kind = headers.first(HeaderName::ContentType).unwrap_or("application/sdp");
            let kind = kind.split(';').next().unwrap_or_default().trim();
            if !kind.eq_ignore_ascii_case("application/sdp") {
                return Some((
                    415,
                    vec![(HeaderName::Accept, "application/sdp, multipart/mixed".to_owned())],
                ));
            }
        }
        let encoding = headers.first(HeaderName::ContentEncoding).unwrap_or("identity");
        if !request.body().is_empty() && !encoding.trim().eq_ignore_ascii_case("identity") {
            return Some((415, vec![(HeaderName::AcceptEncoding, "identity".to_owned())]));
        }
        None
    }

    /// OPTIONS outside a dialog: what we can do, or that we are about to go.
    pub(super) fn answer_options(&mut self, now: Duration, key: ServerKey, request: &Request) {
        let mut headers =
            vec![(HeaderName::Allow, ALLOW.to_owned()), (HeaderName::Accept, ACCEPT.to_owned())];
        let status = if self.draining { 503 } else { 200 };
        if self.draining {
            let seconds = self.config.drain_retry_after_s.to_string();
            headers.push((HeaderName::RetryAfter, seconds));
        }
        self.answer_bare(now, key, None, request, status, headers);
    }

    /// Answers through a transaction without a leg's help.
    pub(super) fn answer_bare(
        &mut self,
        now: Duration,
        key: ServerKey,
        leg: Option<LegId>,
        request: &Request,
        status: u16,
        headers: ExtraHeaders,
    ) {
        let mut response = Response::for_request(request, status, "");
        let to = response.headers().first(HeaderName::To).unwrap_or("").to_owned();
        let tag = leg.unwrap_or_else(|| LegId(self.random.number()));
        let tagged = tagged(&to, &tag.to_string());
        response.headers_mut().set(HeaderName::To, tagged);
        response.headers_mut().push(HeaderName::Server, &self.config.user_agent);
        for (name, value) in headers {
            response.headers_mut().push(name, value);
        }
        self.respond(now, key, status, response.to_bytes());
    }

    /// Bytes that are no message: a trunk is told, where that can be, without a transaction.
    pub(super) fn malformed(&mut self, path: Path, source: Source, error: &ParseError) {
        let owed = error.status().zip(error.request());
        if let (Some(((status, reason), request)), Source::Trusted) = (owed, source) {
            let mut request = request.clone();
            let reply = super::receive::stamp_via(&mut request, path).unwrap_or(path);
            let mut response = Response::for_request(&request, status, reason);
            let to = response.headers().first(HeaderName::To).unwrap_or("").to_owned();
            if !to.is_empty() {
                // Without a transaction, the tag must come from the request (§8.2.7).
                let tag = LegId(stateless_tag(&request, self.config.seed)).to_string();
                response.headers_mut().set(HeaderName::To, tagged(&to, &tag));
            }
            response.headers_mut().push(HeaderName::Server, &self.config.user_agent);
            let (path, bytes) = (reply, response.to_bytes());
            self.outputs.push_back(Output::Transmit { path, bytes, txn: None });
        }
        if error.cause != crate::message::Cause::KeepAlive {
            self.drop_message(path, Dropped::Malformed);
        }
    }
}

pub(super) fn stateless_tag(request: &Request, seed: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, request.to_bytes()).hash(&mut hasher);
    hasher.finish()
}

fn is_allowed(method: &Method) -> bool {
    matches!(
        method,
        Method::Invite
            | Method::Ack
            | Method::Cancel
            | Method::Bye
            | Method::Options
            | Method::Info
            | Method::Update
    )
}

/// `urn:service:sos` (RFC 5031) names a call, though no SIP URI.
fn is_service_urn(uri: &str) -> bool {
    uri.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("urn:service:"))
}
