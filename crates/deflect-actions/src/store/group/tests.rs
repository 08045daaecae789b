//! Who writes with others, who fails, and who goes away.

use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use tokio::task::JoinSet;

use super::*;

/// A table of numbers, each once, in a file of its own.
async fn numbers() -> (tempfile::TempDir, AnyPool) {
    sqlx::any::install_default_drivers();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("db").display());
    let pool = AnyPoolOptions::new().max_connections(4).connect(&url).await.unwrap();
    for sql in ["PRAGMA journal_mode = WAL", "CREATE TABLE n (n BIGINT PRIMARY KEY)"] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    (folder, pool)
}

async fn insert(conn: &mut AnyConnection, n: i64) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO n (n) VALUES ($1)").bind(n).execute(conn).await?;
    Ok(())
}

async fn all(pool: &AnyPool) -> Vec<i64> {
    sqlx::query_scalar("SELECT n FROM n ORDER BY n").fetch_all(pool).await.unwrap()
}

#[tokio::test]
async fn who_fails_takes_back_his_own_only() {
    let (_folder, pool) = numbers().await;
    let group = Group::default();
    let mut writers = JoinSet::new();
    for n in 0..200 {
        let (group, pool) = (group.clone(), pool.clone());
        writers.spawn(async move {
            let unit = if n % 2 == 0 { Unit::Transaction } else { Unit::Statement };
            let done = group.write(&pool, unit, async |conn| {
                if n % 10 == 4 {
                    insert(conn, 1_000 + n).await?;
                    insert(conn, 1_000 + n).await?;
                }
                insert(conn, n).await?;
                if n % 10 == 5 { insert(conn, n).await } else { Ok(()) }
            });
            let done = done.await;
            // Told that it is done, others see it.
            let seen = all(&pool).await.contains(&n);
            assert_eq!(done.is_ok(), !matches!(n % 10, 4 | 5), "{n}: {done:?}");
            assert!(seen || done.is_err(), "{n} is told before it is committed");
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    // Statements are committed one by one: of two, the first stays.
    let expected: Vec<i64> = (0..200).filter(|n| n % 10 != 4).collect();
    assert_eq!(all(&pool).await, expected);
}

#[tokio::test]
async fn who_goes_away_half_done_leaves_nothing_behind() {
    let (_folder, pool) = numbers().await;
    let group = Group::default();
    let gone = group.write(&pool, Unit::Transaction, async |conn| {
        insert(conn, 1).await?;
        std::future::pending::<()>().await;
        Ok(())
    });
    tokio::time::timeout(Duration::from_millis(100), gone).await.unwrap_err();
    group.write(&pool, Unit::Transaction, async |conn| insert(conn, 2).await).await.unwrap();
    assert_eq!(all(&pool).await, [2]);
}

/// Polls `work` for so many turns of 5 ms, then drops it.
async fn gone_after(turns: u32, work: impl Future) {
    let mut work = std::pin::pin!(work);
    for _ in 0..turns {
        let turn = tokio::time::timeout(Duration::ZERO, &mut work).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        if turn.is_ok() {
            return;
        }
    }
}

#[tokio::test]
async fn who_goes_away_at_whatever_moment_harms_nobody() {
    let (_folder, pool) = numbers().await;
    let group = Group::default();
    let mut expected = Vec::new();
    for (n, unit) in [Unit::Transaction, Unit::Together, Unit::Executed, Unit::Long]
        .into_iter()
        .cycle()
        .take(48)
        .enumerate()
    {
        let (n, turns) = (n as i64, n as u32 / 4);
        let one = async |conn: &mut AnyConnection| {
            let sql = match unit {
                Unit::Together => "SAVEPOINT one; INSERT INTO n (n) VALUES ($1); RELEASE one",
                _ => "INSERT INTO n (n) VALUES ($1)",
            };
            sqlx::query(sql).bind(1_000 + n).execute(conn).await?;
            Ok(())
        };
        let before = group.write(&pool, Unit::Statement, async |conn| insert(conn, n).await);
        let gone = gone_after(turns, group.write(&pool, unit, one));
        let after = group.write(&pool, Unit::Transaction, async |conn| insert(conn, 100 + n).await);
        let (before, (), after) = tokio::join!(before, gone, after);
        before.unwrap_or_else(|error| panic!("{n} {unit:?}: {error}"));
        after.unwrap_or_else(|error| panic!("{n} {unit:?}: {error}"));
        expected.extend([n, 100 + n]);
        group.write(&pool, Unit::Executed, async |conn| insert(conn, 200 + n).await).await.unwrap();
        expected.push(200 + n);
    }
    expected.sort_unstable();
    let written = all(&pool).await;
    assert_eq!(written.iter().copied().filter(|n| *n < 1_000).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn who_goes_away_while_another_program_holds_the_file_leaves_no_transaction_open() {
    let (_folder, pool) = numbers().await;
    let group = Group::default();
    let mut other = pool.acquire().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *other).await.unwrap();
    for unit in [Unit::Transaction, Unit::Together, Unit::Long, Unit::Statement] {
        let waits = group.write(&pool, unit, async |conn| insert(conn, 1).await);
        tokio::time::timeout(Duration::from_millis(50), waits).await.unwrap_err();
    }
    sqlx::query("ROLLBACK").execute(&mut *other).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    for n in 2..6 {
        group.write(&pool, Unit::Transaction, async |conn| insert(conn, n).await).await.unwrap();
        sqlx::query("DELETE FROM n WHERE n < 0").execute(&pool).await.unwrap();
    }
    assert_eq!(all(&pool).await.into_iter().filter(|n| *n > 1).collect::<Vec<_>>(), [2, 3, 4, 5]);
}

#[tokio::test]
async fn nobody_waits_for_the_commit_of_what_takes_long() {
    let (_folder, pool) = numbers().await;
    let group = Group::default();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let first = group.write(&pool, Unit::Transaction, async |conn| insert(conn, 1).await);
    let long = group.write(&pool, Unit::Long, async |conn| {
        ended.await.unwrap();
        insert(conn, 2).await
    });
    // It is told before what takes long has ended.
    let first = async {
        first.await.unwrap();
        end.send(()).unwrap();
    };
    let ((), long) = tokio::join!(first, long);
    long.unwrap();
    assert_eq!(all(&pool).await, [1, 2]);
}

#[tokio::test]
async fn who_has_no_turn_is_told_that_nothing_was_begun() {
    let (_folder, pool) = numbers().await;
    let group = Group::default();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let long = group.write(&pool, Unit::Long, async |_| {
        ended.await.unwrap();
        Ok(())
    });
    let waits = async {
        let none = group.write(&pool, Unit::Statement, async |conn| insert(conn, 1).await);
        let none = none.await;
        assert!(matches!(none, Err(StoreError::Busy)), "{none:?}");
        end.send(()).unwrap();
    };
    let (long, ()) = tokio::join!(long, waits);
    long.unwrap();
    assert_eq!(all(&pool).await, [] as [i64; 0]);
}

#[tokio::test]
async fn a_transaction_that_the_database_gives_up_is_told_to_all_in_it() {
    let (_folder, pool) = numbers().await;
    let group = Group::default();
    for unit in [Unit::Transaction, Unit::Statement] {
        let first = group.write(&pool, unit, async |conn| insert(conn, 1).await);
        let second = group.write(&pool, unit, async |conn| {
            // As an error of the disk does.
            sqlx::query("ROLLBACK").execute(&mut *conn).await?;
            Err::<(), _>(sqlx::Error::RowNotFound.into())
        });
        let (first, second) = tokio::join!(first, second);
        assert!(matches!(first, Err(StoreError::Commit(_))), "{unit:?}: {first:?}");
        assert!(matches!(second, Err(StoreError::Commit(_))), "{unit:?}: {second:?}");
        assert_eq!(all(&pool).await, [] as [i64; 0]);
    }
    group.write(&pool, Unit::Statement, async |conn| insert(conn, 3).await).await.unwrap();
    assert_eq!(all(&pool).await, [3]);
}
