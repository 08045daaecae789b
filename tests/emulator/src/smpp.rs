//! A message centre that speaks SMPP 3.4.

use std::{
    collections::{BTreeSet, VecDeque},
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use deflect_actions::provider::smpp::{
    Address, Alphabet, Bind, Body, Long, Pdu, ReceiptIds, Settings, Short, take,
};

use crate::{Does, How, Magic, OURS, Personality, Says, Tell};

/// Its password: none is longer than eight characters.
pub const PASSWORD: &str = "s3cret";
/// How long an answer takes.
const ANSWERS: Duration = Duration::from_millis(5);

/// The centre; clones are the same.
#[derive(Clone)]
pub struct Centre {
    /// Where it listens.
    pub at: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

/// Octets to be written, each piece at once.
type Out = mpsc::Sender<Vec<u8>>;

#[derive(Default)]
struct Inner {
    does: VecDeque<Does>,
    refuses_binds: u32,
    sessions: usize,
    /// Of those as many are answered nothing any more.
    deaf: usize,
    binds: Vec<Bind>,
    taken: Vec<Short>,
    enquired: usize,
    unbound: usize,
    /// Statuses of our deliveries.
    delivered: Vec<u32>,
    /// How many were tried, and those of them that were taken.
    tried: u32,
    kept: BTreeSet<u32>,
    /// Unanswered at once, at most.
    most: usize,
    open: usize,
    out: Option<Out>,
    /// What is said in one breath with the answer to a bind.
    at_bind: Vec<Short>,
    /// What is told of each message; `None`: nothing.
    usually: Option<Vec<Tell>>,
}

impl Centre {
    /// Listens at any port of loopback.
    ///
    /// # Panics
    /// There is none left.
    #[must_use]
    pub fn start() -> Self {
        Self::listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap()
    }

    /// Listens there.
    ///
    /// # Errors
    /// The port is taken.
    pub fn listen(at: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(at)?;
        let centre = Self { at: listener.local_addr()?, inner: Arc::default() };
        let server = centre.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = server.clone();
                thread::spawn(move || server.serve(&stream));
            }
        });
        Ok(centre)
    }

    /// What a client of it needs.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            host: self.at.ip().to_string(),
            port: self.at.port(),
            tls: false,
            bind: Bind {
                system_id: "carom".to_owned(),
                password: PASSWORD.to_owned(),
                system_type: String::new(),
            },
            alphabet: Alphabet::Gsm7,
            long: Long::Udh,
            receipt_ids: ReceiptIds::Decimal,
            window: 4,
            enquire: Duration::from_secs(30),
        }
    }

    /// What it does with the next messages, in order.
    pub fn does(&self, does: &[Does]) {
        self.lock().does = does.iter().copied().collect();
    }

    /// Binds are refused with this status; 0: taken.
    pub fn refuses_binds(&self, status: u32) {
        self.lock().refuses_binds = status;
    }

    /// It answers nothing any more in the sessions that there are, not even whether it is there.
    pub fn is_deaf(&self) {
        let mut inner = self.lock();
        inner.deaf = inner.sessions;
    }

    /// From now on it tells this of each message that wants a receipt, or what the number chooses.
    pub fn tells(&self, usually: &[Tell]) {
        self.lock().usually = Some(usually.to_vec());
    }

    /// Who came in.
    #[must_use]
    pub fn binds(&self) -> Vec<Bind> {
        self.lock().binds.clone()
    }

    /// The messages, or parts of them, that it took.
    #[must_use]
    pub fn taken(&self) -> Vec<Short> {
        self.lock().taken.clone()
    }

    /// How its deliveries were answered.
    #[must_use]
    pub fn delivered(&self) -> Vec<u32> {
        self.lock().delivered.clone()
    }

    /// How many messages waited for an answer at once, at most.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.lock().most
    }

    /// How often it was asked whether it is there.
    #[must_use]
    pub fn enquired(&self) -> usize {
        self.lock().enquired
    }

    /// How often somebody said goodbye.
    #[must_use]
    pub fn unbound(&self) -> usize {
        self.lock().unbound
    }

    /// Delivers a receipt or a text by the newest session.
    ///
    /// # Panics
    /// There is none.
    pub fn delivers(&self, short: Short) {
        self.tries(short).expect("somebody is bound");
    }

    /// Tries to deliver a receipt or a text by the newest session; returns by what it is known whether
    /// it was taken, `None` where nobody is bound.
    #[must_use]
    pub fn tries(&self, short: Short) -> Option<u32> {
        let mut inner = self.lock();
        let (sequence, octets) = inner.delivery(short);
        inner.out.as_ref()?.send(octets).ok()?;
        Some(sequence)
    }

    /// Delivers something by the newest session, of which all but the first octets are missing.
    ///
    /// # Panics
    /// There is none.
    pub fn delivers_broken(&self, short: Short) {
        let mut inner = self.lock();
        let (_, mut octets) = inner.delivery(short);
        octets.truncate(20);
        octets[3] = 20;
        octets[2] = 0;
        inner.out.as_ref().expect("somebody is bound").send(octets).unwrap();
    }

    /// Delivers these in one breath with the answer to each bind.
    pub fn delivers_at_bind(&self, shorts: &[Short]) {
        self.lock().at_bind = shorts.to_vec();
    }

    /// Whether that was taken.
    #[must_use]
    pub fn is_kept(&self, sequence: u32) -> bool {
        self.lock().kept.contains(&sequence)
    }

    /// A receipt for the `n`th message that it took, 0 the first, in the usual words.
    #[must_use]
    pub fn receipt(n: usize, stat: &str) -> Short {
        let text = format!(
            "id:{:010} sub:001 dlvrd:001 submit date:2611291200 done date:2611291200 \
             stat:{stat} err:000 text:",
            n + 26
        );
        Short { esm_class: 4, short_message: text.into_bytes(), ..Short::default() }
    }

    /// A text from `number`.
    #[must_use]
    pub fn text(number: &str, text: &str) -> Short {
        let address = |number: &str| Address {
            ton: 1,
            npi: 1,
            text: number.trim_start_matches('+').to_owned(),
        };
        Short {
            source: address(number),
            destination: address(OURS),
            short_message: text.as_bytes().to_vec(),
            ..Short::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: &TcpStream) -> Option<()> {
        let (out, queue) = mpsc::channel::<Vec<u8>>();
        let mut write = stream.try_clone().ok()?;
        thread::spawn(move || {
            for octets in queue {
                if write.write_all(&octets).is_err() {
                    return;
                }
            }
        });
        let session = {
            let mut inner = self.lock();
            inner.sessions += 1;
            inner.sessions
        };
        let (mut read, mut bytes, mut part) = (stream, Vec::new(), [0; 4_096]);
        while let Some(n) = read.read(&mut part).ok().filter(|n| *n > 0) {
            bytes.extend(&part[..n]);
            while let Some(pdu) = take(&mut bytes).unwrap() {
                if self.hears(pdu, session, &out).is_none() {
                    let _ = stream.shutdown(Shutdown::Both);
                    return None;
                }
            }
        }
        None
    }

    /// `None` where the connection is to be closed.
    fn hears(&self, pdu: Pdu, session: usize, out: &Out) -> Option<()> {
        let mut inner = self.lock();
        if session <= inner.deaf {
            return Some(());
        }
        let sequence = pdu.sequence;
        let body = match pdu.body {
            Body::BindTransceiver(bind) => {
                let right = bind.system_id == "carom" && bind.password == PASSWORD;
                inner.binds.push(bind);
                inner.out = Some(out.clone());
                let status = if right { inner.refuses_binds } else { 0x0e };
                let mut octets = Pdu { sequence, body: Body::BindTransceiverResp(status) }.encode();
                for short in inner.at_bind.clone() {
                    octets.extend(inner.delivery(short).1);
                }
                return out.send(octets).ok();
            }
            Body::EnquireLink => {
                inner.enquired += 1;
                Body::EnquireLinkResp
            }
            Body::Unbind => {
                inner.unbound += 1;
                Body::UnbindResp
            }
            Body::DeliverSmResp(status) => {
                inner.delivered.push(status);
                if status == 0 {
                    inner.kept.insert(sequence);
                }
                return Some(());
            }
            Body::SubmitSm(short) => {
                drop(inner);
                return self.submitted(sequence, short, out);
            }
            _ => return Some(()),
        };
        out.send(Pdu { sequence, body }.encode()).ok()
    }

    fn submitted(&self, sequence: u32, short: Short, out: &Out) -> Option<()> {
        let is = Personality::Smpp;
        let told = self.lock().does.pop_front();
        let magic = Magic::of(&short.destination.text).filter(|_| told.is_none());
        let does = told.or_else(|| Some(magic?.does(is, usize::MAX))).unwrap_or(Does::Accept);
        let answers = |body| out.send(Pdu { sequence, body }.encode()).ok();
        let status = |code: i64| u32::try_from(code).unwrap_or(0x08);
        match does {
            Does::Refuse(_, code, _) => answers(Body::SubmitSmResp(status(code), String::new())),
            Does::Fail(magic) if is.refuses_at_once(magic) => {
                answers(Body::SubmitSmResp(status(is.code(magic).1), String::new()))
            }
            Does::Garbage => answers(Body::GenericNack(0x03)),
            Does::Unbind => out.send(Pdu { sequence: 9_000, body: Body::Unbind }.encode()).ok(),
            Does::Reset => None,
            Does::Hang => self.takes(short, magic, out, None),
            Does::TakeAndReset => {
                self.takes(short, magic, out, None);
                None
            }
            Does::Slow(time) => self.takes(short, magic, out, Some((sequence, time))),
            Does::Accept | Does::Fail(_) => {
                self.takes(short, magic, out, Some((sequence, ANSWERS)))
            }
        }
    }

    /// Takes it; `answer`: to which question, and when.
    fn takes(
        &self,
        short: Short,
        magic: Option<Magic>,
        out: &Out,
        answer: Option<(u32, Duration)>,
    ) -> Option<()> {
        let (n, usually) = {
            let mut inner = self.lock();
            inner.taken.push(short.clone());
            inner.open += 1;
            inner.most = inner.most.max(inner.open);
            (inner.taken.len(), inner.usually.clone())
        };
        if short.registered_delivery == 1
            && let Some(usually) = usually
        {
            self.plan(n, &short, magic.and_then(Magic::tells).unwrap_or(usually), out);
        }
        if let Some((sequence, wait)) = answer {
            let (out, centre) = (out.clone(), self.clone());
            thread::spawn(move || {
                thread::sleep(wait);
                centre.lock().open -= 1;
                let id = Personality::Smpp.id(n);
                let _ = out.send(Pdu { sequence, body: Body::SubmitSmResp(0, id) }.encode());
            });
        }
        Some(())
    }

    /// Tells what became of the `n`th message, 1 the first.
    fn plan(&self, n: usize, short: &Short, tells: Vec<Tell>, out: &Out) {
        for tell in tells {
            let (out, sender, to) = (out.clone(), short.source.clone(), short.destination.clone());
            let told = move |tell: &Tell| {
                let index = if tell.how == How::OfNobody { 9_000_000 } else { n - 1 };
                for says in &tell.says {
                    let stat = match says {
                        Says::Sent => "ACCEPTD",
                        Says::Delivered | Says::Read => "DELIVRD",
                        Says::Failed(Magic::Invalid) => "REJECTD",
                        Says::Failed(Magic::HandsetOff) => "EXPIRED",
                        Says::Failed(_) | Says::Text(_) => "UNDELIV",
                    };
                    let receipt = Self::receipt(index, stat);
                    let (source, destination) = (to.clone(), sender.clone());
                    let body = Body::DeliverSm(Short { source, destination, ..receipt });
                    for _ in 0..1 + u8::from(tell.how == How::Twice) {
                        let _ = out.send(Pdu { sequence: 1_000, body: body.clone() }.encode());
                    }
                }
            };
            if tell.how == How::BeforeTheAnswer {
                told(&tell);
            } else {
                thread::spawn(move || {
                    thread::sleep(tell.after);
                    told(&tell);
                });
            }
        }
    }
}

impl Inner {
    /// A delivery, and by what its answer is known.
    fn delivery(&mut self, short: Short) -> (u32, Vec<u8>) {
        self.tried += 1;
        let sequence = 10_000 + self.tried;
        (sequence, Pdu { sequence, body: Body::DeliverSm(short) }.encode())
    }
}
