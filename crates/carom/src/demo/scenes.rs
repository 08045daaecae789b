//! The three calls.

use std::time::Duration;

use super::{Played, stage::Stage};
use crate::phone::{KeysBy, Plan, Press};

/// How a call can come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Deflected,
    Forwarded,
    Apology,
}

/// One call.
pub(super) struct Scene {
    title: &'static str,
    keys: &'static [(&'static str, u64)],
    digits: &'static str,
    pbx_is_dead: bool,
    expected: Outcome,
}

pub(super) const ALL: [Scene; 3] = [
    Scene {
        title: "1. The caller presses 1 and gets a text.",
        keys: &[("1", 2_000)],
        digits: "1",
        pbx_is_dead: false,
        expected: Outcome::Deflected,
    },
    Scene {
        title: "2. The caller presses 0 and is put through to the PBX.",
        keys: &[("0", 2_000)],
        digits: "0",
        pbx_is_dead: false,
        expected: Outcome::Forwarded,
    },
    Scene {
        title: "3. The caller presses 0 and the PBX is dead: an apology, not silence.",
        keys: &[("0", 2_000)],
        digits: "0",
        pbx_is_dead: true,
        expected: Outcome::Apology,
    },
];

impl Outcome {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Deflected => "deflected",
            Self::Forwarded => "forwarded",
            Self::Apology => "apology",
        }
    }

    fn of(end: &str) -> Option<Self> {
        [Self::Deflected, Self::Forwarded, Self::Apology].into_iter().find(|o| o.as_str() == end)
    }
}

impl Scene {
    pub(super) async fn play(&self, stage: &mut Stage) -> anyhow::Result<Played> {
        if self.pbx_is_dead {
            stage.kill_pbx().await;
        }
        let press = self.keys.iter().filter_map(|(key, at)| {
            let digit = key.parse::<Press>().ok()?.digit;
            Some(Press { digit, at: Duration::from_millis(*at) })
        });
        let plan = Plan {
            uri: format!("sip:100@{}", stage.sip()),
            from: "+447700900456".into(),
            press: press.collect(),
            keys_by: KeysBy::Rfc4733,
            hang_up_after: Duration::from_secs(30),
            ring_for: Duration::from_secs(15),
            record: false,
        };
        let report = stage.dial(plan).await?;
        let call = stage.last_call().await;
        let outcome = call.as_ref().and_then(|(summary, _)| Outcome::of(&summary.end));
        let message = match &call {
            Some((summary, _)) => stage.text_of(&summary.call).await,
            None => None,
        };
        Ok(Played {
            title: self.title,
            expected: self.expected,
            outcome,
            digits: self.digits,
            message,
            ms: report.length_ms,
            call,
        })
    }
}
