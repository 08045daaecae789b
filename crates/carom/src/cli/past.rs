//! The store of a configuration, read by a command: no tables are made, no node is registered.

use std::{collections::BTreeMap, path::Path};

use anyhow::bail;
use deflect_actions::{
    Clock as WallClock,
    keys::{Keys, Seal},
    store::{NodeInfo, Store},
};

use crate::config::Config;

/// Opens it; what is encrypted in it stays so.
pub(super) fn store(config: &Config) -> anyhow::Result<Store> {
    let url = config.store.url.reveal();
    if let Some(path) = url.strip_prefix("sqlite:")
        && !Path::new(path.trim_start_matches("//")).is_file()
    {
        bail!("there is no database {path} yet");
    }
    let info = NodeInfo {
        node_id: String::new(),
        node_boot: String::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        lease: config.store.lease,
    };
    let keys = Keys::new(Seal::from_secret(b""), config.privacy.epoch_days, BTreeMap::new());
    Ok(Store::connect(url, keys, info, WallClock::default())?)
}
