//! A statement for many rows: what crosses to the database is few statements, not many rows.

use std::{fmt::Write as _, sync::OnceLock};

use sqlx::AnyConnection;

use super::{
    StoreError,
    together::{Value, bind, text},
};

/// Rows of one statement: few sizes, so that prepared statements are found again.
pub(super) const SIZES: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

/// A statement for many rows: text, the rows' values, text.
#[derive(Debug)]
pub(super) struct Bulk {
    before: &'static str,
    /// One row; each `?` is a value.
    row: &'static str,
    after: &'static str,
    /// The whole, by size.
    texts: [OnceLock<String>; SIZES.len()],
}

/// The values of one statement whose rows are arrays, a column each: its text is the same for any
/// number of rows. Only PostgreSQL knows such.
#[derive(Debug, Default)]
pub(super) struct Arrays(Vec<Value>);

impl Bulk {
    pub const fn new(before: &'static str, row: &'static str, after: &'static str) -> Self {
        Self { before, row, after, texts: [const { OnceLock::new() }; SIZES.len()] }
    }

    /// For one row.
    pub fn one(&'static self) -> &'static str {
        self.texts[SIZES.len() - 1].get_or_init(|| self.text(1))
    }

    /// For an insert of all these rows, as arrays.
    pub fn of_arrays(&self, arrays: &mut Arrays, rows: &[&[Value]]) -> String {
        let table = arrays.table(rows);
        let insert = self.before.trim_end_matches("VALUES ");
        format!("{insert}SELECT * FROM {table}{}", self.after)
    }

    pub async fn write(
        &'static self,
        conn: &mut AnyConnection,
        mut rows: Vec<Vec<Value>>,
    ) -> Result<(), StoreError> {
        let mut rows = rows.drain(..);
        for (size, text) in SIZES.into_iter().zip(&self.texts) {
            while rows.len() >= size {
                let sql: &'static str = text.get_or_init(|| self.text(size));
                let mut query = sqlx::query(sql);
                for value in rows.by_ref().take(size).flatten() {
                    query = bind(query, value);
                }
                query.execute(&mut *conn).await?;
            }
        }
        Ok(())
    }

    fn text(&self, rows: usize) -> String {
        let mut text = self.before.to_owned();
        let mut value = 0;
        for row in 0..rows {
            text.push_str(if row == 0 { "" } else { "," });
            for part in self.row.split_inclusive('?') {
                let end = part.strip_suffix('?');
                text.push_str(end.unwrap_or(part));
                if end.is_some() {
                    value += 1;
                    text.push_str(&format!("${value}"));
                }
            }
        }
        text.push_str(self.after);
        text
    }
}

impl Arrays {
    /// The rows as a table to select from, `u` with the columns `c1`, `c2`, …
    pub fn table(&mut self, rows: &[&[Value]]) -> String {
        let columns = rows.first().map_or(0, |row| row.len());
        let (mut arrays, mut names) = (String::new(), String::new());
        for column in 0..columns {
            let comma = if column == 0 { "" } else { ", " };
            let (array, kind) = array(rows, column);
            self.0.push(text(array));
            let _ = write!(arrays, "{comma}CAST(${} AS {kind}[])", self.0.len());
            let _ = write!(names, "{comma}c{}", column + 1);
        }
        format!("unnest({arrays}) AS u ({names})")
    }

    /// In the order of the parameters.
    pub fn values(self) -> Vec<Value> {
        self.0
    }
}

/// A column as PostgreSQL writes arrays, and the type of its values.
fn array(rows: &[&[Value]], column: usize) -> (String, &'static str) {
    let mut kind = "BIGINT";
    let mut array = String::with_capacity(2 + 24 * rows.len());
    for (n, row) in rows.iter().enumerate() {
        array.push(if n == 0 { '{' } else { ',' });
        match &row[column] {
            Value::Number(Some(number)) => {
                let _ = write!(array, "{number}");
            }
            Value::Number(None) => array.push_str("NULL"),
            Value::Text(value) => {
                kind = "TEXT";
                match value {
                    None => array.push_str("NULL"),
                    Some(value) => quoted(value, &mut array),
                }
            }
        }
    }
    array.push('}');
    (array, kind)
}

fn quoted(value: &str, array: &mut String) {
    array.push('"');
    for part in value.split_inclusive(['"', '\\']) {
        match part.strip_suffix(['"', '\\']) {
            None => array.push_str(part),
            Some(before) => {
                array.push_str(before);
                array.push('\\');
                array.push_str(&part[before.len()..]);
            }
        }
    }
    array.push('"');
}
