//! Sockets live as long as what holds them.
#![cfg(feature = "driver")]

use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    time::Duration,
};

use sip_stack::{endpoint::Transport, transport::Transports};

#[tokio::test]
async fn dropped_transports_give_their_addresses_back() {
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    let listeners = [(Transport::Udp, any), (Transport::Tcp, any)];
    let (wires, _incoming) = Transports::bind(&listeners).await.expect("ports");
    let [(_, udp), (_, tcp)] = wires.listeners() else { panic!("two listeners") };
    let (udp, tcp) = (*udp, *tcp);
    let clone = wires.clone();
    drop(wires);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(UdpSocket::bind(udp).is_err(), "a clone is left");
    drop(clone);
    let freed = async {
        while UdpSocket::bind(udp).is_err() || TcpListener::bind(tcp).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), freed).await.expect("both are free again");
}
