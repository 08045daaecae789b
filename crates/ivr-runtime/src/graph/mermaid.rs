//! Mermaid flowcharts.

use std::fmt::Write as _;

use super::{Drawing, NodeKind};

/// A `flowchart` for Markdown pages.
pub fn mermaid(drawing: &Drawing) -> String {
    let mut text = format!("---\ntitle: \"{}\"\n---\nflowchart TD\n", escaped(&drawing.title));
    for (at, node) in drawing.nodes.iter().enumerate() {
        let lines: Vec<String> = node.lines.iter().map(|line| escaped(line)).collect();
        let label = lines.join("<br/>");
        let (open, close) = match node.kind {
            NodeKind::Asks => ("{{", "}}"),
            NodeKind::Step => ("[", "]"),
            NodeKind::Target => ("([", "])"),
            NodeKind::End => ("((", "))"),
        };
        let _ = writeln!(text, "    n{at}{open}\"{label}\"{close}");
    }
    for edge in &drawing.edges {
        let arrow = if edge.is_failure { "-.->" } else { "-->" };
        let label = match edge.label.as_str() {
            "" => String::new(),
            label => format!("|\"{}\"|", escaped(label)),
        };
        let _ = writeln!(text, "    n{} {arrow}{label} n{}", edge.from, edge.to);
    }
    text
}

/// Mermaid takes HTML entities, with `#` for `&`.
fn escaped(text: &str) -> String {
    text.replace('#', "#35;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;")
}
