//! `round_wait`: the minutes that callers are told (KH-02).

use serde::{Deserialize, Serialize};

/// How an expected wait, in seconds, becomes the minutes that callers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundWait {
    /// Minutes told are multiples of this, 1–60.
    pub to_minutes: u32,
    /// Which of them.
    pub direction: Direction,
}

/// Which multiple a wait between two of them is rounded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// The next longer one.
    Up,
    /// The nearer one, the longer one from the middle on.
    Nearest,
    /// The next shorter one.
    Down,
}

impl Default for RoundWait {
    /// Up to the next minute: nobody minds being early.
    fn default() -> Self {
        Self { to_minutes: 1, direction: Direction::Up }
    }
}

impl RoundWait {
    /// Minutes told for a wait. One that is not over yet is never told as none: then the first
    /// multiple is.
    pub fn minutes(self, wait_seconds: u32) -> u32 {
        let one = 60 * self.to_minutes.max(1);
        let times = match self.direction {
            Direction::Up => wait_seconds.div_ceil(one),
            Direction::Nearest => wait_seconds.saturating_add(one / 2) / one,
            Direction::Down => wait_seconds / one,
        };
        times.max(u32::from(wait_seconds > 0)) * (one / 60)
    }

    /// The fields that say a wait: `wait_seconds` as it is, `wait_minutes` rounded.
    pub fn fields(self, wait_seconds: u32) -> [(String, String); 2] {
        [
            ("wait_seconds".to_owned(), wait_seconds.to_string()),
            ("wait_minutes".to_owned(), self.minutes(wait_seconds).to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kh_02_a_wait_is_rounded_as_the_flow_says() {
        let told =
            |to_minutes, direction, seconds| RoundWait { to_minutes, direction }.minutes(seconds);
        use Direction::{Down, Nearest, Up};
        for (seconds, up, nearest, down) in [
            (0, 0, 0, 0),
            (1, 5, 5, 5),
            (149, 5, 5, 5),
            (300, 5, 5, 5),
            (301, 10, 5, 5),
            (449, 10, 5, 5),
            (450, 10, 10, 5),
            (599, 10, 10, 5),
            (600, 10, 10, 10),
        ] {
            assert_eq!(told(5, Up, seconds), up, "{seconds} up");
            assert_eq!(told(5, Nearest, seconds), nearest, "{seconds} nearest");
            assert_eq!(told(5, Down, seconds), down, "{seconds} down");
        }
        assert_eq!(RoundWait::default().minutes(361), 7);
        assert_eq!(told(60, Nearest, u32::MAX), 71_582_760, "no overflow");
    }
}
