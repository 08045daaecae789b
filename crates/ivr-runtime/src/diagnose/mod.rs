//! What is wrong with a file, where, and how to mend it.
//!
//! Readers note a [`Problem`] at its place in the text and read on, so that all of them are told
//! at once. [`findings`] turns them into [`Finding`]s with line and column; [`render`] prints one.

mod asked;
mod code;
mod fix;
mod mask;
mod nearest;
mod notes;
mod render;
mod table;

pub use asked::{Asked, Takes, What};
pub use code::{Code, Severity};
pub use fix::{Fix, mended};
pub use nearest::{nearest, surely, surely_one_of};
pub use notes::{Finding, Notes, Problem, Span, findings, tree};
pub use render::render;
pub use table::{Table, Text};

#[cfg(test)]
mod tests;
