//! Flows drawn: Mermaid, DOT and SVG.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::collections::BTreeMap;

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
