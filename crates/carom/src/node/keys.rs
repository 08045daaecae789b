//! The store's key is replaced: by a new one of the file, or by the first of those that the
//! operator gave.

use std::{io, time::Duration};

use deflect_actions::{
    keys::StoreKeys,
    store::{Resealed, Store, StoreError},
};
use tokio::sync::Mutex;

use super::parts::store_keys;
use crate::{
    config::{SecretRef, Snapshot},
    control::Reply,
};

/// Why the key is not replaced.
#[derive(Debug, thiserror::Error)]
enum NotRotated {
    #[error(
        "the key is an environment variable: put a new key before the old one there \
         (`carom-store-keys-1 NEW OLD`, in hex), restart, and run this with --reencrypt"
    )]
    NoFile,
    #[error(
        "other nodes work on this database ({0}) and would not know a new key: see \"The store's \
         key\" in docs/operations.md"
    )]
    OtherNodes(String),
    #[error("[store] aead_key: {0}")]
    File(#[from] io::Error),
    #[error("the store fails, and some of it is still under the old key; run this again: {0}")]
    Store(#[from] StoreError),
    #[error(
        "{0} value(s) are under no key that is known here, so the old keys are kept; they go when \
         their time is over"
    )]
    Unreadable(u64),
}

/// One at a time: each must find what the one before it left.
static ROTATION: Mutex<()> = Mutex::const_new(());
/// A commit that sealed with the older key is over by then.
const COMMITS: Duration = Duration::from_secs(5);

/// Answers when all is done; `new_key`: the file gets a new one, else what it holds is gone by.
/// It may take minutes.
pub(super) async fn rotate(snapshot: &Snapshot, store: &Store, new_key: bool, who: &str) -> Reply {
    let Ok(_turn) = ROTATION.try_lock() else {
        let why = "the key is being changed already; see the log and `audit`";
        return Reply::Error(why.to_owned());
    };
    match rotated(snapshot, store, new_key, who).await {
        Ok(done) => Reply::Done(format!(
            "{} value(s) are encrypted anew, {} were already",
            done.renewed, done.current
        )),
        Err(why) => Reply::Error(why.to_string()),
    }
}

async fn rotated(
    snapshot: &Snapshot,
    store: &Store,
    new_key: bool,
    who: &str,
) -> Result<Resealed, NotRotated> {
    let reference = &snapshot.config.store.aead_key;
    let given = store_keys(reference)?;
    if !new_key {
        store.keys().seal().take(&given);
        return reseal(store, "re-encrypted under the given key", who).await;
    }
    let SecretRef::File(path) = reference else { return Err(NotRotated::NoFile) };
    refuse_others(store).await?;
    // Written before it is used: whatever happens from here on, the file holds every key in use.
    let both: StoreKeys = given.with_new()?;
    both.write(path)?;
    store.keys().seal().take(&both);
    let mut done = reseal(store, "new key", who).await?;
    // What was sealed before the new key was taken may be committed only now.
    loop {
        tokio::time::sleep(COMMITS).await;
        let late = store.reseal().await?;
        done.unreadable = late.unreadable;
        if late.renewed == 0 {
            break;
        }
        done.renewed += late.renewed;
    }
    refuse_others(store).await?;
    if done.unreadable > 0 {
        return Err(NotRotated::Unreadable(done.unreadable));
    }
    both.newest().write(path)?;
    store.keys().seal().take(&both.newest());
    Ok(done)
}

async fn refuse_others(store: &Store) -> Result<(), NotRotated> {
    let others = store.other_nodes().await?;
    if others.is_empty() { Ok(()) } else { Err(NotRotated::OtherNodes(others.join(", "))) }
}

async fn reseal(store: &Store, what: &str, who: &str) -> Result<Resealed, NotRotated> {
    let done = store.reseal().await?;
    let detail = format!("{what}: {} renewed, {} unreadable", done.renewed, done.unreadable);
    store.audit(who, "store key rotated", &detail).await?;
    Ok(done)
}
