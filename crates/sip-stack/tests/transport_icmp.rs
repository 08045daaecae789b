//! What ICMP says of a datagram reaches the endpoint at once.
#![cfg(feature = "driver")]

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use sip_stack::{
    endpoint::{Path, Transport, TransportError},
    transport::{Incoming, Transports},
};

#[tokio::test]
async fn a_datagram_to_nobody_is_reported_as_refused() {
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    let (wires, mut incoming) = Transports::bind(&[(Transport::Udp, any)]).await.expect("a port");
    let nobody = std::net::UdpSocket::bind(any).expect("a port").local_addr().expect("an address");
    for _ in 0..3 {
        let path = wires.path(Transport::Udp, nobody).expect("a listener");
        wires.send(&path, Bytes::from_static(b"hello"));
        let told = tokio::time::timeout(Duration::from_secs(5), incoming.recv()).await;
        match told.expect("told in time") {
            Some(Incoming::Failed { path: Path { remote, .. }, error, .. }) => {
                assert_eq!((remote, error), (nobody, TransportError::Refused));
            }
            other => panic!("{other:?}"),
        }
    }
}
