//! A flow as a drawing: Mermaid, DOT, and SVG with a layout of our own.

mod dot;
mod layout;
mod mermaid;
mod svg;
mod ways;

pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::svg;
pub(crate) use ways::exits;

use std::collections::BTreeMap;

use crate::flow::model::{Flow, Go, StepId, TargetId};

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// Name of the flow.
    pub title: String,
    /// The first step, then the others in file order, the targets that something leads to, and
    /// the end where there is one.
    pub nodes: Vec<Node>,
    /// One for each pair of nodes with a way between them.
    pub edges: Vec<Edge>,
}

/// A box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it stands for.
    pub kind: NodeKind,
    /// Its lines, the name first.
    pub lines: Vec<String>,
}

/// What a box stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// A step that asks the caller.
    Asks,
    /// Any other step.
    Step,
    /// Where the call rings.
    Target,
    /// `hangup`.
    End,
}

/// An arrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Index of a node.
    pub from: usize,
    /// Index of a node.
    pub to: usize,
    /// Keys and other reasons, by comma; may be empty.
    pub label: String,
    /// It is taken in failures only.
    pub is_failure: bool,
}

/// How often a step was entered, and left by hanging up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Visits {
    /// Visits.
    pub visits: u64,
    /// Those that ended with the caller hanging up.
    pub hang_ups: u64,
}

/// Draws a flow; `visits` by the names of steps are laid over it.
pub fn draw(flow: &Flow, visits: &BTreeMap<String, Visits>) -> Drawing {
    let ways = ways::ways(flow);
    let start = Go::Step(flow.start);
    let mut places = vec![start];
    let steps = (0..flow.steps.len()).filter_map(|at| u16::try_from(at).ok());
    places.extend(steps.map(|at| Go::Step(StepId(at))).filter(|at| *at != start));
    let targets = (0..flow.targets.len()).filter_map(|at| u16::try_from(at).ok());
    let ends = targets.map(|at| Go::Target(TargetId(at))).chain([Go::HangUp]);
    // Targets of the configuration that this flow does not know of are left out.
    places.extend(ends.filter(|at| ways.iter().any(|way| way.to == *at)));
    let index = |go: Go| places.iter().position(|place| *place == go);
    let mut edges: Vec<Edge> = Vec::new();
    for way in &ways {
        let (Some(from), Some(to)) = (index(way.from), index(way.to)) else { continue };
        match edges.iter_mut().find(|edge| (edge.from, edge.to) == (from, to)) {
            Some(edge) => {
                if !way.label.is_empty() {
                    let comma = if edge.label.is_empty() { "" } else { ", " };
                    edge.label = format!("{}{comma}{}", edge.label, way.label);
                }
                edge.is_failure &= way.is_failure;
            }
            None => {
                let label = way.label.clone();
                edges.push(Edge { from, to, label, is_failure: way.is_failure });
            }
        }
    }
    let nodes = places.iter().map(|place| node(flow, *place, visits)).collect();
    Drawing { title: flow.name.clone(), nodes, edges }
}

fn node(flow: &Flow, place: Go, visits: &BTreeMap<String, Visits>) -> Node {
    match place {
        Go::Step(id) => {
            let Some(step) = flow.steps.get(usize::from(id.0)) else { return end() };
            let kind = crate::step::kind(&step.does);
            let asks = matches!(
                kind,
                "menu" | "answer" | "offer" | "collect" | "opt-out" | "voicemail" | "callback"
            );
            let mut lines = vec![step.name.clone(), kind.to_owned()];
            if let Some(Visits { visits, hang_ups }) = visits.get(&step.name) {
                let share = (100 * hang_ups).checked_div(*visits).unwrap_or(0);
                lines.push(format!("{visits} visits, {hang_ups} hang-ups ({share} %)"));
            }
            Node { kind: if asks { NodeKind::Asks } else { NodeKind::Step }, lines }
        }
        Go::Target(id) => {
            let Some(target) = flow.targets.get(usize::from(id.0)) else { return end() };
            let what = if id == flow.human { "human" } else { "target" };
            Node { kind: NodeKind::Target, lines: vec![target.name.clone(), what.to_owned()] }
        }
        Go::HangUp => end(),
    }
}

fn end() -> Node {
    Node { kind: NodeKind::End, lines: vec!["hangup".to_owned()] }
}
