//! How many texts somebody gets in answer to texts: each costs money, and no order stands behind it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use message_text::E164;

/// Answers to one number in an hour.
const MOST: u32 = 5;
const HOUR_MS: i64 = 3_600_000;

/// Answers of the present hour, by number.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<(i64, HashMap<E164, u32>)>);

impl Answers {
    /// Counts an answer in; whether it may be given.
    pub fn may_go_to(&self, number: &E164, now_ms: i64) -> bool {
        let mut hour = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (began_ms, given) = &mut *hour;
        if !(0..HOUR_MS).contains(&(now_ms - *began_ms)) {
            *began_ms = now_ms;
            given.clear();
        }
        let given = given.entry(number.clone()).or_default();
        *given += 1;
        *given <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_answer_of_an_hour_is_not_given_and_others_get_theirs() {
        let answers = Answers::default();
        let one = E164::parse("+447700900456", "GB").unwrap();
        let other = E164::parse("+447700900457", "GB").unwrap();
        let given = (0..7).filter(|n| answers.may_go_to(&one, 1_000_000_000 + n)).count();
        assert_eq!(given, 5);
        assert!(answers.may_go_to(&other, 1_000_000_010));
        assert!(answers.may_go_to(&one, 1_000_000_000 + HOUR_MS));
    }
}
