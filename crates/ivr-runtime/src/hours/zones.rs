//! The time zones of countries.

/// Countries and their zones.
const TABLE: &str = include_str!("zones.txt");

/// IANA names of a country's zones, that of most of its people first; none for a country that is
/// not known. `country`: ISO 3166, two letters.
pub fn zones_of(country: &str) -> impl Iterator<Item = &'static str> + Clone + use<> {
    let line = TABLE.lines().find_map(|line| line.strip_prefix(country)?.strip_prefix(' '));
    line.filter(|_| country.len() == 2).unwrap_or_default().split_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn every_country_that_numbers_belong_to_has_zones_that_are_known() {
        let listed = TABLE.lines().filter(|line| !line.starts_with('#'));
        let listed: Vec<&str> = listed.filter_map(|line| line.get(..2)).collect();
        assert!(listed.len() >= 250);
        let others = ["GB", "IE", "US", "CA", "DE", "FR", "ES", "JM", "GG", "RE", "XK", "AC"];
        for country in listed.into_iter().chain(others) {
            assert!(zones_of(country).next().is_some(), "{country}");
            for zone in zones_of(country) {
                assert!(TimeZone::get(zone).is_ok(), "{country} {zone}");
            }
        }
        for nobody in ["", "#", "001", "XX", "G", "us"] {
            assert_eq!(zones_of(nobody).next(), None, "{nobody}");
        }
        assert_eq!(zones_of("US").next(), Some("America/New_York"));
    }
}
