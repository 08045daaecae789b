//! Where a text can lead.

use serde::{Deserialize, Serialize};

use super::LinkId;

/// `[link.X]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// `X`.
    pub name: String,
    /// What stands behind it.
    pub kind: LinkKind,
    /// Where it leads, with `{fields}`; the address of a channel ends where the token follows. Of
    /// `http`: what is asked. Empty where the provider says it, or invites the caller itself.
    pub url: String,
    /// Used when a field is not known.
    pub if_missing: Option<LinkId>,
    /// Intents it serves; `any` for all.
    pub intents: Vec<String>,
    /// `staffing` was stated (else W03).
    pub staffing: Option<String>,
    /// Asked now and then whether it works.
    pub check_url: Option<String>,
    /// So often, seconds.
    pub check_seconds: u32,
    /// The app that serves the same, shown beside it.
    pub app_url: Option<String>,
    /// It goes through a page of ours, so that visits are counted; of `static` only, the others
    /// always do.
    pub tracked: bool,
    /// Hours for which the page of ours is there.
    pub expires_hours: u32,
    /// Fields that are handed over.
    pub context: Vec<String>,
    /// The proof of the caller without which only topic and language are.
    pub context_level: Level,
    /// `env:…` or `file:…` of the secret that the handing over is signed with; `None`: our own key.
    pub secret: Option<String>,
}

/// `kind` with the keys of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LinkKind {
    /// An address; who is there is the operator's to see to.
    Static,
    /// An address that is told who comes.
    Signed,
    /// An address that is asked whether somebody is there, and where.
    Http {
        /// How it is asked.
        check: Check,
        /// Where the answer says yes (RFC 6901).
        available_at: String,
        /// Where the address stands.
        url_at: String,
        /// Where the seconds stand for which it is good.
        valid_at: String,
    },
    /// LivePerson's IVR Engagement: asked, answers with an address.
    LivepersonIvr(Check, Account),
    /// LivePerson's Connect To Messaging: asked, then invites.
    LivepersonC2m(Check, Account),
    /// An event of Khoros Flow, whose bot writes to the caller.
    KhorosFlow(Account),
    /// A bot.
    Telegram,
    /// A page.
    Messenger,
    /// A number, by click-to-chat.
    Whatsapp,
    /// Messages for Business.
    Apple,
}

/// How a destination is asked whether it can be offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The answer must be there by then, ms.
    pub timeout_ms: u32,
    /// Offered when nothing is known.
    pub if_unknown: bool,
}

/// Whose service it is, and which part of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    /// `[provider.X]`.
    pub provider: String,
    /// Instead of the provider's `account`.
    pub account: Option<String>,
    /// Skill (LivePerson).
    pub skill: Option<String>,
    /// Handoff (LivePerson's Connect To Messaging).
    pub handoff: Option<String>,
    /// Event (Khoros Flow).
    pub event: Option<String>,
}

/// What is known of who the caller is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub enum Level {
    /// Nothing: a number can be forged, or belong to somebody else by now.
    #[default]
    L0,
    /// The number is vouched for by the carrier, and is the one on file.
    L1,
    /// The caller proved in the call to be the customer.
    L2,
}

impl Level {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::L0 => "L0",
            Self::L1 => "L1",
            Self::L2 => "L2",
        }
    }
}

impl Link {
    /// How it is asked before each offer; `None`: it is not.
    pub fn check(&self) -> Option<Check> {
        match &self.kind {
            LinkKind::Http { check, .. }
            | LinkKind::LivepersonIvr(check, _)
            | LinkKind::LivepersonC2m(check, _) => Some(*check),
            LinkKind::Static
            | LinkKind::Signed
            | LinkKind::KhorosFlow(_)
            | LinkKind::Telegram
            | LinkKind::Messenger
            | LinkKind::Whatsapp
            | LinkKind::Apple => None,
        }
    }

    /// Whose service it is, if it is one.
    pub fn account(&self) -> Option<&Account> {
        match &self.kind {
            LinkKind::LivepersonIvr(_, account)
            | LinkKind::LivepersonC2m(_, account)
            | LinkKind::KhorosFlow(account) => Some(account),
            _ => None,
        }
    }

    /// Whether it ends in a token by which the channel's bot asks us who comes.
    pub fn is_channel(&self) -> bool {
        matches!(
            self.kind,
            LinkKind::Telegram | LinkKind::Messenger | LinkKind::Whatsapp | LinkKind::Apple
        )
    }

    /// Whether a text holds the address of a page of ours in its place.
    pub fn has_page(&self) -> bool {
        self.tracked || self.kind != LinkKind::Static
    }
}
