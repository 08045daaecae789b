//! The demo's engine and PBX, with nothing configured: all it writes goes into a folder of its own.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use tokio::sync::oneshot;

use crate::{
    config::{Config, Prompts},
    node::Node,
    phone::{Pbx, Phone, Plan, Report, Script},
    switchboard::{Ask, CallSummary, TimeLine},
};

/// RTP ports of the callers and the PBX.
const PHONES: std::ops::RangeInclusive<u16> = 43_000..=43_999;
/// Where a softphone finds the engine, if the port is free.
const SIP_PORT: u16 = 5060;
const PBX_PORT: u16 = 5080;
const HTTP_PORT: u16 = 8080;

/// Everything the scenes need.
pub(super) struct Stage {
    node: Node,
    pbx: Option<Pbx>,
    pbx_at: SocketAddr,
    sip: SocketAddr,
    folder: PathBuf,
    temporary: bool,
}

impl Stage {
    /// Starts the PBX and the engine. A demo that ends by itself leaves nothing behind.
    pub(super) async fn set(temporary: bool) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("carom-demo-{}", std::process::id()));
        let pbx = match open_pbx((Ipv4Addr::LOCALHOST, PBX_PORT).into()).await {
            Ok(pbx) => pbx,
            Err(_) => open_pbx((Ipv4Addr::LOCALHOST, 0).into()).await.context("the demo's PBX")?,
        };
        let pbx_at = pbx.at();
        let (node, sip) = match start(&folder.join("1"), pbx_at, true).await {
            Ok(started) => started,
            // The usual ports are taken, or were taken this very moment: any others will do.
            Err(_) => start(&folder.join("2"), pbx_at, false).await?,
        };
        Ok(Self { node, pbx: Some(pbx), pbx_at, sip, folder, temporary })
    }

    pub(super) fn sip(&self) -> SocketAddr {
        self.sip
    }

    pub(super) fn http(&self) -> SocketAddr {
        self.node.http()
    }

    pub(super) fn pbx_at(&self) -> SocketAddr {
        self.pbx_at
    }

    /// Makes one call.
    pub(super) async fn dial(&self, plan: Plan) -> anyhow::Result<Report> {
        let mut phone = Phone::open((Ipv4Addr::LOCALHOST, 0).into(), PHONES).await?;
        Ok(phone.dial(&plan).await?)
    }

    /// Pulls the PBX's plug.
    pub(super) async fn kill_pbx(&mut self) {
        if let Some(pbx) = self.pbx.take() {
            pbx.die().await;
        }
    }

    pub(super) async fn revive_pbx(&mut self) -> anyhow::Result<()> {
        if self.pbx.is_none() {
            self.pbx = Some(open_pbx(self.pbx_at).await.context("the demo's PBX")?);
        }
        Ok(())
    }

    /// The newest call's record, once it has ended.
    pub(super) async fn last_call(&self) -> Option<(CallSummary, TimeLine)> {
        let asks = self.node.asks();
        for _ in 0..50 {
            let (reply, calls) = oneshot::channel();
            asks.send(Ask::Calls(1, reply)).await.ok()?;
            let newest = calls.await.ok()?.into_iter().next()?;
            if newest.ended_ms.is_some() && newest.end != "running" {
                let (reply, line) = oneshot::channel();
                asks.send(Ask::TimeLine(newest.call, reply)).await.ok()?;
                let (summary, mut line) = line.await.ok()??;
                self.node.desk().add_messages(&summary.call, &mut line).await;
                return Some((summary, line));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        None
    }

    /// The text that a call's caller got.
    pub(super) async fn text_of(&self, call: &str) -> Option<String> {
        let messages = self.node.services().store.messages_of(call).await.ok()?;
        messages.into_iter().find(|m| m.accepted_ms.is_some()).and_then(|m| m.text)
    }

    pub(super) async fn serve(self) -> anyhow::Result<()> {
        let folder = self.folder.clone();
        self.node.serve().await?;
        std::fs::remove_dir_all(folder).context("the demo's folder")
    }

    pub(super) async fn clear(self) {
        self.node.stop().await;
        if self.temporary {
            // What cannot be removed is in the system's folder for such things.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

async fn open_pbx(at: SocketAddr) -> std::io::Result<Pbx> {
    let greeting = Prompts::built_in().set.find("en-GB", "hold");
    let script = Script {
        ring: Duration::from_millis(600),
        greeting,
        hang_up_after: Some(Duration::from_secs(3)),
    };
    Pbx::open(at, PHONES, script).await
}

/// Starts the engine at the `usual` ports or at any; tells where its SIP is.
async fn start(folder: &Path, pbx: SocketAddr, usual: bool) -> anyhow::Result<(Node, SocketAddr)> {
    let port = |usual_port: u16| if usual { usual_port } else { 0 };
    let sip = free_both(port(SIP_PORT)).context("no port is free for SIP")?;
    let http = SocketAddr::from((Ipv4Addr::LOCALHOST, port(HTTP_PORT)));
    std::net::TcpListener::bind(http).context("no port is free for HTTP")?;
    let fill = |text: &str| {
        text.replace("{pbx}", &pbx.to_string())
            .replace("{sip}", &sip.to_string())
            .replace("{http}", &http.to_string())
    };
    let config = folder.join("carom.toml");
    std::fs::create_dir_all(folder.join("flows"))?;
    std::fs::write(&config, fill(include_str!("carom.toml")))?;
    std::fs::write(folder.join("flows/demo.toml"), fill(include_str!("flow.toml")))?;
    let snapshot = Config::load(Some(&config)).map_err(|report| anyhow::anyhow!("{report}"))?;
    Ok((Node::start(snapshot, Some(config)).await?, sip))
}

/// A port that is free for UDP and TCP; for port 0 any.
fn free_both(port: u16) -> Option<SocketAddr> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    (0..50).find_map(|_| {
        let udp = UdpSocket::bind(at(port)).ok()?.local_addr().ok()?;
        std::net::TcpListener::bind(udp).ok().map(|_| udp)
    })
}
