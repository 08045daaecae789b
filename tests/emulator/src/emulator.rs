//! The process: its ports, and what it says to each request.

use std::{
    collections::BTreeMap,
    io::{self, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    Account, Does, Magic, Message, Personality, Request, Tell,
    http::Answer,
    now_ms,
    personality::{Draft, Refusal},
    poster::Poster,
    smpp::Centre,
};

/// Where numbers are looked up, and who says what.
const LOOKUPS: [(&str, LookUp); 3] = [
    ("/v2/PhoneNumbers/", looked_up_by_twilio),
    ("/v2/number_lookup/", looked_up_by_telnyx),
    ("/lines/", looked_up_by_gateway),
];
type LookUp = fn(&Account, &Request, &str) -> (u16, Value);

/// Longest that a request waits which is never answered.
const HANGS: Duration = Duration::from_secs(20);

/// All providers; clones are the same. It serves until the process ends.
#[derive(Clone)]
pub struct Emulator {
    at: SocketAddr,
    accounts: Arc<BTreeMap<Personality, Account>>,
    poster: Arc<Poster>,
    centre: Centre,
}

impl Emulator {
    /// Listens at any ports of `ip`.
    ///
    /// # Errors
    /// There is none left.
    pub fn start(ip: Ipv4Addr) -> io::Result<Self> {
        Self::listen((ip, 0).into(), (ip, 0).into())
    }

    /// Listens there for HTTP and for SMPP.
    ///
    /// # Errors
    /// A port is taken.
    pub fn listen(http: SocketAddr, smpp: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(http)?;
        let at = listener.local_addr()?;
        let poster = Arc::<Poster>::default();
        let account = |is| (is, Account::new(is, format!("http://{at}"), &poster));
        let accounts = Personality::HTTP.map(account).into_iter().collect();
        let centre = Centre::listen(smpp)?;
        let emulator = Self { at, accounts: Arc::new(accounts), poster, centre };
        let server = emulator.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = server.clone();
                // Ends with the connection.
                thread::spawn(move || server.serve(stream));
            }
        });
        Ok(emulator)
    }

    /// Its address for HTTP, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// Where it listens for HTTP.
    #[must_use]
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// The account at a provider that speaks HTTP.
    ///
    /// # Panics
    /// It speaks SMPP, see [`centre`](Self::centre).
    #[must_use]
    pub fn account(&self, is: Personality) -> Account {
        self.accounts[&is].clone()
    }

    /// The message centre.
    #[must_use]
    pub fn centre(&self) -> &Centre {
        &self.centre
    }

    /// From now on it tells this of each message that it took, or what the number chooses.
    pub fn tells(&self, usually: &[Tell]) {
        self.poster.tells(usually.to_vec());
        self.centre.tells(usually);
    }

    /// Webhooks go below this address, where the request names none.
    pub fn goes_to(&self, webhooks: &str) {
        self.poster.goes_to(webhooks);
    }

    /// How its webhooks were answered so far, by status; 0: the connection broke.
    #[must_use]
    pub fn statuses(&self) -> BTreeMap<u16, u64> {
        self.poster.statuses()
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut reader = BufReader::new(stream);
        loop {
            let request = Request::read(&mut reader)?;
            self.answer(&request)?.write(reader.get_mut()).ok()?;
        }
    }

    /// `None` where the connection is to be closed instead.
    fn answer(&self, request: &Request) -> Option<Answer> {
        if request.path().starts_with("/emulator/") {
            return Some(Answer::json(self.operated(request)));
        }
        let Some(is) = Personality::of(request) else {
            return Some(Answer::json((404, json!({ "error": "no provider has that path" }))));
        };
        let account = &self.accounts[&is];
        account.book().asked.push(request.clone());
        if !is.knows(request) || !is.is_ours(request.path()) {
            // Vonage says no to a question by its status, and to a message by its body.
            if is == Personality::Vonage && request.method == "GET" {
                let no =
                    json!({ "error-code": "401", "error-code-label": "authentication failed" });
                return Some(Answer::json((401, no)));
            }
            return Some(refused(is, &is.refuses(Magic::Auth)));
        }
        if request.method == "GET" {
            return Some(Answer::json(told(account, request)));
        }
        let draft = is.read(&request.body, request.path());
        let mut book = account.book();
        let open = book.is_open(&draft.to, now_ms());
        if is == Personality::Bandwidth && !request.header("content-type").contains("json") {
            return Some(refused(
                is,
                &Refusal::of(415, 0, "Content-Type must be application/json"),
            ));
        }
        if let Some(refusal) = is.objects_to(&draft, &request.body, open) {
            return Some(refused(is, &refusal));
        }
        let (does, magic) = book.does(is, &draft.to);
        drop(book);
        done(account, request, draft, does, magic)
    }

    /// What whoever tries it can ask: `GET /emulator/taken`, and
    /// `POST /emulator/texts?provider=twilio&from=+44…&text=STOP`.
    fn operated(&self, request: &Request) -> (u16, Value) {
        match (request.method.as_str(), request.path()) {
            ("GET", "/emulator/taken") => {
                let all = self.accounts.values().flat_map(|account| {
                    let provider = account.is.name();
                    account.taken().into_iter().map(move |message| shown(provider, &message))
                });
                (200, all.collect())
            }
            ("POST", "/emulator/texts") => {
                let asks = |name| request.asks(name).unwrap_or_default();
                let account = self.accounts.values().find(|one| one.is.name() == asks("provider"));
                let Some(account) = account else {
                    return (400, json!({ "error": "provider: no such" }));
                };
                // A plus that was not escaped is a space.
                let from = format!("+{}", asks("from").trim().trim_start_matches('+'));
                let status = account.texts(&from, &asks("text"));
                (200, json!({ "posted": status.is_some(), "status": status }))
            }
            _ => (404, json!({ "error": "no such" })),
        }
    }
}

/// What it does with a message that nothing is wrong with.
fn done(
    account: &Account,
    request: &Request,
    draft: Draft,
    does: Does,
    magic: Option<Magic>,
) -> Option<Answer> {
    let is = account.is;
    let take = |draft| {
        let message = account.book().take(is, request, draft);
        account.plan(&message, magic);
        Some(Answer::json(is.accepts(&message)))
    };
    match does {
        Does::Accept => take(draft),
        Does::Slow(time) => {
            let answer = take(draft);
            thread::sleep(time);
            answer
        }
        Does::Hang => {
            take(draft);
            thread::sleep(HANGS);
            None
        }
        Does::TakeAndReset => {
            take(draft);
            None
        }
        Does::Reset | Does::Unbind => None,
        Does::Refuse(status, code, retry_after) => {
            let answer = refused(is, &Refusal::of(status, code, "refused as told"));
            Some(Answer { retry_after, ..answer })
        }
        Does::Fail(magic) if is.refuses_at_once(magic) => Some(refused(is, &is.refuses(magic))),
        Does::Fail(_) => take(draft),
        Does::Garbage => {
            let body = "<html>Sign in to the hotel's network".to_owned();
            Some(Answer { status: 200, retry_after: None, body })
        }
    }
}

/// What it says to a question.
fn told(account: &Account, request: &Request) -> (u16, Value) {
    for (path, looked_up) in LOOKUPS {
        if let Some(number) = request.path().strip_prefix(path) {
            return looked_up(account, request, &number.replace("%2B", "+"));
        }
    }
    let (is, book) = (account.is, account.book());
    if book.hides && request.path().ends_with("/Messages.json") {
        let refusal = is.refuses(Magic::Down);
        return (refusal.status, is.error(&refusal));
    }
    is.tells(request, &book.taken).unwrap_or_else(|| is.has_no_such())
}

/// What Telnyx says of the line of a number: of one that it does not know it does not say it.
fn looked_up_by_telnyx(account: &Account, request: &Request, number: &str) -> (u16, Value) {
    if request.asks("type").as_deref() != Some("carrier") {
        return (200, json!({ "data": { "phone_number": number, "carrier": null } }));
    }
    let carrier = match kind_of_line(account, number) {
        Some(kind) => json!({ "name": "x", "type": kind, "error_code": null }),
        None => json!({ "name": null, "type": null, "error_code": "10005" }),
    };
    (
        200,
        json!({ "data": { "record_type": "number_lookup", "phone_number": number, "carrier": carrier } }),
    )
}

/// What the gateway says, in words of its own: `M`, `F`, or whatever the kind is.
fn looked_up_by_gateway(account: &Account, _: &Request, number: &str) -> (u16, Value) {
    match kind_of_line(account, &format!("+{number}")) {
        Some("mobile") => (200, json!({ "number": { "line": "M" } })),
        Some("landline") => (200, json!({ "number": { "line": "F" } })),
        Some(kind) => (200, json!({ "number": { "line": kind } })),
        None => account.is.has_no_such(),
    }
}

/// What was told of the line of a number, after the time that it takes.
fn kind_of_line(account: &Account, number: &str) -> Option<&'static str> {
    let (kind, after) = {
        let mut book = account.book();
        book.looked_up += 1;
        book.lines.get(number).copied()?
    };
    thread::sleep(after);
    Some(kind)
}

/// What Twilio's lookups say of a number.
fn looked_up_by_twilio(account: &Account, request: &Request, number: &str) -> (u16, Value) {
    let field = request.asks("Fields").unwrap_or_default();
    let told = match field.as_str() {
        "sms_pumping_risk" => {
            let mut book = account.book();
            book.looked_up += 1;
            let score = book.scores.get(number);
            score.map(|score| json!({ "number_blocked": false, "sms_pumping_risk_score": score }))
        }
        "line_type_intelligence" => {
            let kind = kind_of_line(account, number);
            kind.map(|kind| json!({ "type": kind, "carrier_name": "x" }))
        }
        _ => return (400, json!({ "code": 60_616 })),
    };
    let Some(told) = told else { return account.is.has_no_such() };
    let mut answer = json!({ "phone_number": number });
    answer[field] = told;
    (200, answer)
}

fn refused(is: Personality, refusal: &Refusal) -> Answer {
    Answer::json((refusal.status, is.error(refusal)))
}

fn shown(provider: &str, message: &Message) -> Value {
    let says = message.says.map(|says| format!("{says:?}").to_lowercase());
    json!({
        "provider": provider, "id": message.id, "to": message.to, "from": message.from,
        "text": message.text, "segments": message.segments, "state": says,
    })
}
