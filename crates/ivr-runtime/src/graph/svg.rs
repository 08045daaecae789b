//! SVG, drawn without another program.

use std::fmt::Write as _;

use super::{
    Drawing, Edge, NodeKind,
    layout::{Layout, Place, layout},
};

/// How far an arrow to a box of the same layer goes down.
const BOW: f64 = 60.0;
const STYLE: &str = "text{font:13px sans-serif;text-anchor:middle;fill:#222}\
    .name{font-weight:bold}.label{font-size:11px;paint-order:stroke;stroke:#fff;stroke-width:4px}\
    rect{stroke:#555}path{fill:none;stroke:#777}.failure{stroke-dasharray:5 4}\
    .asks{fill:#fff3d6}.step{fill:#eef2f7}.target{fill:#dff3e3}.end{fill:#f6dfdf}";

/// A picture that stands alone; every arrow has its label on it.
pub fn svg(drawing: &Drawing) -> String {
    let layout = layout(drawing);
    let (width, height) = (layout.width, layout.height);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" \
         refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8z\" style=\"fill:#777\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" style=\"fill:#fff;stroke:none\"/>\n\
         <text class=\"name\" x=\"{middle:.0}\" y=\"24\">{title}</text>\n",
        title = escaped(&drawing.title),
        middle = width / 2.0,
    );
    let mut labels = Labels::beside(&layout);
    for edge in &drawing.edges {
        let curve = curve(edge, drawing, &layout);
        arrow(edge, curve, &mut text);
        labels.add(&edge.label, curve);
    }
    for (node, place) in drawing.nodes.iter().zip(&layout.places) {
        let class = match node.kind {
            NodeKind::Asks => "asks",
            NodeKind::Step => "step",
            NodeKind::Target => "target",
            NodeKind::End => "end",
        };
        let round = if class == "target" { place.height / 2.0 } else { 4.0 };
        let (left, top) = (place.x - place.width / 2.0, place.y - place.height / 2.0);
        let _ = writeln!(
            text,
            "<rect class=\"{class}\" x=\"{left:.0}\" y=\"{top:.0}\" width=\"{:.0}\" \
             height=\"{:.0}\" rx=\"{round:.0}\"/>",
            place.width, place.height
        );
        let mut y = top + 18.0;
        for (n, line) in node.lines.iter().enumerate() {
            let class = if n == 0 { " class=\"name\"" } else { "" };
            let _ = writeln!(
                text,
                "<text{class} x=\"{:.0}\" y=\"{y:.0}\">{}</text>",
                place.x,
                escaped(line)
            );
            y += 16.0;
        }
    }
    // Labels come last, so that no arrow crosses them out.
    text + &labels.text + "</svg>\n"
}

fn arrow(edge: &Edge, [a, b, c, d]: Curve, text: &mut String) {
    let class = if edge.is_failure { " class=\"failure\"" } else { "" };
    let _ = writeln!(
        text,
        "<path{class} marker-end=\"url(#arrow)\" d=\"M{:.0} {:.0}C{:.0} {:.0} {:.0} {:.0} {:.0} {:.0}\"/>",
        a.0, a.1, b.0, b.1, c.0, c.1, d.0, d.1
    );
}

type Point = (f64, f64);
/// A cubic Bézier curve.
type Curve = [Point; 4];
/// Left, top, right, bottom.
type Area = [f64; 4];

/// Where labels stand on their arrows: nearer to the beginning, and on nothing else if they can.
struct Labels {
    text: String,
    taken: Vec<Area>,
}

impl Labels {
    fn beside(layout: &Layout) -> Self {
        let area = |place: &Place| {
            let (x, y) = (place.width / 2.0, place.height / 2.0);
            [place.x - x, place.y - y, place.x + x, place.y + y]
        };
        Self { text: String::new(), taken: layout.places.iter().map(area).collect() }
    }

    fn add(&mut self, label: &str, curve: Curve) {
        if label.is_empty() {
            return;
        }
        let half = f64::from(u16::try_from(label.chars().count()).unwrap_or(u16::MAX)) * 3.2;
        let area = |(x, y): Point| [x - half, y - 11.0, x + half, y + 3.0];
        let is_free = |at: &Point| !self.taken.iter().any(|taken| overlap(*taken, area(*at)));
        let tries = [0.3, 0.4, 0.5, 0.2, 0.6, 0.7, 0.8].map(|t| point(curve, t));
        let (x, y) = tries.into_iter().find(is_free).unwrap_or(tries[0]);
        self.taken.push(area((x, y)));
        let label = escaped(label);
        let _ =
            writeln!(self.text, "<text class=\"label\" x=\"{x:.0}\" y=\"{y:.0}\">{label}</text>");
    }
}

fn overlap(a: Area, b: Area) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

fn point([a, b, c, d]: Curve, t: f64) -> Point {
    let s = 1.0 - t;
    let at = |a: f64, b: f64, c: f64, d: f64| {
        s * s * s * a + 3.0 * s * s * t * b + 3.0 * s * t * t * c + t * t * t * d
    };
    (at(a.0, b.0, c.0, d.0), at(a.1, b.1, c.1, d.1))
}

/// Down from the bottom of one box to the top of another, its ways out side by side; to one beside
/// it in a bow below, and back in a bow along the right.
fn curve(edge: &Edge, drawing: &Drawing, layout: &Layout) -> Curve {
    let (from, to) = (layout.places[edge.from], layout.places[edge.to]);
    let spread = |at: usize, all: Vec<usize>, width: f64| {
        let nth = all.iter().position(|other| *other == at).unwrap_or(0);
        let (nth, count) = (u16::try_from(nth).unwrap_or(0), u16::try_from(all.len()).unwrap_or(1));
        width * 0.8 * ((f64::from(nth) + 0.5) / f64::from(count.max(1)) - 0.5)
    };
    let x_of = |node: usize| layout.places[node].x;
    let down = |edge: &Edge| layout.layer[edge.from] < layout.layer[edge.to];
    if down(edge) {
        let mut out: Vec<usize> = drawing
            .edges
            .iter()
            .filter(|other| other.from == edge.from && down(other))
            .map(|other| other.to)
            .collect();
        out.sort_by(|a, b| x_of(*a).total_cmp(&x_of(*b)).then(a.cmp(b)));
        let mut into: Vec<usize> = drawing
            .edges
            .iter()
            .filter(|other| other.to == edge.to && down(other))
            .map(|other| other.from)
            .collect();
        into.sort_by(|a, b| x_of(*a).total_cmp(&x_of(*b)).then(a.cmp(b)));
        let a = (from.x + spread(edge.to, out, from.width), from.y + from.height / 2.0);
        let d = (to.x + spread(edge.from, into, to.width), to.y - to.height / 2.0);
        let bend = (d.1 - a.1) / 2.0;
        return [a, (a.0, a.1 + bend), (d.0, d.1 - bend), d];
    }
    if layout.layer[edge.from] == layout.layer[edge.to] && edge.from != edge.to {
        // Below the boxes between.
        let towards = (to.x - from.x).signum();
        let a = (from.x + towards * from.width * 0.3, from.y + from.height / 2.0);
        let d = (to.x - towards * to.width * 0.3, to.y + to.height / 2.0);
        return [a, (a.0, a.1 + BOW), (d.0, d.1 + BOW), d];
    }
    let a = (from.x + from.width / 2.0, from.y);
    let d = (to.x + to.width / 2.0, to.y);
    let apart = (a.1 - d.1).abs() / 4.0 + 36.0;
    let right = a.0.max(d.0) + apart.min(150.0);
    if edge.from == edge.to {
        return [a, (right, a.1 - 24.0), (right, a.1 + 24.0), (d.0, d.1 + 8.0)];
    }
    [a, (right, a.1), (right, d.1), d]
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
