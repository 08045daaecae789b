//! DOT, the language of Graphviz.

use std::fmt::Write as _;

use super::{Drawing, NodeKind};

/// A `digraph`.
pub fn dot(drawing: &Drawing) -> String {
    let mut text = format!("digraph {} {{\n    rankdir=TB;\n", quoted(&drawing.title));
    text.push_str("    node [fontname=\"sans-serif\"];\n    edge [fontname=\"sans-serif\"];\n");
    for (at, node) in drawing.nodes.iter().enumerate() {
        let shape = match node.kind {
            NodeKind::Asks => "hexagon",
            NodeKind::Step => "box",
            NodeKind::Target => "ellipse",
            NodeKind::End => "circle",
        };
        let label = quoted(&node.lines.join("\n"));
        let _ = writeln!(text, "    n{at} [shape={shape}, label={label}];");
    }
    for edge in &drawing.edges {
        let style = if edge.is_failure { ", style=dashed" } else { "" };
        let label = quoted(&edge.label);
        let _ = writeln!(text, "    n{} -> n{} [label={label}{style}];", edge.from, edge.to);
    }
    text.push_str("}\n");
    text
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}
