//! Who answers at a target (requirements §6, E03; decisions §2, §3).

use toml::Value;

use super::{Judge, kind, word};

impl Judge<'_> {
    /// The person route and where it goes on to, `[fallback]`, and targets that say that people
    /// answer them, unless they are bots.
    pub(super) fn is_person(&self, name: &str) -> bool {
        let target = self.table("target", name);
        let says = |key: &str, words: &[&str]| {
            target.and_then(|target| word(target, key)).is_some_and(|of| !words.contains(&of))
        };
        let is_said = says("answered_means", &["queue"]) || says("human_signal", &["none"]);
        let on_route = self.person_route().iter().any(|known| known == name);
        name == self.human()
            || (self.has_fallback && name == self.shared)
            || (!self.is_bot(name) && (is_said || on_route))
    }

    pub(super) fn is_bot(&self, name: &str) -> bool {
        if name == self.human() || (self.has_fallback && name == self.shared) {
            return false;
        }
        let steps = self.flow.get("step").and_then(Value::as_table).into_iter().flatten();
        steps
            .filter_map(|(_, step)| step.as_table())
            .any(|step| kind(step) == "agent" && word(step, "target") == Some(name))
    }

    /// The human target, and the targets that its exits name, and theirs.
    fn person_route(&self) -> Vec<String> {
        let mut route = vec![self.human().to_owned()];
        let mut next = 0;
        while let Some(target) = route.get(next).cloned() {
            next += 1;
            let Some(table) = self.table("target", &target) else { continue };
            for exit in ["when_closed", "if_busy", "if_no_answer", "if_fails"] {
                let is_none = exit == "when_closed" && word(table, "hours").is_none();
                let Some(to) = word(table, exit).filter(|_| !is_none) else { continue };
                if self.is_target(to) && !route.iter().any(|known| known == to) {
                    route.push(to.to_owned());
                }
            }
        }
        route
    }
}
