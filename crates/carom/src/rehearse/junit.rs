//! The results as JUnit XML, which build servers read.

use std::fmt::Write as _;

/// A test by name, with what was wrong with it.
type Tested = (String, Vec<String>);

/// One suite a file, by its name.
pub fn junit(suites: &[(String, Vec<Tested>)]) -> String {
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
