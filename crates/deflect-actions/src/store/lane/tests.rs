//! Who shares a statement, who fails alone, who waits for nobody.

use std::collections::BTreeMap;

use sqlx::error::{DatabaseError, ErrorKind};

use super::*;
use crate::{
    Clock,
    keys::{Keys, Seal},
    store::{NodeInfo, Store},
};

/// What statements were asked for, by the names in them.
type Seen = Arc<Mutex<Vec<Vec<&'static str>>>>;

#[derive(Clone)]
struct Named {
    name: &'static str,
    seen: Seen,
    takes: Duration,
}

impl Work for Named {
    type Done = usize;

    fn key(&self) -> Option<&str> {
        self.name.split_once(' ').map_or(Some(self.name), |(key, _)| Some(key))
    }

    async fn do_all(_: &mut AnyConnection, all: &[Self]) -> Result<Vec<usize>, StoreError> {
        let names: Vec<_> = all.iter().map(|one| one.name).collect();
        all[0].seen.lock().unwrap().push(names.clone());
        tokio::time::sleep(all[0].takes).await;
        match names.iter().find(|name| name.starts_with("bad") || name.starts_with("gone")) {
            None => Ok(names.iter().map(|name| name.len()).collect()),
            Some(name) if name.starts_with("bad") => {
                Err(sqlx::Error::Database(Box::new(Refused)).into())
            }
            Some(_) => Err(sqlx::Error::PoolTimedOut.into()),
        }
    }
}

/// As a unique index refuses a row.
#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl DatabaseError for Refused {
    fn message(&self) -> &str {
        "refused"
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::UniqueViolation
    }
}

struct Rig {
    lane: Lane<Named>,
    store: Store,
    seen: Seen,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = NodeInfo {
            node_id: "n1".into(),
            node_boot: "b1".into(),
            version: "test".into(),
            lease: Duration::from_secs(10),
        };
        // Never asked.
        let url = format!("sqlite:{}/unused.db", folder.path().display());
        let keys = Keys::new(Seal::from_secret(b"seal"), 90, BTreeMap::new());
        let store = Store::connect(&url, keys, node, Clock::default()).unwrap();
        Self { lane: Lane::default(), store, seen: Seen::default(), _folder: folder }
    }

    /// Runs them all at once, in this order; how each went.
    async fn run(&self, names: &[&'static str], takes: Duration) -> Vec<Result<usize, String>> {
        let all = names.iter().map(|name| {
            let work = Named { name, seen: Arc::clone(&self.seen), takes };
            let (lane, store) = (self.lane.clone(), self.store.clone());
            tokio::spawn(async move { lane.run(&store, work).await })
        });
        let all: Vec<_> = all.collect();
        let mut done = Vec::new();
        for one in all {
            done.push(one.await.unwrap().map_err(|error| error.to_string()));
        }
        done
    }

    fn seen(&self) -> Vec<Vec<&'static str>> {
        self.seen.lock().unwrap().clone()
    }
}

const SHORT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn who_comes_while_a_statement_is_under_way_shares_the_next_in_the_order_of_keys() {
    let rig = Rig::new();
    let done = rig.run(&["first", "c", "b", "a"], SHORT).await;
    assert_eq!(done, [Ok(5), Ok(1), Ok(1), Ok(1)]);
    let seen = rig.seen();
    assert!(seen.concat().len() == 4 && seen.len() <= 2, "{seen:?}");
    assert!(seen.iter().all(|statement| statement.is_sorted()), "{seen:?}");
    // Alone again, nobody waits for others.
    rig.run(&["later"], SHORT).await;
    assert_eq!(rig.seen().last().unwrap(), &["later"]);
}

#[tokio::test]
async fn two_of_one_key_are_done_by_two_statements_in_their_order() {
    let rig = Rig::new();
    let done = rig.run(&["x", "m 1", "n", "m two", "m 3"], SHORT).await;
    assert_eq!(done, [Ok(1), Ok(3), Ok(1), Ok(5), Ok(3)]);
    for statement in rig.seen() {
        assert!(statement.iter().filter(|name| name.starts_with("m ")).count() <= 1);
    }
    let of_m: Vec<_> =
        rig.seen().concat().into_iter().filter(|name| name.starts_with("m ")).collect();
    assert_eq!(of_m, ["m 1", "m two", "m 3"]);
}

#[tokio::test]
async fn one_that_is_refused_fails_nobody_else() {
    let rig = Rig::new();
    let done = rig.run(&["x", "a", "bad", "c"], SHORT).await;
    assert_eq!(done[..2], [Ok(1), Ok(1)]);
    assert_eq!(done[3], Ok(1));
    assert!(done[2].as_ref().unwrap_err().contains("refused"), "{done:?}");
}

#[tokio::test]
async fn of_what_nobody_knows_nothing_is_done_again() {
    let rig = Rig::new();
    let done = rig.run(&["x", "a", "gone", "z"], SHORT).await;
    let shared: Vec<_> =
        rig.seen().into_iter().filter(|statement| statement.contains(&"gone")).collect();
    assert_eq!(shared.len(), 1, "{shared:?}");
    for (name, done) in ["x", "a", "gone", "z"].iter().zip(&done) {
        assert_eq!(done.is_err(), shared[0].contains(name), "{name}: {done:?}");
    }
    let all = rig.seen().concat();
    assert_eq!(all.len(), 4, "{all:?}");
}

#[tokio::test]
async fn who_stopped_waiting_before_it_was_begun_has_it_not_done() {
    let rig = Rig::new();
    let work = |name| Named { name, seen: Arc::clone(&rig.seen), takes: SHORT };
    let first = tokio::spawn({
        let (lane, store, work) = (rig.lane.clone(), rig.store.clone(), work("first"));
        async move { lane.run(&store, work).await }
    });
    tokio::time::sleep(SHORT / 4).await;
    let gone = rig.lane.run(&rig.store, work("gone"));
    assert!(tokio::time::timeout(SHORT / 4, gone).await.is_err());
    assert_eq!(rig.lane.run(&rig.store, work("last")).await.unwrap(), 4);
    first.await.unwrap().unwrap();
    assert_eq!(rig.seen(), [["first"], ["last"]]);
}

#[tokio::test]
async fn a_slow_statement_is_not_waited_for() {
    let rig = Rig::new();
    let slow = tokio::spawn({
        let work = Named { name: "slow", seen: Arc::clone(&rig.seen), takes: 5 * SLOW };
        let (lane, store) = (rig.lane.clone(), rig.store.clone());
        async move { lane.run(&store, work).await }
    });
    tokio::time::sleep(2 * SLOW).await;
    let begun = Instant::now();
    assert_eq!(rig.run(&["quick"], SHORT).await, [Ok(5)]);
    assert!(begun.elapsed() < 2 * SHORT, "{:?}", begun.elapsed());
    assert_eq!(slow.await.unwrap().unwrap(), 4);
}

#[test]
fn where_many_come_a_statement_waits_for_more_and_where_few_come_none_does() {
    let start = Instant::now();
    let mut queue = Queue::<Named> {
        waiting: VecDeque::new(),
        running: 0,
        began: Some(start),
        rate: Rate { since: start, count: 0, before: 0 },
        number: 0,
    };
    let mut rests = Vec::new();
    // 200 a second for a second, then 50 a second, then one long after.
    let come = (0..200).map(|n| n * 5).chain((0..40).map(|n| 1_000 + n * 20)).chain([9_000]);
    for ms in come.map(Duration::from_millis) {
        let now = start + ms;
        queue.rate.one_more(now);
        queue.began = Some(now);
        rests.push(!queue.rest(now).is_zero());
    }
    assert!(rests[..BUSY as usize - 1].iter().all(|rest| !rest), "too few yet");
    assert!(rests[BUSY as usize..200].iter().all(|rest| *rest));
    assert!(rests[220..].iter().all(|rest| !rest));
    // No longer than a statement begins after the one before.
    queue.rate = Rate { since: start, count: BUSY, before: 0 };
    queue.began = Some(start);
    let rests = [0, 30, 40, 50].map(|ms| queue.rest(start + Duration::from_millis(ms)).as_millis());
    assert_eq!(rests, [40, 10, 0, 0]);
}

#[tokio::test]
async fn who_comes_just_after_a_slow_statement_began_waits_for_it_no_longer_than_the_next() {
    let rig = Rig::new();
    let slow = tokio::spawn({
        let work = Named { name: "slow", seen: Arc::clone(&rig.seen), takes: 10 * SLOW };
        let (lane, store) = (rig.lane.clone(), rig.store.clone());
        async move { lane.run(&store, work).await }
    });
    tokio::time::sleep(SLOW / 4).await;
    assert_eq!(rig.run(&["quick"], SHORT).await, [Ok(5)]);
    assert!(!slow.is_finished());
    slow.abort();
}

#[tokio::test]
async fn what_could_not_be_begun_in_time_is_not_begun() {
    let rig = Rig::new();
    let takes = BEGUN + 20 * SLOW;
    for name in ["one", "two", "three"] {
        let work = Named { name, seen: Arc::clone(&rig.seen), takes };
        let (lane, store) = (rig.lane.clone(), rig.store.clone());
        tokio::spawn(async move { lane.run(&store, work).await });
        tokio::time::sleep(2 * SLOW).await;
    }
    let work = Named { name: "late", seen: Arc::clone(&rig.seen), takes: SHORT };
    let late = rig.lane.run(&rig.store, work).await;
    assert!(matches!(late, Err(StoreError::Busy)), "{late:?}");
    tokio::time::sleep(takes).await;
    assert!(!rig.seen().concat().contains(&"late"));
}
