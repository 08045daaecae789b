//! Where the boxes of a drawing stand: in layers by their distance from the start, and in each
//! layer near to those that lead to them.

use super::Drawing;

const CHAR_WIDTH: f64 = 7.5;
const LINE_HEIGHT: f64 = 16.0;
const PADDING: f64 = 12.0;
/// Between boxes of a layer.
const GAP: f64 = 64.0;
/// Between layers: room for arrows and their labels.
const LAYER_GAP: f64 = 104.0;
const MARGIN: f64 = 24.0;
/// Rounds of putting each layer in order by the one before.
const ROUNDS: usize = 4;

/// A box: its middle and size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// The boxes, and the size of the whole.
pub(super) struct Layout {
    pub places: Vec<Place>,
    /// The layer of each box.
    pub layer: Vec<usize>,
    pub width: f64,
    pub height: f64,
}

/// Lays out a drawing.
pub(super) fn layout(drawing: &Drawing) -> Layout {
    let layer = layers(drawing);
    let count = layer.iter().max().map_or(0, |last| last + 1);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (node, layer) in layer.iter().enumerate() {
        rows[*layer].push(node);
    }
    let sizes: Vec<(f64, f64)> = drawing.nodes.iter().map(|node| size(&node.lines)).collect();
    let row_width = |row: &[usize]| row.iter().map(|node| sizes[*node].0 + GAP).sum::<f64>() - GAP;
    let width = rows.iter().map(|row| row_width(row)).fold(0.0, f64::max);
    let mut x = vec![0.0; drawing.nodes.len()];
    let place_row = |row: &[usize], x: &mut [f64]| {
        let mut left = MARGIN + (width - row_width(row)) / 2.0;
        for node in row {
            x[*node] = left + sizes[*node].0 / 2.0;
            left += sizes[*node].0 + GAP;
        }
    };
    rows.iter().for_each(|row| place_row(row, &mut x));
    for _ in 0..ROUNDS {
        for row in &mut rows {
            let wish: Vec<(f64, usize)> =
                row.iter().map(|node| (wish(drawing, &layer, &x, *node), *node)).collect();
            let mut wish = wish;
            wish.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            *row = wish.into_iter().map(|(_, node)| node).collect();
            place_row(row, &mut x);
        }
    }
    let mut places = vec![Place { x: 0.0, y: 0.0, width: 0.0, height: 0.0 }; drawing.nodes.len()];
    let mut top = MARGIN + LINE_HEIGHT + PADDING;
    for row in &rows {
        let height = row.iter().map(|node| sizes[*node].1).fold(0.0, f64::max);
        for node in row {
            let (width, own) = sizes[*node];
            places[*node] = Place { x: x[*node], y: top + height / 2.0, width, height: own };
        }
        top += height + LAYER_GAP;
    }
    // Ways back go along the right side.
    let lane = 80.0;
    Layout { places, layer, width: width + 2.0 * MARGIN + lane, height: top - LAYER_GAP + MARGIN }
}

fn size(lines: &[String]) -> (f64, f64) {
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let longest = u16::try_from(longest).unwrap_or(u16::MAX);
    let lines = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    (f64::from(longest) * CHAR_WIDTH + 2.0 * PADDING, f64::from(lines) * LINE_HEIGHT + PADDING)
}

/// Steps from the first box; the ends stand below everything that leads to them.
fn layers(drawing: &Drawing) -> Vec<usize> {
    let mut layer: Vec<Option<usize>> = vec![None; drawing.nodes.len()];
    let mut open = Vec::new();
    for start in 0..drawing.nodes.len() {
        // Boxes that nothing leads to start anew.
        if layer[start].is_some() {
            continue;
        }
        layer[start] = Some(0);
        open.push(start);
        let mut next = open.len() - 1;
        while let Some(at) = open.get(next).copied() {
            next += 1;
            for edge in drawing.edges.iter().filter(|edge| edge.from == at) {
                if layer[edge.to].is_none() {
                    layer[edge.to] = layer[at].map(|layer| layer + 1);
                    open.push(edge.to);
                }
            }
        }
    }
    let mut layer: Vec<usize> = layer.into_iter().map(Option::unwrap_or_default).collect();
    let ends = |at: &usize| !drawing.edges.iter().any(|edge| edge.from == *at);
    for at in (0..layer.len()).filter(ends) {
        let before = drawing.edges.iter().filter(|edge| edge.to == at).map(|edge| layer[edge.from]);
        layer[at] = before.max().map_or(layer[at], |last| last + 1);
    }
    layer
}

/// Below the middle of those in layers above that lead to it; else where it stands.
fn wish(drawing: &Drawing, layer: &[usize], x: &[f64], node: usize) -> f64 {
    let from: Vec<f64> = drawing
        .edges
        .iter()
        .filter(|edge| edge.to == node && layer[edge.from] < layer[node])
        .map(|edge| x[edge.from])
        .collect();
    let count = u16::try_from(from.len()).unwrap_or(u16::MAX);
    if count == 0 { x[node] } else { from.iter().sum::<f64>() / f64::from(count) }
}
