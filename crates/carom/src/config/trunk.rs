//! `[[trunk]]`: where calls come from, and what is believed of them.

use std::{collections::BTreeMap, net::IpAddr};

use ivr_runtime::{
    diagnose::Code,
    flow::way::{self, Way},
};
use sip_stack::{
    Uri,
    endpoint::{Path, Transport},
};

use super::{net::Net, read::Table, secret::Secret};

/// A carrier or PBX that sends us calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Its name in records and logs.
    pub name: String,
    /// Addresses that may send INVITEs; all others get no answer.
    pub sources: Vec<Net>,
    /// Addresses its media may come from.
    pub media_nets: Vec<Net>,
    /// How requests go to it.
    pub transport: TrunkTransport,
    /// ISO 3166 code: how national numbers are read.
    pub country: String,
    /// Called numbers whose country differs from the trunk's: E.164 → ISO code.
    pub number_countries: BTreeMap<String, String>,
    /// Headers that may name the caller; the first that does counts.
    pub caller_from: Vec<CallerHeader>,
    /// Headers that may name the called number; the first that does counts.
    pub called_from: Vec<CalledHeader>,
    /// Whether its P-Asserted-Identity is believed.
    pub trusted: bool,
    /// What a caller's number must be to be texted unasked.
    pub caller_id: CallerId,
    /// What text relays put before the called or the calling number.
    pub relay_prefixes: Vec<String>,
    /// The operator's own numbers, E.164: their calls try the way to a person.
    pub test_callers: Vec<String>,
    /// Status of a call refused for overload; without Retry-After.
    pub overload_code: u16,
    /// While the node stops, its calls go on without us where they can.
    pub leave_on_stop: bool,
    /// The host of its `address`: by TLS it must prove to be this where its Contact is no name.
    pub host: Option<String>,
    /// How callbacks go out by it; `None`: none do.
    pub outbound: Option<Outbound>,
}

/// How callbacks go out by a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// Where INVITEs go, a SIP URI without a user.
    pub address: String,
    /// Our own number, which the called see; E.164.
    pub callback_from: String,
    /// User name and password for its digest challenge.
    pub login: Option<(Secret, Secret)>,
}

/// `transport` of a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrunkTransport {
    /// The way its own requests came, whatever the size of ours.
    Udp,
    /// TCP, where its Contact says nothing else.
    Tcp,
    /// TLS, where its Contact says nothing else; what comes from it any other way is a stranger's.
    Tls,
    /// The way its own requests came; TCP where a request is too large for a datagram, its Contact
    /// says nothing else, and TCP works.
    Auto,
}

/// What a caller's number must be to be texted unasked. One that the carrier found to be false never
/// is (requirements §7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerId {
    /// Whatever the carrier does not call false.
    Accept,
    /// The carrier vouches for it in full, or the caller says by a key that it is right.
    Confirm,
    /// The carrier vouches for it in full (attestation A).
    RequireAttested,
}

/// Where the caller's number may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerHeader {
    /// P-Asserted-Identity (RFC 3325).
    PAssertedIdentity,
    /// Remote-Party-ID.
    RemotePartyId,
    /// From.
    From,
}

/// Where the called number may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalledHeader {
    /// The Request-URI.
    RequestUri,
    /// To.
    To,
    /// P-Called-Party-ID (RFC 7315).
    PCalledPartyId,
    /// History-Info (RFC 7044).
    HistoryInfo,
    /// Diversion (RFC 5806).
    Diversion,
}

impl Trunk {
    /// Whether this trunk may call us from `addr`.
    pub fn may_call_from(&self, addr: IpAddr) -> bool {
        self.sources.iter().any(|net| net.contains(addr))
    }

    /// Whether what comes this way is believed to be its: who is to speak by TLS is heard by
    /// nothing else, for addresses of datagrams are easily forged.
    pub fn may_speak_by(&self, path: &Path) -> bool {
        self.transport != TrunkTransport::Tls || path.transport == Transport::Tls
    }

    /// The country in which numbers of a call to `called` are read.
    pub fn country_of(&self, called: &str) -> &str {
        self.number_countries.get(called).unwrap_or(&self.country)
    }
}

const CALLER_IDS: [(&str, CallerId); 3] = [
    ("accept", CallerId::Accept),
    ("confirm", CallerId::Confirm),
    ("require-attested", CallerId::RequireAttested),
];
const CALLER_HEADERS: [(&str, CallerHeader); 3] = [
    ("P-Asserted-Identity", CallerHeader::PAssertedIdentity),
    ("Remote-Party-ID", CallerHeader::RemotePartyId),
    ("From", CallerHeader::From),
];
const CALLED_HEADERS: [(&str, CalledHeader); 5] = [
    ("Request-URI", CalledHeader::RequestUri),
    ("To", CalledHeader::To),
    ("P-Called-Party-ID", CalledHeader::PCalledPartyId),
    ("History-Info", CalledHeader::HistoryInfo),
    ("Diversion", CalledHeader::Diversion),
];

pub(super) fn read(table: &Table<'_>) -> Option<Trunk> {
    let name = table.required("name", |t| t.text("name")).map(|name| name.value);
    let sources = table.required("sources", |t| t.parsed_list("sources"));
    let media_nets = table.required("media_nets", |t| t.parsed_list("media_nets"));
    let transports = [
        ("udp", TrunkTransport::Udp),
        ("tcp", TrunkTransport::Tcp),
        ("tls", TrunkTransport::Tls),
        ("auto", TrunkTransport::Auto),
    ];
    let transport = table.choice("transport", &transports, &[]);
    let country = table.required("country", |t| t.country("country"));
    let mut number_countries = BTreeMap::new();
    for (number, facts) in table.tables("numbers") {
        if !is_e164(&number.value) {
            let message = format!("`{}` is no E.164 number such as `+442079460018`", number.value);
            table.notes().note(Code::E08, number.span, message, "");
        }
        let country = facts.required("country", |t| t.country("country"));
        facts.finish();
        let of_number = country.filter(|_| is_e164(&number.value));
        number_countries.extend(of_number.map(|country| (number.value, country)));
    }
    let caller_from = table.choices("caller_from", &CALLER_HEADERS, &[]);
    let called_from = table.choices("called_from", &CALLED_HEADERS, &[]);
    let trusted = table.flag("trusted").unwrap_or(false);
    let caller_id = table.choice("caller_id", &CALLER_IDS, &[]).unwrap_or(CallerId::Accept);
    let (relay_prefixes, test_callers) = (relay_prefixes(table), test_callers(table));
    let overload_code = table.number("overload_code", 400..=699).unwrap_or(503) as u16;
    let leave_on_stop = table.flag("leave_on_stop").unwrap_or(false);
    let (outbound, address) = outbound(table);
    refuse_contradictions(table, trusted, caller_id, transport, address.as_deref());
    let host = address.and_then(|address| Uri::parse(&address).ok().map(|uri| uri.host.to_owned()));
    Some(Trunk {
        name: name?,
        sources: sources?,
        media_nets: media_nets?,
        transport: transport.unwrap_or(TrunkTransport::Udp),
        country: country?,
        number_countries,
        caller_from: caller_from.unwrap_or_else(|| CALLER_HEADERS.map(|h| h.1).to_vec()),
        called_from: called_from
            .unwrap_or_else(|| vec![CalledHeader::RequestUri, CalledHeader::To]),
        trusted,
        caller_id,
        relay_prefixes,
        test_callers,
        overload_code,
        leave_on_stop,
        host,
        outbound,
    })
}

/// What would refuse all callers, and what would be open to datagrams with a forged address.
fn refuse_contradictions(
    table: &Table<'_>,
    trusted: bool,
    caller_id: CallerId,
    transport: Option<TrunkTransport>,
    address: Option<&str>,
) {
    if caller_id == CallerId::RequireAttested && !trusted {
        let message = "`caller_id = \"require-attested\"` believes no caller of a trunk that is not \
                       trusted to attest";
        let help = "say `trusted = true` if it is, or `caller_id = \"confirm\"`";
        table.note(Code::E00, "caller_id", message, help);
    }
    let by_tls = address.is_some_and(|address| Way::to(address, way::AUTO) == Way::Tls);
    if by_tls && transport != Some(TrunkTransport::Tls) {
        let key = if table.has("transport") { "transport" } else { "address" };
        let message = "`address` is reached by TLS, and the trunk's own requests are taken by any \
                       transport";
        let help = "say `transport = \"tls\"`: then nobody speaks in its name by a forged datagram";
        table.note(Code::E00, key, message, help);
    }
}

/// A prefix is dialled: digits, and more than a number may begin with by chance.
fn relay_prefixes(table: &Table<'_>) -> Vec<String> {
    let prefixes = table.texts("relay_prefixes").unwrap_or_default();
    for prefix in &prefixes {
        let digits = prefix.value.bytes().all(|b| b.is_ascii_digit());
        if !digits || !(3..=8).contains(&prefix.value.len()) {
            let message = format!("`{}` is no prefix of a text relay", prefix.value);
            let help = "it has 3 to 8 digits, such as `\"18001\"`";
            table.notes().note(Code::E00, prefix.span.clone(), message, help);
        }
    }
    prefixes.into_iter().map(|prefix| prefix.value).collect()
}

fn test_callers(table: &Table<'_>) -> Vec<String> {
    let numbers = table.texts("test_callers").unwrap_or_default();
    for number in numbers.iter().filter(|number| !is_e164(&number.value)) {
        let message = format!("`{}` is no E.164 number such as `+442079460018`", number.value);
        table.notes().note(Code::E08, number.span.clone(), message, "");
    }
    numbers.into_iter().map(|number| number.value).collect()
}

/// What callbacks need, and the `address`; looked at even where `outbound` is false, so that it is
/// right when it is switched on.
fn outbound(table: &Table<'_>) -> (Option<Outbound>, Option<String>) {
    let is_on = table.flag("outbound").unwrap_or(false);
    let address = table.text("address");
    let from = table.text("callback_from");
    let (username, password) = (table.secret_or_text("username"), table.secret_value("password"));
    if is_on && !(table.has("address") && table.has("callback_from")) {
        let message = "a trunk that carries callbacks has an `address` and a `callback_from`";
        table.note(Code::E00, "outbound", message, "add what is missing");
    }
    if let Some(address) = &address
        && !Uri::parse(&address.value).is_ok_and(|uri| uri.user.is_none())
    {
        let message = format!("`{}` is no SIP address without a user", address.value);
        let help = "such as `sip:trunk.example.net`";
        table.notes().note(Code::E08, address.span.clone(), message, help);
    }
    if let Some(from) = from.as_ref().filter(|from| !is_e164(&from.value)) {
        let message = format!("`{}` is no E.164 number such as `+442079460018`", from.value);
        table.notes().note(Code::E08, from.span.clone(), message, "");
    }
    if table.has("username") != table.has("password") {
        let key = if table.has("username") { "username" } else { "password" };
        table.note(Code::E00, key, "`username` and `password` go together", "write both, or none");
    }
    let login = username.zip(password);
    let address = address.map(|address| address.value);
    let needed = address.clone().zip(from).filter(|_| is_on);
    let outbound = needed.map(|(address, from)| {
        let callback_from = from.value;
        Outbound { address, callback_from, login }
    });
    (outbound, address)
}

fn is_e164(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or("");
    (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}
