//! How a session begins: the centre is reached, and takes us or does not.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{
    Settings, codes,
    pdu::{self, Body, Pdu},
};
use crate::{
    provider::{Class, SendError},
    tls::{Trust, Wire},
};

/// A centre that is not reached, or does not answer the bind, within this time is down.
const REACH: Duration = Duration::from_secs(10);

/// A connection that is bound.
pub(super) struct Bound {
    pub wire: Box<dyn Wire>,
    /// What the centre said right after it had bound us.
    pub stream: Vec<u8>,
}

/// Binds and says goodbye.
pub(super) async fn check(settings: &Settings, limit: Duration) -> Result<(), SendError> {
    let down = || SendError::definite(Class::ProviderDown);
    let Bound { mut wire, .. } = timeout(limit, bind(settings)).await.map_err(|_| down())??;
    let goodbye = Pdu { sequence: 2, body: Body::Unbind }.encode();
    let _ = timeout(Duration::from_secs(1), wire.write_all(&goodbye)).await;
    Ok(())
}

/// Connects and binds.
pub(super) async fn bind(settings: &Settings) -> Result<Bound, SendError> {
    let down = |_| SendError::definite(Class::ProviderDown);
    let asking = async {
        let mut wire = connect(settings).await.map_err(down)?;
        let question = Body::BindTransceiver(settings.bind.clone());
        let question = Pdu { sequence: 1, body: question }.encode();
        wire.write_all(&question).await.map_err(down)?;
        let mut stream = Vec::new();
        loop {
            if wire.read_buf(&mut stream).await.map_err(down)? == 0 {
                return Err(SendError::definite(Class::ProviderDown));
            }
            let Some(pdu) = pdu::take(&mut stream).map_err(|_| SendError::unclear())? else {
                continue;
            };
            return match pdu.body {
                Body::BindTransceiverResp(codes::OK) => Ok(Bound { wire, stream }),
                Body::BindTransceiverResp(status) | Body::GenericNack(status) => {
                    Err(SendError::definite(codes::class(status)))
                }
                _ => Err(SendError::definite(Class::Unknown)),
            };
        }
    };
    timeout(REACH, asking).await.unwrap_or_else(|_| Err(SendError::definite(Class::ProviderDown)))
}

async fn connect(settings: &Settings) -> io::Result<Box<dyn Wire>> {
    let stream = TcpStream::connect((settings.host.as_str(), settings.port)).await?;
    stream.set_nodelay(true)?;
    if !settings.tls {
        return Ok(Box::new(stream));
    }
    Trust::Machine.connect(&settings.host, stream).await
}
