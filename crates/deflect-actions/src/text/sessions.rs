//! Providers with a session of their own: it goes on over a reload, and what it tells is taken as
//! webhooks are.

use std::sync::Arc;

use tokio::{runtime::Handle, sync::mpsc};

use super::{TextConfig, TextService};
use crate::provider::{Provider, smpp::Heard};

impl TextService {
    /// Begins the sessions that `new` needs and `old` has not.
    pub(super) fn open_sessions(&self, old: &TextConfig, new: &TextConfig) {
        if Handle::try_current().is_err() {
            return;
        }
        for (name, provider) in &new.providers {
            let Provider::Smpp(smpp) = provider else { continue };
            if let Some(Provider::Smpp(before)) = old.providers.get(name) {
                smpp.adopt(before);
            }
            if let Some(heard) = smpp.open() {
                self.listen(name.clone(), heard);
            }
        }
    }

    fn listen(&self, name: String, mut heard: mpsc::Receiver<Heard>) {
        // The session ends with the service, not the other way round.
        let service = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            while let Some(Heard { event, kept }) = heard.recv().await {
                let Some(service) = service.upgrade().map(Self) else { return };
                let config = service.config();
                let taken = match config.providers.get(&name) {
                    Some(provider) => {
                        service.take_events(&config, &name, provider, vec![event]).await.map(|_| ())
                    }
                    None => Ok(()),
                };
                if let Err(error) = &taken {
                    tracing::warn!(%error, provider = name, "what a centre told is not kept");
                }
                let _ = kept.send(taken.is_ok());
            }
        });
    }
}
