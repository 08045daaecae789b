//! What an operator may do with a message: have it sent again, or taken back. States move forward
//! only; nothing that may have arrived is sent again unless that is asked for by name.

use std::borrow::Cow;

use jiff::Timestamp;

use super::TextService;
use crate::{
    provider::{Class, State},
    store::{StoreError, message::Standing},
};

/// What was done for a message that was to be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retried {
    /// It waited; now it is due.
    Due,
    /// It had failed for good; the text goes out as a new message, by the same consent.
    Again(String),
    /// It may have arrived, and is sent once more all the same.
    Doubled,
}

/// Why a message is neither sent again nor taken back.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// It may not.
    #[error("{0}")]
    Refused(Cow<'static, str>),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NotDone {
    fn refused(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(why.into())
    }
}

/// How a message may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Due,
    Again,
    Double,
}

impl TextService {
    /// Has a message sent again where a definite failure, or patience, is all that stands against
    /// it; one that is ambiguous only with `allow_duplicate`.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn retry_by_hand(
        &self,
        message_id: &str,
        allow_duplicate: bool,
    ) -> Result<Retried, NotDone> {
        let store = &self.0.store;
        let lost = NotDone::refused("it has moved on meanwhile: look again");
        let standing = store.standing(message_id).await?;
        let how = may_retry(standing.as_ref(), store.now_ms(), allow_duplicate);
        let how = how.map_err(NotDone::Refused)?;
        let message = store.outgoing(message_id).await?;
        let Some(message) = message else { return Err(NotDone::refused(ERASED)) };
        if store.is_opt_out_list_lost(&message.business) {
            return Err(NotDone::refused("its opt-out list was written with another key"));
        }
        if store.is_opted_out(&message.business, &message.to, &message.topic).await? {
            return Err(NotDone::refused("the person wants no texts"));
        }
        let retried = match how {
            How::Due => store.make_due(message_id).await?.then_some(Retried::Due),
            How::Double => {
                store.requeue(message_id, message.try_no, store.now_ms()).await?;
                Some(Retried::Doubled)
            }
            How::Again => {
                let id = super::attempt::new_id(store.now_ms());
                store.commit_again(&message, &id).await?.then_some(Retried::Again(id))
            }
        };
        self.0.due.notify_one();
        retried.ok_or(lost)
    }

    /// Takes back a message of which nothing was written.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn cancel_by_hand(&self, message_id: &str) -> Result<(), NotDone> {
        if self.0.store.cancel(message_id, "operator").await? {
            return Ok(());
        }
        Err(NotDone::refused("only what waits can be taken back: it is sent, or over"))
    }
}

const ERASED: &str = "its number and text are erased";

fn may_retry(
    standing: Option<&Standing>,
    now_ms: i64,
    allow_duplicate: bool,
) -> Result<How, Cow<'static, str>> {
    let standing = standing.ok_or("there is no such message")?;
    let how = how(standing, allow_duplicate)?;
    if now_ms >= standing.valid_until_ms {
        return Err("it is too late: the text is not worth sending any more".into());
    }
    if let Some(at_ms) = waits_for(standing).filter(|at_ms| *at_ms > now_ms) {
        let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::MAX);
        let at = at.strftime("%F %H:%M:%S UTC");
        return Err(format!("it waits for its moment, and goes out by itself: {at}").into());
    }
    Ok(how)
}

/// When a message goes out that nobody has tried to send yet: a text after the call, a question how it
/// went or one of the API waits for its moment, which may be the end of the night.
fn waits_for(standing: &Standing) -> Option<i64> {
    let is_untried = standing.state == State::Queued && standing.attempt == 0;
    standing.next_try_ms.filter(|_| is_untried)
}

fn how(standing: &Standing, allow_duplicate: bool) -> Result<How, &'static str> {
    Ok(match standing.state {
        State::Queued => How::Due,
        State::Failed | State::Undelivered => match standing.class {
            Some(Class::OptedOut) => return Err("the person wants no texts"),
            Some(Class::Invalid | Class::NotTextable) => {
                return Err("the number takes no texts");
            }
            Some(Class::TooLong) => return Err("no sender takes so long a text"),
            _ => How::Again,
        },
        State::Ambiguous if allow_duplicate => How::Double,
        State::Ambiguous => {
            return Err("its request was written and not answered, so that it may have arrived: \
                        --allow-duplicate sends it once more");
        }
        State::Claimed => return Err("it is being sent"),
        State::Accepted | State::Sent => return Err("a provider has it"),
        State::Delivered | State::Read => return Err("it has arrived"),
        State::Unknown => {
            return Err("a provider took it, and that no receipt came is no failure");
        }
        State::Canceled => return Err("it was taken back"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_arrived_is_sent_again_by_nobody_unless_asked_for_by_name() {
        let at = |state, class| Standing {
            state,
            class,
            valid_until_ms: 10,
            attempt: 1,
            try_no: 1,
            next_try_ms: Some(8),
        };
        let how = |state, class, allow| may_retry(Some(&at(state, class)), 5, allow).ok();
        for state in State::ALL {
            for allow in [false, true] {
                let expected = match state {
                    State::Queued => Some(How::Due),
                    State::Failed | State::Undelivered => Some(How::Again),
                    State::Ambiguous if allow => Some(How::Double),
                    _ => None,
                };
                assert_eq!(how(state, None, allow), expected, "{state:?} {allow}");
                let late = may_retry(Some(&at(state, None)), 10, allow);
                assert!(late.is_err(), "{state:?}: its time is over");
            }
        }
        for class in Class::ALL {
            let pointless = [Class::OptedOut, Class::Invalid, Class::NotTextable, Class::TooLong]
                .contains(&class);
            assert_eq!(how(State::Failed, Some(class), true).is_none(), pointless, "{class:?}");
        }
        assert!(may_retry(None, 0, true).is_err());
        // Never tried, it waits for its moment.
        let untried = Standing { attempt: 0, ..at(State::Queued, None) };
        let told = may_retry(Some(&untried), 5, true).unwrap_err();
        assert!(told.ends_with("1970-01-01 00:00:00 UTC"), "{told}");
        assert_eq!(may_retry(Some(&untried), 8, true), Ok(How::Due));
    }
}
