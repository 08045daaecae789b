//! `[target.X]` and `[hours.X]`, read the same way from flow files and from `carom.toml`.

mod hours;
mod target;
#[cfg(test)]
mod tests;

pub use hours::{HoursDraft, ScheduleDraft, hours, resolve_hours};
pub use target::{TargetDraft, refuse_numbers, refuse_unreached, target};
pub(in crate::flow) use target::{is_token, own_headers};
