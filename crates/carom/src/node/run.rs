//! A node from its start to its end: parts started, asked things, drained, stopped.

use std::{
    path::PathBuf,
    sync::{Arc, RwLock, atomic::AtomicU64},
    time::Duration,
};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use deflect_actions::{
    Clock as WallClock,
    destination::Destinations,
    hooks::Hooks,
    store::{Retention, Store, StoreError, Writer},
    text::TextService,
    web::Web,
};
use metrics_exporter_prometheus::PrometheusHandle;
use rtp_media::{
    ports::PortPool,
    worker::{MediaConfig, MediaPool},
};
use sip_stack::{
    endpoint::{Endpoint, Transport},
    transport::Transports,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{
    callbacks, certificates, clock::Clock, links::LinkHealth, mailbox::Mailbox, parts, rating,
    sources::Sources, upkeep,
};
use crate::{
    config::{Config, FlowSource, Snapshot},
    control::{self, Asked},
    http,
    switchboard::{Ask, Drives, Gauges, Marks, RemoteCalls, Services, Switchboard, start_seed},
};

/// Media events waiting for the switchboard at most.
const MEDIA_EVENTS: usize = 65_536;
/// What operators set is read from the store this often.
const MARKS_EVERY: Duration = Duration::from_secs(5);
/// Offers to callers of other IVRs are looked through this often.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// The store is waited for this long before the first call is taken.
const FIRST_LOOK: Duration = Duration::from_secs(3);
/// What the store is asked now and then is waited for this long: a dead host lets questions that
/// were under way hang.
const PATIENCE: Duration = Duration::from_secs(5);
/// Rows that wait at the end are given this long.
const LAST_ROWS: Duration = Duration::from_secs(10);

/// Who has flows served that are served from the start.
const AT_START: &str = "start";

/// A running node.
pub struct Node {
    pub(super) config_file: Option<PathBuf>,
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(super) services: Services,
    pub(super) asks: mpsc::Sender<Ask>,
    pub(super) ready: watch::Sender<bool>,
    pub(super) requests: mpsc::Receiver<Asked>,
    pub(super) board: JoinHandle<()>,
    listeners: Vec<(Transport, std::net::SocketAddr)>,
    http: std::net::SocketAddr,
}

impl Node {
    /// Starts a node by `snapshot`, which was read from `config_file`.
    ///
    /// # Errors
    /// What keeps it from serving: an address, a key, another node at its control socket. A
    /// database that is down does not.
    pub async fn start(snapshot: Snapshot, config_file: Option<PathBuf>) -> anyhow::Result<Self> {
        upkeep::bound_free_memory();
        let clock = Clock::start();
        let config = &snapshot.config;
        let metrics = metrics_handle();
        let services = services(&snapshot).await?;
        let (inbox, requests) = mpsc::channel(64);
        control::serve(&config.control.socket, inbox)
            .await
            .with_context(|| format!("[control] socket {}", config.control.socket.display()))?;
        parts::check_media_address(config)?;
        let (wires, incoming) = Transports::bind(&parts::listeners(config)).await?;
        let listeners = wires.listeners().to_vec();
        let endpoint = Endpoint::new(parts::endpoint(config, &listeners, start_seed()));
        let (media_sink, media_events) = mpsc::channel(MEDIA_EVENTS);
        let media = MediaPool::start(
            media_config(config, clock),
            Box::new(move |event| {
                if media_sink.try_send(event).is_err() {
                    metrics::counter!("carom_media_events_lost_total").increment(1);
                }
            }),
        )
        .context("[media] workers")?;
        if !media.is_realtime() {
            tracing::info!(
                "media runs without real-time scheduling: a busy machine may make packets late \
                 (give the service an RLIMIT_RTPRIO of 1)"
            );
        }
        let ports = config.media.ports;
        let ports = PortPool::new(config.media_bind(), ports.first()..=ports.last());
        if let Some((first, last)) = ports.lent_by_kernel() {
            tracing::warn!(
                first,
                last,
                "other programs may be given these media ports; write the range to \
                 net.ipv4.ip_local_reserved_ports"
            );
        }
        let snapshot = Arc::new(snapshot.clone());
        upkeep::widen_prompts(&snapshot);
        let served = Arc::new(ArcSwap::new(Arc::clone(&snapshot)));
        let (ready, is_ready) = watch::channel(true);
        let (asks, asked) = mpsc::channel(64);
        services.sources.connect(asks.downgrade());
        tokio::spawn(upkeep::keep_house(metrics.clone(), services.store.clone(), asks.downgrade()));
        let remote = RemoteCalls::new(services.clone());
        tokio::spawn(sweep(remote.clone()));
        let site = http::Site {
            metrics,
            store: services.store.clone(),
            texts: services.texts.clone(),
            sources: services.sources.clone(),
            writer: services.writer.clone(),
            asks: asks.downgrade(),
            ready: is_ready.clone(),
            tokens: http::Tokens::of(&config.http),
            landing: http::Landing::new(
                Arc::clone(&served),
                parts::signer(config, services.store.keys())?,
                services.destinations.clone(),
            ),
            snapshot: Arc::clone(&served),
            remote: remote.clone(),
            turns: http::Turns::default(),
            marks: Arc::clone(&services.marks),
        };
        let http = http::serve(config.http.listen, site)
            .await
            .with_context(|| format!("[http] listen {}", config.http.listen))?;
        let first = Arc::clone(&snapshot);
        tokio::spawn(record_at_start(services.store.clone(), Arc::clone(&served), first));
        let drives = Drives { wires, incoming, media, media_events, ports };
        let guard = parts::loop_guard(&listeners);
        let board = tokio::spawn(Switchboard::run(
            clock,
            endpoint,
            drives,
            Arc::clone(&snapshot),
            services.clone(),
            Some(guard),
            asked,
        ));
        tokio::spawn(certificates::watch(Arc::clone(&served)));
        tokio::spawn(rating::ask_what_was_left(services.store.clone(), Arc::clone(&served)));
        tokio::spawn(callbacks::dial_due(
            services.clone(),
            Arc::clone(&served),
            asks.downgrade(),
            is_ready,
        ));
        Ok(Self {
            config_file,
            snapshot: served,
            services,
            asks,
            ready,
            requests,
            board,
            listeners,
            http,
        })
    }

    /// The SIP listeners as bound.
    #[must_use]
    pub fn listeners(&self) -> &[(Transport, std::net::SocketAddr)] {
        &self.listeners
    }

    /// Where HTTP listens.
    #[must_use]
    pub fn http(&self) -> std::net::SocketAddr {
        self.http
    }

    /// Asks the switchboard things.
    #[must_use]
    pub fn asks(&self) -> mpsc::Sender<Ask> {
        self.asks.clone()
    }

    /// Its store and what works on it.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    pub(super) async fn gauges(&self) -> Option<Gauges> {
        let (reply, gauges) = oneshot::channel();
        self.asks.send(Ask::Gauges(reply)).await.ok()?;
        gauges.await.ok()
    }

    /// Ends what is left and writes the last rows.
    pub async fn stop(self) {
        let _ = self.asks.send(Ask::EndAll).await;
        // Goodbyes and the counts of the media sessions take a moment.
        for _ in 0..50 {
            match self.gauges().await {
                Some(gauges) if gauges.calls > 0 => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Some(_) | None => break,
            }
        }
        let socket = self.snapshot.load().config.control.socket.clone();
        drop(self.asks);
        let _ = self.board.await;
        if !self.services.writer.flush(LAST_ROWS).await {
            tracing::error!("rows were left unwritten: the store is down");
        }
        if let Err(error) = self.services.store.stop().await {
            tracing::warn!(%error, "the store did not take the goodbye");
        }
        let _ = std::fs::remove_file(socket);
    }
}

pub(crate) async fn services(snapshot: &Snapshot) -> anyhow::Result<Services> {
    let config = &snapshot.config;
    let url = config.store.url.reveal();
    parts::make_store_folder(url).context("[store] url")?;
    let keys = parts::keys(config)?;
    let info = parts::node_info(config)?;
    let store = Store::connect(url, keys, info, WallClock::default()).context("[store] url")?;
    store.set_retention(Retention {
        raw_number: config.privacy.raw_number,
        call_months: config.privacy.call_months,
        step_days: config.privacy.step_days,
        voicemail_days: config.privacy.voicemail_days,
    });
    // Before the store is prepared, for it tells of calls that an earlier start left open.
    let hooks = Hooks::new(store.clone(), config.hooks());
    let mailbox =
        Mailbox::new(config.store.voicemail.clone(), config.privacy.voicemail_days, store.clone());
    tokio::spawn(mailbox.clone().keep_clean());
    let writer = Writer::start(store.clone());
    let texts = TextService::new(store.clone(), Arc::clone(&snapshot.texts));
    texts.start();
    hooks.start();
    let marks = Arc::new(RwLock::new(None));
    // A first call must not be taken past its flow only because nobody has looked yet.
    let first = refresh_marks(&store, &marks);
    if tokio::time::timeout(FIRST_LOOK, first).await.is_err() {
        tracing::error!("the store does not answer yet: calls go to people until it does");
    }
    tokio::spawn(read_marks(store.clone(), Arc::clone(&marks)));
    let random = Arc::new(AtomicU64::new(start_seed()));
    let (web, sources) = (Web::default(), Sources::default());
    sources.reconfigure(&snapshot.config.sources, &snapshot.flows, &web);
    let links = LinkHealth::default();
    links.reconfigure(&snapshot.flows, &store);
    let destinations = Destinations::default();
    Ok(Services { store, writer, texts, web, links, destinations, sources, marks, random, mailbox })
}

/// Ends calls of other IVRs whose offers nobody took up.
async fn sweep(remote: RemoteCalls) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        remote.sweep().await;
    }
}

async fn read_marks(store: Store, marks: Arc<RwLock<Option<Arc<Marks>>>>) {
    loop {
        tokio::time::sleep(MARKS_EVERY).await;
        refresh_marks(&store, &marks).await;
        match tokio::time::timeout(PATIENCE, store.renew_lease()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the node's lease is not renewed"),
            Err(_) => tracing::warn!("the node's lease is not renewed: the store says nothing"),
        }
    }
}

pub(super) async fn refresh_marks(store: &Store, marks: &RwLock<Option<Arc<Marks>>>) {
    let asked = async {
        store.prepare().await?;
        Ok::<_, StoreError>(Marks {
            flags: store.flags().await?,
            one_offs: store.one_offs().await?,
        })
    };
    let read = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(read)) => Some(Arc::new(read)),
        Ok(Err(error)) => {
            tracing::error!(%error, "the store is down: calls go to people");
            None
        }
        Err(_) => {
            tracing::error!("the store says nothing: calls go to people");
            None
        }
    };
    metrics::gauge!("carom_store_up").set(f64::from(u8::from(read.is_some())));
    if let Ok(mut marks) = marks.write() {
        *marks = read;
    }
}

/// Records what is served from now on; returns whether the store took it within [`PATIENCE`].
pub(super) async fn record_flows(store: &Store, snapshot: &Snapshot, author: &str) -> bool {
    let served: Vec<_> = snapshot.sources.iter().map(FlowSource::served).collect();
    let record = async {
        store.prepare().await?;
        store.served_flows(&served, author).await
    };
    match tokio::time::timeout(PATIENCE, record).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => tracing::warn!(%error, "the served flows are not recorded"),
        Err(_) => tracing::warn!("the served flows are not recorded: the store says nothing"),
    }
    false
}

/// Records what is served from the start, as soon as the store takes it, unless a reload comes
/// before.
async fn record_at_start(store: Store, served: Arc<ArcSwap<Snapshot>>, first: Arc<Snapshot>) {
    while Arc::ptr_eq(&served.load(), &first) && !record_flows(&store, &first, AT_START).await {
        tokio::time::sleep(MARKS_EVERY).await;
    }
}

fn media_config(config: &Config, clock: Clock) -> MediaConfig {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = match config.media.workers {
        0 => cores.saturating_sub(1).max(1),
        workers => usize::from(workers),
    };
    MediaConfig { workers, pin: Vec::new(), realtime: true, queue: 16_384, epoch: clock.epoch() }
}

/// One recorder a process; a second node in it (the demo's tests) shares it.
fn metrics_handle() -> PrometheusHandle {
    static HANDLE: std::sync::OnceLock<PrometheusHandle> = std::sync::OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            // Another recorder in this process keeps its metrics to itself; ours then stay empty.
            let _ = metrics::set_global_recorder(recorder);
            super::metric_names::describe();
            handle
        })
        .clone()
}
