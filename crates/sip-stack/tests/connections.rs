//! Connections of streams: which one a message goes by, whose end concerns whom, and who is let in.
#![cfg(feature = "driver")]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::Command,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use sip_stack::{
    endpoint::{
        ConnectionId, Endpoint, EndpointConfig, Event, Output, Path, PingId, Transport,
        TransportError,
    },
    transport::{Identity, Incoming, Listen, StreamLimits, Transports, TurnedAway},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    sync::mpsc,
    time::Instant,
};

const OPTIONS: &str = "OPTIONS sip:a@h SIP/2.0\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn who_is_at_one_port_is_not_who_is_at_the_next() {
    let folder = Authority::new();
    let (mut one, mut two) = (folder.node("one.test").await, folder.node("two.test").await);
    let us = folder.node("us.test").await;
    let (to_one, to_two) = (us.to(&one), us.to(&two));
    // Both are known before either is connected to.
    us.wires.expect(&to_one, "one.test");
    us.wires.expect(&to_two, "two.test");
    us.send(&to_one);
    us.send(&to_two);
    one.receives().await;
    two.receives().await;
}

#[tokio::test]
async fn the_end_of_a_connection_is_none_of_the_one_that_took_its_place() {
    let folder = Authority::new();
    let mut them = folder.node("one.test").await;
    let mut us = folder.node("us.test").await;
    let path = us.to(&them);
    us.wires.expect(&path, "one.test");
    let first = us.send(&path);
    let theirs = them.receives().await;
    us.wires.expect(&path, "one.test");
    assert_eq!(us.send(&path), first, "the same name goes the same way");
    them.receives().await;
    // The same port is somebody else's now.
    let at = them.wires.listeners()[0].1;
    them.wires.renew("127.0.0.1:0".parse().unwrap(), &folder.identity("two.test"));
    us.wires.expect(&path, "two.test");
    let second = us.send(&path);
    assert_ne!(second, first, "{at}");
    them.receives().await;
    them.wires.close(&theirs);
    let (connection, error) = us.fails().await;
    assert_eq!((connection, error), (Some(first), TransportError::Replaced));
    assert_eq!(us.send(&path), second, "the new one goes on");
    them.receives().await;
}

#[tokio::test]
async fn what_is_silent_since_it_was_asked_is_used_no_more_but_still_heard() {
    let mut them = Node::plain(StreamLimits::default()).await;
    let mut us = Node::plain(StreamLimits::default()).await;
    let path = us.to(&them);
    let first = us.send(&path);
    let theirs = them.receives().await;
    us.wires.doubt(&path, first, Instant::now().into_std(), true);
    assert_eq!(us.send(&path), first, "it may be one that answers no OPTIONS");
    them.receives().await;
    let before = Instant::now().into_std();
    them.wires.send(&theirs, OPTIONS.into());
    us.receives().await;
    us.wires.doubt(&path, first, before, false);
    assert_eq!(us.send(&path), first, "it was heard since");
    let asked = Instant::now().into_std();
    us.wires.doubt(&path, first, asked, false);
    let second = us.send(&path);
    assert_ne!(second, first);
    us.wires.doubt(&path, first, asked, false);
    assert_eq!(us.send(&path), second, "the new one is not the one that was silent");
    them.wires.send(&theirs, OPTIONS.into());
    us.receives().await;
}

#[tokio::test]
async fn a_peer_s_own_connection_that_was_silent_for_a_while_carries_our_answers_again() {
    let mut us = Node::plain(StreamLimits::default()).await;
    let mut them = Node::plain(StreamLimits::default()).await;
    let to_us = them.to(&us);
    let theirs = them.send(&to_us);
    let path = us.receives().await;
    let asked = us.send(&path);
    them.receives().await;
    us.wires.doubt(&path, asked, Instant::now().into_std(), false);
    assert_eq!(us.fails().await, (Some(asked), TransportError::Closed), "what it was asked");
    assert_eq!(them.send(&to_us), theirs);
    assert_eq!(us.receives().await, path);
    assert_eq!(us.send(&path), asked, "what it asks is answered where it asked it");
    them.receives().await;
}

#[tokio::test]
async fn strangers_have_so_many_connections_and_friends_as_many_as_they_like() {
    let limits = StreamLimits { of_strangers: 3, of_a_stranger: 2, ..StreamLimits::default() };
    let mut us = Node::plain(limits).await;
    us.wires.befriend(Arc::new(|ip| ip == IpAddr::from([127, 0, 0, 9])));
    let (at, host) = (us.wires.listeners()[0].1, |n| Ipv4Addr::new(127, 0, 0, n));
    let first = connect(host(2), at).await;
    let _second = connect(host(2), at).await;
    let third = connect(host(2), at).await;
    assert_eq!(us.turns_away().await, (third.local_addr().unwrap(), TurnedAway::Source));
    assert!(is_closed(third).await);
    let _other = connect(host(3), at).await;
    let one_more = connect(host(4), at).await;
    assert_eq!(us.turns_away().await, (one_more.local_addr().unwrap(), TurnedAway::Full));
    for _ in 0..5 {
        let mut friend = connect(host(9), at).await;
        friend.write_all(OPTIONS.as_bytes()).await.unwrap();
        us.receives().await;
    }
    drop(first);
    let again = async {
        loop {
            let mut stream = connect(host(4), at).await;
            let _ = stream.write_all(OPTIONS.as_bytes()).await;
            match us.next().await {
                Incoming::Message { .. } => return,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), again).await.expect("a place is free again");
}

#[tokio::test]
async fn a_connection_that_stands_still_is_closed_only_by_whom_it_serves() {
    let idle = Duration::from_millis(40);
    let mut us = Node::plain(StreamLimits { idle, ..StreamLimits::default() }).await;
    let at = us.wires.listeners()[0].1;
    let mut peer = connect(Ipv4Addr::LOCALHOST, at).await;
    peer.write_all(OPTIONS.as_bytes()).await.unwrap();
    let path = us.receives().await;
    for _ in 0..3 {
        assert!(matches!(us.next().await, Incoming::Idle { path: told } if told == path));
    }
    us.wires.send(&path, OPTIONS.into());
    let mut heard = [0; OPTIONS.len()];
    peer.read_exact(&mut heard).await.unwrap();
    us.wires.close(&path);
    assert!(is_closed(peer).await);
}

#[tokio::test]
async fn nobody_is_told_of_the_end_of_what_nothing_went_by() {
    let mut us = Node::plain(StreamLimits::default()).await;
    let at = us.wires.listeners()[0].1;
    let mut stranger = connect(Ipv4Addr::LOCALHOST, at).await;
    stranger.write_all(OPTIONS.as_bytes()).await.unwrap();
    us.receives().await;
    drop(stranger);
    let mut peer = connect(Ipv4Addr::LOCALHOST, at).await;
    peer.write_all(OPTIONS.as_bytes()).await.unwrap();
    let path = us.receives().await;
    let by = us.wires.send(&path, OPTIONS.into());
    peer.read_exact(&mut [0; OPTIONS.len()]).await.unwrap();
    drop(peer);
    assert_eq!(us.fails().await, (by, TransportError::Closed), "and of no other");
}

#[test]
fn a_connection_that_fails_fails_its_own_requests() {
    let [local, remote]: [SocketAddr; 2] = [([127, 0, 0, 1], 1).into(), ([127, 0, 0, 2], 2).into()];
    let path = Path { transport: Transport::Tcp, local, remote };
    let mut endpoint = Endpoint::new(EndpointConfig::new("test", 1));
    let now = Duration::ZERO;
    let mut ask = |by| {
        let ping = endpoint.options(now, "sip:b@127.0.0.2", path);
        while let Some(output) = endpoint.poll_output() {
            if let Output::Transmit { txn: Some(txn), .. } = output {
                endpoint.handle_sent(txn, ConnectionId(by));
            }
        }
        ping
    };
    let (first, second) = (ask(1), ask(2));
    let error = TransportError::Replaced;
    endpoint.handle_transport_error(now, path, Some(ConnectionId(1)), error);
    assert_eq!(unanswered(&mut endpoint), [first]);
    endpoint.handle_transport_error(now, path, Some(ConnectionId(2)), error);
    assert_eq!(unanswered(&mut endpoint), [second]);
}

fn unanswered(endpoint: &mut Endpoint) -> Vec<PingId> {
    let mut pings = Vec::new();
    while let Some(output) = endpoint.poll_output() {
        if let Output::Event(Event::Pong { ping, status: None }) = output {
            pings.push(ping);
        }
    }
    pings
}

/// One end.
struct Node {
    wires: Transports,
    incoming: mpsc::Receiver<Incoming>,
}

impl Node {
    async fn plain(limits: StreamLimits) -> Self {
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        let listeners = [(Transport::Tcp, any)];
        let (wires, incoming) = Transports::bind_with(&listeners, limits).await.unwrap();
        Self { wires, incoming }
    }

    fn to(&self, other: &Self) -> Path {
        let (transport, remote) = other.wires.listeners()[0];
        self.wires.path(transport, remote).unwrap()
    }

    fn send(&self, path: &Path) -> ConnectionId {
        self.wires.send(path, Bytes::from_static(OPTIONS.as_bytes())).unwrap()
    }

    async fn next(&mut self) -> Incoming {
        let next = tokio::time::timeout(Duration::from_secs(5), self.incoming.recv());
        next.await.expect("something in time").unwrap()
    }

    async fn receives(&mut self) -> Path {
        match self.next().await {
            Incoming::Message { path, .. } => path,
            other => panic!("{other:?}"),
        }
    }

    async fn fails(&mut self) -> (Option<ConnectionId>, TransportError) {
        match self.next().await {
            Incoming::Failed { connection, error, .. } => (connection, error),
            other => panic!("{other:?}"),
        }
    }

    async fn turns_away(&mut self) -> (SocketAddr, TurnedAway) {
        match self.next().await {
            Incoming::TurnedAway { path, why, .. } => (path.remote, why),
            other => panic!("{other:?}"),
        }
    }
}

async fn connect(from: Ipv4Addr, at: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(at).await.unwrap()
}

async fn is_closed(mut stream: TcpStream) -> bool {
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0; 64])).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

/// An authority in a folder of its own.
struct Authority(tempfile::TempDir);

impl Authority {
    fn new() -> Self {
        let authority = Self(tempfile::tempdir().unwrap());
        authority.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca \
             -keyout ca.key -out ca.pem",
        );
        authority
    }

    fn identity(&self, name: &str) -> Identity {
        let file = |name: &str| std::fs::read(self.0.path().join(name)).unwrap();
        std::fs::write(self.0.path().join("leaf.cnf"), format!("subjectAltName=DNS:{name}\n"))
            .unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} \
             -keyout leaf.key -out leaf.csr"
        ));
        self.openssl(
            "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -extfile leaf.cnf -out leaf.pem",
        );
        Identity::from_pem(&file("leaf.pem"), &file("leaf.key"), Some(&file("ca.pem"))).unwrap()
    }

    async fn node(&self, name: &str) -> Node {
        let at: SocketAddr = ([127, 0, 0, 1], 0).into();
        let identity = Some(self.identity(name));
        let listen = Listen { transport: Transport::Tls, at, identity };
        let (wires, incoming) = Transports::bind(&[listen]).await.unwrap();
        Node { wires, incoming }
    }

    fn openssl(&self, command: &str) {
        let args = command.split_whitespace();
        let done = Command::new("openssl").args(args).current_dir(self.0.path()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
}
