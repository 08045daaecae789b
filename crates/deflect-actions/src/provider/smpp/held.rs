//! Parts of texts that are not whole. A centre that has an answer keeps nothing, and we have a part in
//! memory only: so it is answered with its whole text, when that is kept.

use std::time::Duration;

use tokio::time::Instant;

use super::inbox::Series;

/// A part is answered after this time, whole text or not: a centre may wait for the answer before it
/// tells the next.
const LONGEST: Duration = Duration::from_secs(1);

/// Deliveries of parts that are not answered.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Sequence numbers, oldest first.
    parts: Vec<(Series, u32, Instant)>,
}

impl Held {
    /// Holds the answer to a delivery back.
    pub fn hold(&mut self, series: Series, sequence: u32) {
        self.parts.push((series, sequence, Instant::now()));
    }

    /// Those of this text, to be answered with it.
    pub fn take(&mut self, series: &Series) -> Vec<u32> {
        let of_it = |(of, ..): &mut (Series, u32, Instant)| of == series;
        self.parts.extract_if(.., of_it).map(|(_, sequence, _)| sequence).collect()
    }

    /// Those that waited long enough.
    pub fn overdue(&mut self) -> Vec<u32> {
        let due = self.parts.iter().take_while(|(.., since)| since.elapsed() >= LONGEST).count();
        self.parts.drain(..due).map(|(_, sequence, _)| sequence).collect()
    }

    /// When the next has waited long enough.
    pub fn next(&self) -> Option<Instant> {
        self.parts.first().map(|(.., since)| *since + LONGEST)
    }
}
