//! The results as JUnit XML, which build servers read.

use std::fmt::Write as _;

use super::Coverage;

/// A test by name, with what was wrong with it.
type Tested = (String, Vec<String>);

/// One suite a file, by its name; one without tests for each flow, with its coverage.
pub fn junit(suites: &[(String, Vec<Tested>)], coverage: &Coverage) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for (suite, tests) in suites {
        let failed = tests.iter().filter(|(_, faults)| !faults.is_empty()).count();
        // Writing to a String does not fail.
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\">",
            escaped(suite),
            tests.len()
        );
        for (name, faults) in tests {
            let (name, suite) = (escaped(name), escaped(suite));
            if faults.is_empty() {
                let _ = writeln!(xml, "    <testcase name=\"{name}\" classname=\"{suite}\"/>");
                continue;
            }
            let _ = writeln!(
                xml,
                "    <testcase name=\"{name}\" classname=\"{suite}\">\n      \
                 <failure message=\"{}\"/>\n    </testcase>",
                escaped(&faults.join("; "))
            );
        }
        xml.push_str("  </testsuite>\n");
    }
    for (flow, covered) in coverage.flows() {
        let (steps, exits) = (covered.steps(), covered.exits());
        let missing: Vec<String> = covered.missing().map(|line| escaped(&line)).collect();
        let _ = writeln!(
            xml,
            "  <testsuite name=\"coverage of {}\" tests=\"0\" failures=\"0\">\n    <properties>\n      \
             <property name=\"steps\" value=\"{steps}\"/>\n      \
             <property name=\"exits\" value=\"{exits}\"/>\n    </properties>\n    \
             <system-out>{}</system-out>\n  </testsuite>",
            escaped(flow),
            missing.join("\n")
        );
    }
    xml + "</testsuites>\n"
}

fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        // XML 1.0 has no place for these.
        c if c.is_control() => " ".to_owned(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}
