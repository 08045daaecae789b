//! `[privacy]`: how long what is kept.

use std::time::Duration;

use super::read::Table;

/// Lifetimes of what is personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privacy {
    /// The callers' hash changes this often, in days; joins span two epochs.
    pub epoch_days: u32,
    /// Numbers and bodies are erased this long after a message's state is final.
    pub raw_number: Duration,
    /// Calls are kept so many months.
    pub call_months: u32,
    /// Steps of calls are kept so many days.
    pub step_days: u32,
    /// What callers left is kept so many days.
    pub voicemail_days: u32,
}

impl Default for Privacy {
    fn default() -> Self {
        Self {
            epoch_days: 90,
            raw_number: Duration::from_secs(24 * 3_600),
            call_months: 13,
            step_days: 90,
            voicemail_days: 30,
        }
    }
}

pub(super) fn read(table: &Table<'_>) -> Privacy {
    let default = Privacy::default();
    let days = |key, or| table.number(key, 1..=3_650).unwrap_or(or);
    Privacy {
        epoch_days: days("epoch_days", default.epoch_days),
        raw_number: table
            .duration("raw_number_hours", 3_600, 1..=8_760)
            .unwrap_or(default.raw_number),
        call_months: days("call_months", default.call_months),
        step_days: days("step_days", default.step_days),
        voicemail_days: days("voicemail_days", default.voicemail_days),
    }
}
