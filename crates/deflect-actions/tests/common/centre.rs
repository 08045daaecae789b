//! A message centre on loopback that speaks SMPP 3.4 and misbehaves as told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use deflect_actions::provider::smpp::{
    Address, Alphabet, Bind, Body, Long, Pdu, ReceiptIds, Settings, Short, take,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    sync::mpsc,
};

/// What it does with a `submit_sm`; in the order told, then it takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Refuses it with this status.
    Refuse(u32),
    /// Takes it and answers nothing.
    Silent,
    /// Takes it and answers after this many milliseconds.
    Late(u64),
    /// Takes it and closes the connection.
    Hangup,
    /// Says goodbye instead.
    Unbind,
}

/// The centre; clones are the same.
#[derive(Clone)]
pub struct Centre {
    pub at: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    does: Vec<Does>,
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
    /// Unanswered at once, at most.
    most: usize,
    open: usize,
    out: Option<mpsc::UnboundedSender<Pdu>>,
}

impl Centre {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let centre = Self { at: listener.local_addr().unwrap(), inner: Arc::default() };
        let server = centre.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        centre
    }

    pub fn settings(&self) -> Settings {
        Settings {
            host: self.at.ip().to_string(),
            port: self.at.port(),
            tls: false,
            bind: Bind {
                system_id: "carom".to_owned(),
                password: "s3cret".to_owned(),
                system_type: String::new(),
            },
            alphabet: Alphabet::Gsm7,
            long: Long::Udh,
            receipt_ids: ReceiptIds::Decimal,
            window: 4,
            enquire: Duration::from_secs(30),
        }
    }

    pub fn does(&self, does: &[Does]) {
        self.lock().does = does.iter().rev().copied().collect();
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

    pub fn binds(&self) -> Vec<Bind> {
        self.lock().binds.clone()
    }

    pub fn taken(&self) -> Vec<Short> {
        self.lock().taken.clone()
    }

    pub fn delivered(&self) -> Vec<u32> {
        self.lock().delivered.clone()
    }

    pub fn most_at_once(&self) -> usize {
        self.lock().most
    }

    pub fn enquired(&self) -> usize {
        self.lock().enquired
    }

    pub fn unbound(&self) -> usize {
        self.lock().unbound
    }

    /// Delivers a receipt or a text by the newest session.
    pub fn delivers(&self, short: Short) {
        let pdu = Pdu { sequence: 1_000, body: Body::DeliverSm(short) };
        self.lock().out.as_ref().unwrap().send(pdu).unwrap();
    }

    /// A receipt for the `n`th message that it took, 0 the first, in the usual words.
    pub fn receipt(n: usize, stat: &str) -> Short {
        let text = format!(
            "id:{:010} sub:001 dlvrd:001 submit date:2611291200 done date:2611291200 \
             stat:{stat} err:000 text:",
            n + 26
        );
        Short { esm_class: 4, short_message: text.into_bytes(), ..Short::default() }
    }

    /// A text from `number`.
    pub fn text(number: &str, text: &str) -> Short {
        Short {
            source: Address { ton: 1, npi: 1, text: number.trim_start_matches('+').to_owned() },
            destination: Address { ton: 1, npi: 1, text: "447400123460".to_owned() },
            short_message: text.as_bytes().to_vec(),
            ..Short::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    async fn serve(self, stream: TcpStream) {
        let (mut read, write) = stream.into_split();
        let (out, queue) = mpsc::unbounded_channel();
        let writer = tokio::spawn(written(write, queue));
        let mut stream = Vec::new();
        let session = {
            let mut inner = self.lock();
            inner.sessions += 1;
            inner.sessions
        };
        while read.read_buf(&mut stream).await.is_ok_and(|n| n > 0) {
            while let Some(pdu) = take(&mut stream).unwrap() {
                if self.hears(pdu, session, &out).is_none() {
                    writer.abort();
                    return;
                }
            }
        }
        writer.abort();
    }

    /// `None` where the connection is to be closed.
    fn hears(&self, pdu: Pdu, session: usize, out: &mpsc::UnboundedSender<Pdu>) -> Option<()> {
        let mut inner = self.lock();
        if session <= inner.deaf {
            return Some(());
        }
        let sequence = pdu.sequence;
        let body = match pdu.body {
            Body::BindTransceiver(bind) => {
                let right = bind.system_id == "carom" && bind.password == "s3cret";
                inner.binds.push(bind);
                inner.out = Some(out.clone());
                Body::BindTransceiverResp(if right { inner.refuses_binds } else { 0x0e })
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
                return Some(());
            }
            Body::SubmitSm(short) => {
                let does = inner.does.pop();
                if let Some(Does::Refuse(status)) = does {
                    Body::SubmitSmResp(status, String::new())
                } else if does == Some(Does::Unbind) {
                    let goodbye = Pdu { sequence: 9_000, body: Body::Unbind };
                    return out.send(goodbye).ok();
                } else {
                    inner.taken.push(short);
                    // In hexadecimal, from 1A on: not the same digits as in decimal.
                    let id = format!("{:X}", inner.taken.len() + 25);
                    inner.open += 1;
                    inner.most = inner.most.max(inner.open);
                    let wait = match does {
                        Some(Does::Silent) => return Some(()),
                        Some(Does::Hangup) => return None,
                        Some(Does::Late(ms)) => ms,
                        _ => 5,
                    };
                    let (out, centre) = (out.clone(), self.clone());
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(wait)).await;
                        centre.lock().open -= 1;
                        let _ = out.send(Pdu { sequence, body: Body::SubmitSmResp(0, id) });
                    });
                    return Some(());
                }
            }
            _ => return Some(()),
        };
        out.send(Pdu { sequence, body }).ok()
    }
}

async fn written(mut write: OwnedWriteHalf, mut queue: mpsc::UnboundedReceiver<Pdu>) {
    while let Some(pdu) = queue.recv().await {
        if write.write_all(&pdu.encode()).await.is_err() {
            return;
        }
    }
}
