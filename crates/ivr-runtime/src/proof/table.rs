//! A proof as a table.

use std::fmt;

use super::{Proof, Reach, Row};

const HEAD: [&str; 6] = ["step", "kind", "person", "most keys", "longest", "longest in silence"];

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 6]> = self.rows.iter().map(cells).collect();
        let head = HEAD.map(str::to_owned);
        let widths: [usize; 6] = std::array::from_fn(|column| {
            let all = rows.iter().chain([&head]).map(|row| row[column].chars().count());
            all.max().unwrap_or(0)
        });
        for row in [&head].into_iter().chain(&rows) {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                let gap = " ".repeat(width - cell.chars().count());
                // Words stand left, figures right.
                line +=
                    &if column < 3 { format!("{cell}{gap}  ") } else { format!("{gap}{cell}  ") };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        match self.traps.as_slice() {
            [] => writeln!(f, "{} states searched: no caller is trapped", self.states),
            traps => {
                for trap in traps {
                    writeln!(f, "trapped: {}", trap.path)?;
                }
                writeln!(f, "{} states searched", self.states)
            }
        }
    }
}

fn cells(row: &Row) -> [String; 6] {
    let none = || "–".to_owned();
    let person = match row.reach {
        None => "not reached",
        Some(Reach::Person) => "yes",
        Some(Reach::Later) => "later",
        Some(Reach::Apology) => "if one is there",
        Some(Reach::ByLeave) => "fallback = false",
        Some(Reach::Nobody | Reach::Elsewhere) if row.asks => "NO",
        Some(Reach::Elsewhere) => "elsewhere",
        // The caller has what was asked for, or chose to go.
        Some(Reach::Nobody) => "ends",
    };
    let bound = if row.is_bound { "≤ " } else { "" };
    [
        row.step.clone(),
        row.kind.to_owned(),
        person.to_owned(),
        if row.best_ms.is_some() { row.keys.to_string() } else { none() },
        row.best_ms.map_or_else(none, minutes),
        format!("{bound}{}", minutes(row.silent_ms)),
    ]
}

/// `m:ss`, rounded up.
fn minutes(ms: u64) -> String {
    let seconds = ms.div_ceil(1_000);
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
