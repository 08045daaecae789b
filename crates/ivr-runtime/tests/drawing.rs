//! Flows drawn: Mermaid, DOT and SVG.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;
mod full;

use std::collections::{BTreeMap, BTreeSet};

use common::{Sounds, shipped_shared};
use ivr_runtime::{
    flow::{load, model::Flow},
    graph::{Visits, dot, draw, mermaid, svg},
};

const MINIMAL: &str = include_str!("fixtures/minimal.toml");
const BIG: &str = include_str!("fixtures/big.toml");
const SHIPPED: &str = include_str!("../../../config/flows/main.toml");

#[test]
fn the_minimal_flow_is_drawn_for_markdown_and_for_graphviz() {
    let drawing = draw(&flow(MINIMAL), &BTreeMap::new());
    insta::assert_snapshot!("minimal_mermaid", mermaid(&drawing));
    insta::assert_snapshot!("minimal_dot", dot(&drawing));
}

#[test]
fn visits_and_hang_ups_are_laid_over_the_steps() {
    let visits = [("offer", 200, 14), ("menu", 90, 0)];
    let visits = visits.map(|(step, visits, hang_ups)| (step.into(), Visits { visits, hang_ups }));
    let drawing = draw(&flow(SHIPPED), &BTreeMap::from(visits));
    insta::assert_snapshot!("shipped_mermaid_with_visits", mermaid(&drawing));
    assert!(svg(&drawing).contains("200 visits, 14 hang-ups (7 %)"));
}

#[test]
fn a_picture_is_well_formed_and_shows_each_step_and_each_way() {
    for text in [MINIMAL, SHIPPED, BIG] {
        let flow = flow(&text.replace("name      = \"Sample line\"", "name = 'A & <\"B\">'"));
        let drawing = draw(&flow, &BTreeMap::new());
        let picture = svg(&drawing);
        well_formed(&picture);
        assert_eq!(picture, svg(&drawing), "the same each time");
        for step in &flow.steps {
            assert!(picture.contains(&format!(">{}</text>", step.name)), "{}", step.name);
        }
        assert_eq!(picture.matches("marker-end").count(), drawing.edges.len());
    }
}

#[test]
fn no_box_lies_on_another() {
    for text in [MINIMAL, SHIPPED, BIG] {
        let picture = svg(&draw(&flow(text), &BTreeMap::new()));
        let boxes: Vec<[f64; 4]> = picture
            .lines()
            .filter(|line| line.starts_with("<rect class="))
            .map(|line| ["x", "y", "width", "height"].map(|key| number(line, key)))
            .collect();
        assert!(boxes.len() > 3);
        for (n, a) in boxes.iter().enumerate() {
            for b in &boxes[n + 1..] {
                let apart = |at: usize| a[at] + a[at + 2] <= b[at] || b[at] + b[at + 2] <= a[at];
                assert!(apart(0) || apart(1), "{a:?} {b:?}");
            }
        }
    }
}

#[test]
fn no_label_of_the_shipped_flow_lies_on_another() {
    let picture = svg(&draw(&flow(SHIPPED), &BTreeMap::new()));
    let labels: Vec<(f64, f64, f64)> = picture
        .lines()
        .filter(|line| line.starts_with("<text class=\"label\""))
        .map(|line| {
            let (_, label) = line.split_once("\">").unwrap();
            let chars = label.split_once('<').unwrap().0.chars().count();
            (number(line, "x"), number(line, "y"), f64::from(u16::try_from(chars).unwrap()) * 3.0)
        })
        .collect();
    assert!(labels.len() > 15);
    for (n, a) in labels.iter().enumerate() {
        for b in &labels[n + 1..] {
            assert!((a.1 - b.1).abs() >= 12.0 || (a.0 - b.0).abs() >= a.2 + b.2, "{a:?} {b:?}");
        }
    }
}

fn number(line: &str, key: &str) -> f64 {
    let (_, rest) = line.split_once(&format!(" {key}=\"")).unwrap();
    rest.split_once('"').unwrap().0.parse().unwrap()
}

/// Every tag is closed in its order, every attribute quoted, nothing unescaped between.
fn well_formed(xml: &str) {
    let mut open = Vec::new();
    for part in xml.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or_else(|| panic!("{part}"));
        assert!(!text.contains('>'), "{part}");
        for entity in text.split('&').skip(1).chain(tag.split('&').skip(1)) {
            let name = entity.split_once(';').map(|(name, _)| name);
            assert!(name.is_some_and(|name| ["amp", "lt", "gt", "quot"].contains(&name)), "{part}");
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{part}"),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split_whitespace().next().unwrap()),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

fn flow(text: &str) -> Flow {
    load(text, "flow.toml", &shipped_shared(), &Sounds).flow.unwrap()
}

/// What the drawing says of the full flow, against all ways that stand in the flow itself.
#[test]
fn the_full_flow_is_drawn_with_every_step_and_every_way_in_each_form() {
    let checked = load(full::FLOW, "full.toml", &full::shared(), &Sounds);
    let flow = checked.flow.unwrap();
    let expected = ways_of(&flow);
    assert!(flow.steps.len() > 30 && expected.len() > 80, "{} ways", expected.len());
    let drawing = draw(&flow, &BTreeMap::new());
    let names = |of: &[String]| of.iter().cloned().collect::<BTreeSet<_>>();
    let steps = names(&flow.steps.iter().map(|step| step.name.clone()).collect::<Vec<_>>());

    let (nodes, edges) = read_mermaid(&mermaid(&drawing));
    assert!(steps.is_subset(&names(&nodes)), "{nodes:?}");
    let drawn: BTreeSet<Way> = edges.iter().map(|(way, _)| way.clone()).collect();
    assert_eq!(drawn, expected, "mermaid");
    // Every key that is written stands on its arrow.
    for (from, key, to) in keys_of(&flow) {
        let (_, label) = edges.iter().find(|(way, _)| *way == (from.clone(), to.clone())).unwrap();
        assert!(label.split(", ").any(|part| part == key), "{from} by {key} to {to}: {label}");
    }

    let (nodes, drawn) = read_dot(&dot(&drawing));
    assert!(steps.is_subset(&names(&nodes)), "{nodes:?}");
    assert_eq!(drawn, expected, "dot");

    let picture = svg(&drawing);
    well_formed(&picture);
    let (nodes, drawn) = read_svg(&picture);
    assert!(steps.is_subset(&names(&nodes)), "{nodes:?}");
    assert_eq!(drawn, expected, "svg");
}

/// From one step or target to another, by name.
type Way = (String, String);

/// Every place where the flow, as it is served, says "and then": whatever its key is called.
fn ways_of(flow: &Flow) -> BTreeSet<Way> {
    let mut ways = BTreeSet::new();
    for step in &flow.steps {
        let does = serde_json::to_value(&step.does).unwrap();
        gos(&does, &mut |go| {
            ways.insert((step.name.clone(), name_of(flow, go)));
        });
        // A target or a step of another form than what comes next.
        for kind in ["Wait", "Agent"] {
            for (key, as_go) in [("target", "Target"), ("offer", "Step")] {
                if let Some(at) = does[kind][key].as_u64() {
                    let go = serde_json::json!({ as_go: at });
                    ways.insert((step.name.clone(), name_of(flow, &go)));
                }
            }
        }
        if !does["Wait"].is_null() && does["Wait"]["then"].is_null() {
            ways.insert((step.name.clone(), human(flow)));
        }
        // Operator keys lead to a person wherever a key is asked for.
        let listens = [&does["Menu"]["press"], &does["Answer"]["menu"]["press"]];
        let listens = listens.into_iter().chain([&does["Offer"]["menu"]["press"]]);
        for press in listens.filter(|press| !press.is_null()) {
            if flow.operator_keys.iter().any(|key| press.get(key.to_string()).is_none()) {
                ways.insert((step.name.clone(), human(flow)));
            }
        }
    }
    for target in &flow.targets {
        for key in ["when_closed", "if_busy", "if_no_answer", "if_fails"] {
            let target_value = serde_json::to_value(target).unwrap();
            gos(&target_value[key], &mut |go| {
                ways.insert((target.name.clone(), name_of(flow, go)));
            });
        }
    }
    ways
}

/// What each written key of a menu, an offer or an answer leads to.
fn keys_of(flow: &Flow) -> Vec<(String, String, String)> {
    let mut keys = Vec::new();
    for step in &flow.steps {
        let Some(menu) = step.does.menu() else { continue };
        for (key, go) in &menu.press {
            let to = name_of(flow, &serde_json::to_value(go).unwrap());
            keys.push((step.name.clone(), key.to_string(), to));
        }
    }
    assert!(keys.len() > 30, "{keys:?}");
    keys
}

fn gos(value: &serde_json::Value, take: &mut dyn FnMut(&serde_json::Value)) {
    match value {
        serde_json::Value::String(word) if word == "HangUp" => take(value),
        serde_json::Value::Object(object) => {
            let is_go =
                |kind: &str| object.len() == 1 && object.get(kind).is_some_and(|at| at.is_u64());
            if is_go("Step") || is_go("Target") {
                return take(value);
            }
            object.values().for_each(|value| gos(value, take));
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| gos(value, take)),
        _ => {}
    }
}

fn name_of(flow: &Flow, go: &serde_json::Value) -> String {
    let at = |kind: &str| go[kind].as_u64().map(|at| usize::try_from(at).unwrap());
    match (at("Step"), at("Target")) {
        (Some(at), _) => flow.steps[at].name.clone(),
        (None, Some(at)) => flow.targets[at].name.clone(),
        (None, None) => "hangup".to_owned(),
    }
}

fn human(flow: &Flow) -> String {
    flow.targets[usize::from(flow.human.0)].name.clone()
}

/// Names of the boxes, and the arrows with their labels.
fn read_mermaid(text: &str) -> (Vec<String>, Vec<(Way, String)>) {
    let (mut nodes, mut edges): (Vec<String>, Vec<(Way, String)>) = (Vec::new(), Vec::new());
    let mut lines = text.lines().skip_while(|line| !line.starts_with("flowchart "));
    assert_eq!(lines.next(), Some("flowchart TD"));
    for line in lines {
        let line = line.trim();
        assert_eq!(line.matches('"').count() % 2, 0, "{line}");
        if let Some((from, rest)) = line.split_once("->") {
            let (label, to) = match rest.strip_prefix("|\"") {
                Some(rest) => rest.split_once("\"| ").unwrap(),
                None => ("", rest.trim()),
            };
            let from = from.trim().trim_end_matches(['-', '.']).trim();
            let name =
                |node: &str| -> String { nodes[node[1..].parse::<usize>().unwrap()].clone() };
            edges.push(((name(from), name(to)), label.to_owned()));
        } else {
            let (id, label) = line.split_once('"').unwrap();
            assert_eq!(id.trim_end_matches(['[', '{', '(']), format!("n{}", nodes.len()));
            let label = label.rsplit_once('"').unwrap().0;
            nodes.push(label.split("<br/>").next().unwrap().to_owned());
        }
    }
    (nodes, edges)
}

fn read_dot(text: &str) -> (Vec<String>, BTreeSet<Way>) {
    let body = text.split_once("{\n").unwrap().1.strip_suffix("}\n").unwrap();
    let (mut nodes, mut edges): (Vec<String>, _) = (Vec::new(), BTreeSet::new());
    for line in body.lines().map(str::trim).filter(|line| line.starts_with('n')) {
        assert!(line.ends_with("];") && line.matches('"').count() % 2 == 0, "{line}");
        let (what, attributes) = line.split_once(" [").unwrap();
        match what.split_once(" -> ") {
            Some((from, to)) => {
                let name = |node: &str| nodes[node[1..].parse::<usize>().unwrap()].clone();
                edges.insert((name(from), name(to)));
            }
            None if what == "node" => {}
            None => {
                assert_eq!(what, format!("n{}", nodes.len()), "{line}");
                let label = attributes.split_once("label=\"").unwrap().1;
                nodes.push(label.split(['"', '\\']).next().unwrap().to_owned());
            }
        }
    }
    (nodes, edges)
}

/// Arrows lead from the box that they begin at to the one that they end at.
fn read_svg(picture: &str) -> (Vec<String>, BTreeSet<Way>) {
    let mut boxes: Vec<([f64; 4], String)> = Vec::new();
    let mut arrows = Vec::new();
    for line in picture.lines() {
        if line.starts_with("<rect class=") {
            let [x, y, w, h] = ["x", "y", "width", "height"].map(|key| number(line, key));
            boxes.push(([x, y, x + w, y + h], String::new()));
        } else if let (true, Some((at, name))) =
            (line.starts_with("<text class=\"name\""), boxes.last_mut())
        {
            assert!((at[0]..=at[2]).contains(&number(line, "x")), "{line}");
            *name = line.split_once("\">").unwrap().1.split('<').next().unwrap().to_owned();
        } else if line.contains("marker-end") {
            let d = line.split_once(" d=\"").unwrap().1;
            let figures: Vec<f64> = d
                .split(|c: char| !(c.is_ascii_digit() || "-.".contains(c)))
                .filter_map(|figure| figure.parse().ok())
                .collect();
            assert_eq!(figures.len(), 8, "{line}");
            arrows.push([[figures[0], figures[1]], [figures[6], figures[7]]]);
        }
    }
    let apart = |[x, y]: [f64; 2], at: &[f64; 4]| {
        let of = |least: f64, most: f64, at: f64| (least - at).max(at - most).max(0.0);
        of(at[0], at[2], x) + of(at[1], at[3], y)
    };
    let of = |point: [f64; 2]| {
        let near = boxes.iter().min_by(|a, b| apart(point, &a.0).total_cmp(&apart(point, &b.0)));
        let (at, name) = near.unwrap();
        assert!(apart(point, at) <= 2.0, "{point:?} is at no box");
        name.clone()
    };
    let edges = arrows.into_iter().map(|[from, to]| (of(from), of(to)));
    let edges: BTreeSet<Way> = edges.collect();
    (boxes.into_iter().map(|(_, name)| name).collect(), edges)
}
