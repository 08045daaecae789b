//! Who is at the other end of the control socket.

use std::fs;

/// The name of a user of this machine, by `/etc/passwd`; `uid 1000` for those not listed there.
#[must_use]
pub fn user_name(uid: u32) -> String {
    let listed = fs::read_to_string("/etc/passwd").unwrap_or_default();
    named(&listed, uid).map_or_else(|| format!("uid {uid}"), str::to_owned)
}

/// Lines are `name:password:uid:…` (passwd(5)).
fn named(listed: &str, uid: u32) -> Option<&str> {
    listed.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next().filter(|name| !name.is_empty())?;
        (parts.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_named_as_the_system_lists_them() {
        let listed =
            "root:x:0:0:root:/root:/bin/sh\nbroken\n:x:7:7\nanna:x:1000:1000::/home/anna\n";
        assert_eq!(named(listed, 0), Some("root"));
        assert_eq!(named(listed, 1000), Some("anna"));
        assert_eq!((named(listed, 7), named(listed, 1)), (None, None));
        assert_eq!(user_name(4_000_000_000), "uid 4000000000");
    }
}
