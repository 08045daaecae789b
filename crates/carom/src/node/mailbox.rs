//! What callers leave: a WAV file each, on this node or where all nodes reach it, and a row that
//! names it.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, BufWriter},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use deflect_actions::store::{Store, StoreError, VoicemailLeft};
use tokio::sync::oneshot;
use uuid::Uuid;

/// Samples a second of what is recorded.
const RATE: u32 = 8_000;
/// [`Mailbox::within`].
const KEEP_WITHIN: Duration = Duration::from_secs(8);
/// [`Mailbox::settle_after`].
const SETTLE_AFTER: Duration = Duration::from_secs(10);
/// Between two looks for what is to be erased.
const ERASE_EVERY: Duration = Duration::from_secs(60);
/// A file that no row names is a message that was lost half-way; it goes after this and the days
/// that messages are kept.
const STRAY: Duration = Duration::from_secs(86_400);

/// The folder of what callers left.
#[derive(Debug, Clone)]
pub struct Mailbox {
    folder: PathBuf,
    days: u32,
    store: Store,
    /// A message is kept within this, or the caller is told that it could not be.
    within: Duration,
    /// A store that failed is asked what became of a row after this, again and again.
    settle_after: Duration,
}

/// Why a message could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// The disk does not take it.
    #[error("{0}")]
    Disk(#[from] io::Error),
    /// The store does not take its row.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// It took too long.
    #[error("it took too long")]
    Slow,
}

impl NotKept {
    /// The cause in a word, for the call's record.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Disk(_) => "disk",
            Self::Store(_) => "store",
            Self::Slow => "slow",
        }
    }
}

impl Mailbox {
    /// A mailbox in `folder`, whose messages are kept for so many days.
    #[must_use]
    pub fn new(folder: PathBuf, days: u32, store: Store) -> Self {
        Self { folder, days, store, within: KEEP_WITHIN, settle_after: SETTLE_AFTER }
    }

    /// Keeps a message, on the disk and in the store, or nothing of it; webhooks fetch its sound at
    /// `public_url`. `knows` tells, after an error, whether the caller was there to hear of it: then a
    /// message without a row goes, else its row is kept once the store takes it.
    ///
    /// # Errors
    /// It can't be kept, or not in time: then it is kept late, as a whole, or not at all.
    pub async fn keep(
        &self,
        call_id: &str,
        step: &str,
        samples: Vec<i16>,
        public_url: Option<&str>,
        knows: oneshot::Receiver<bool>,
    ) -> Result<VoicemailLeft, NotKept> {
        let voicemail_id = Uuid::now_v7().to_string();
        let file = self.folder.join(format!("{voicemail_id}.wav"));
        let sound_url = public_url.map(|base| format!("{base}/v1/voicemails/{voicemail_id}/sound"));
        let left = VoicemailLeft {
            sound_url,
            voicemail_id,
            call_id: call_id.to_owned(),
            step: step.to_owned(),
            file: file.display().to_string(),
            length_ms: i64::try_from(samples.len()).unwrap_or(i64::MAX) / i64::from(RATE / 1_000),
        };
        // It goes on by itself where the caller can't wait: what is begun becomes whole, or nothing.
        let keeping = tokio::spawn(self.clone().keep_whole(left.clone(), file, samples, knows));
        match tokio::time::timeout(self.within, keeping).await {
            Err(_) => Err(NotKept::Slow),
            Ok(kept) => kept.map_err(io::Error::other)?.map(|()| left),
        }
    }

    /// Writes the sound, then the row that names it.
    async fn keep_whole(
        self,
        left: VoicemailLeft,
        file: PathBuf,
        samples: Vec<i16>,
        knows: oneshot::Receiver<bool>,
    ) -> Result<(), NotKept> {
        let to = file.clone();
        let written = tokio::task::spawn_blocking(move || write(&to, &samples)).await;
        written.map_err(io::Error::other)??;
        match self.store.keep_voicemail(&left).await {
            Ok(()) => {
                metrics::counter!("carom_voicemails_total").increment(1);
                Ok(())
            }
            Err(error) => {
                tokio::spawn(self.settle(left, file, knows));
                Err(error.into())
            }
        }
    }

    /// The store has failed: asks it, until it answers, whether it has taken the row all the same. If
    /// not, the sound of a caller who knows goes, and the row of any other is kept late.
    async fn settle(self, left: VoicemailLeft, file: PathBuf, knows: oneshot::Receiver<bool>) {
        let caller_knows = knows.await.unwrap_or(false);
        loop {
            // A commit that was on its way may still arrive.
            tokio::time::sleep(self.settle_after).await;
            match self.store.voicemail(&left.voicemail_id).await {
                Ok(Some(_)) => return,
                Ok(None) if caller_knows => {
                    let gone = tokio::task::spawn_blocking(move || remove(&file)).await;
                    if let Ok(Err(error)) = gone {
                        tracing::warn!(%error, "voicemail: a sound without a row stays for now");
                    }
                    return;
                }
                Ok(None) if !file.exists() => return, // past its time
                Ok(None) => match self.store.keep_voicemail(&left).await {
                    Ok(()) => {
                        metrics::counter!("carom_voicemails_total").increment(1);
                        return;
                    }
                    Err(error) => tracing::debug!(%error, "voicemail: its row is not taken yet"),
                },
                Err(error) => tracing::debug!(%error, "voicemail: the store does not tell yet"),
            }
        }
    }

    /// Erases what is past its time, again and again, until the mailbox is dropped.
    pub async fn keep_clean(self) {
        let mut every = tokio::time::interval(ERASE_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            if let Err(error) = self.erase_due().await {
                tracing::warn!(%error, "voicemail: what is past its time is not erased yet");
            }
        }
    }

    /// Erases what is past its time.
    ///
    /// # Errors
    /// The disk or the store refuses.
    pub async fn erase_due(&self) -> Result<(), NotKept> {
        self.store.prepare().await?;
        for (id, file, own) in self.store.voicemails_to_erase().await? {
            let gone = tokio::task::spawn_blocking(move || {
                let here = own || Path::new(&file).exists();
                if here { remove(Path::new(&file)).map(|()| true) } else { Ok(false) }
            });
            if gone.await.map_err(io::Error::other)?? {
                self.store.voicemail_erased(&id).await?;
            }
        }
        let folder = self.folder.clone();
        let older = STRAY * (self.days + 1);
        let strays = tokio::task::spawn_blocking(move || remove_strays(&folder, older)).await;
        strays.map_err(io::Error::other)??;
        Ok(())
    }
}

/// Writes a mono WAV of mode 0600; under its name only once it is whole and on the disk.
fn write(file: &Path, samples: &[i16]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let part = file.with_extension("part");
    // The name is on the disk once its folder is.
    let named = || fs::rename(&part, file).and_then(|()| fs::File::open(folder)?.sync_all());
    let written = write_part(&part, samples).and_then(|()| named());
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

fn write_part(part: &Path, samples: &[i16]) -> io::Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(part)?;
    let synced = file.try_clone()?;
    let mut wav = hound::WavWriter::new(BufWriter::new(file), spec).map_err(in_io)?;
    for sample in samples {
        wav.write_sample(*sample).map_err(in_io)?;
    }
    wav.finalize().map_err(in_io)?;
    synced.sync_all()
}

fn in_io(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => io::Error::other(other),
    }
}

/// One that is gone already is gone.
fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "files are as old as the wall clock says")]
fn remove_strays(folder: &Path, older: Duration) -> io::Result<()> {
    let files = match fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for file in files {
        let file = file?;
        let ours = file.path().extension().is_some_and(|is| is == "wav" || is == "part");
        let age = SystemTime::now().duration_since(file.metadata()?.modified()?);
        if ours && age.is_ok_and(|age| age > older) {
            remove(&file.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use deflect_actions::{
        keys::{Keys, Seal},
        store::NodeInfo,
    };
    use sqlx::{Connection as _, SqliteConnection};

    use super::*;

    /// A mailbox of a store in a folder, whose caller waits for a tenth of a second.
    async fn mailbox(folder: &Path) -> Mailbox {
        let node = NodeInfo {
            node_id: "n1".to_owned(),
            node_boot: "b1".to_owned(),
            version: "0".to_owned(),
            lease: Duration::from_secs(30),
        };
        let keys = Keys::new(Seal::from_secret(b"seal"), 90, BTreeMap::new());
        let url = format!("sqlite:{}", folder.join("carom.db").display());
        let store = Store::open(&url, keys, node).await.unwrap();
        let wait = Duration::from_millis(100);
        let mailbox = Mailbox::new(folder.join("voicemail"), 30, store);
        Mailbox { within: wait, settle_after: wait, ..mailbox }
    }

    fn sounds(folder: &Path) -> usize {
        fs::read_dir(folder.join("voicemail")).map_or(0, Iterator::count)
    }

    #[tokio::test]
    async fn ex_27_a_message_that_the_store_takes_too_slowly_is_kept_whole_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let mailbox = mailbox(folder.path()).await;
        let url = format!("sqlite:{}", folder.path().join("carom.db").display());
        let mut other = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let (_knows, told) = oneshot::channel();
        let kept = mailbox.keep("call", "night", vec![1; 8_000], None, told).await;
        assert!(matches!(kept, Err(NotKept::Slow)), "{kept:?}");
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        for _ in 0..100 {
            if !mailbox.store.voicemails(9).await.unwrap().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let rows = mailbox.store.voicemails(9).await.unwrap();
        assert_eq!(rows.len(), 1, "its row came late");
        assert!(Path::new(rows[0].file.as_ref().unwrap()).exists(), "and has its sound");
        assert_eq!(sounds(folder.path()), 1);
    }

    /// The store takes no row, and the caller knows of it or is gone; returns the way to the store.
    async fn refused(folder: &Path, mailbox: &Mailbox, knows: bool) -> SqliteConnection {
        let url = format!("sqlite:{}", folder.join("carom.db").display());
        let mut other = SqliteConnection::connect(&url).await.unwrap();
        let refuse = "CREATE TRIGGER no BEFORE INSERT ON voicemail \
                      BEGIN SELECT RAISE(ABORT, 'no'); END";
        sqlx::query(refuse).execute(&mut other).await.unwrap();
        let (tell, told) = oneshot::channel();
        let kept = mailbox.keep("call", "night", vec![1; 8_000], None, told).await;
        assert!(matches!(kept, Err(NotKept::Store(_) | NotKept::Slow)), "{kept:?}");
        tell.send(knows).unwrap();
        other
    }

    #[tokio::test]
    async fn ex_27_a_sound_whose_row_the_store_does_not_take_goes_if_its_caller_knows() {
        let folder = tempfile::tempdir().unwrap();
        let mailbox = mailbox(folder.path()).await;
        let _refused = refused(folder.path(), &mailbox, true).await;
        for _ in 0..100 {
            if sounds(folder.path()) == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the sound is still there");
    }

    #[tokio::test]
    async fn ex_27_the_message_of_a_caller_who_has_hung_up_waits_for_a_store_that_falters() {
        let folder = tempfile::tempdir().unwrap();
        let mailbox = mailbox(folder.path()).await;
        let mut other = refused(folder.path(), &mailbox, false).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(sounds(folder.path()), 1, "it waits");
        sqlx::query("DROP TRIGGER no").execute(&mut other).await.unwrap();
        for _ in 0..100 {
            let rows = mailbox.store.voicemails(9).await.unwrap();
            if let [row] = rows.as_slice() {
                assert!(Path::new(row.file.as_ref().unwrap()).exists());
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("its row never came");
    }
}
