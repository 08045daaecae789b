//! Thousands of calls over a bad link: each ends on both sides, and nothing is left of it.

mod caller;

use caller::Crowd;
use carom_sim::Link;
use sip_stack::endpoint::Counts;

/// Calls that share a net and a seed.
const CALLS: usize = 100;

/// Lesson 28: all counts return to zero, in both directions and whoever hangs up.
#[test]
fn every_call_over_a_bad_link_ends_on_both_sides_and_leaves_nothing_behind() {
    let long = std::env::var("CAROM_LONG").is_ok_and(|long| long == "1");
    let batches = if long { 200 } else { 20 };
    let mut ends = std::collections::BTreeMap::new();
    for seed in 0..batches {
        let mut crowd = Crowd::new(Link::lossy(0.1), seed);
        crowd.call_each_other(CALLS);
        crowd.assert_all_ended();
        crowd.assert_both_end_within(16_000);
        for side in crowd.sides {
            assert_eq!(crowd.net.see(side).counts(), Counts::default(), "seed {seed}");
        }
        for (how, count) in crowd.ends {
            *ends.entry(how).or_insert(0) += count;
        }
    }
    println!("{ends:?}");
    for how in ["ended by Us", "ended by Peer", "cancelled", "failed", "answered", "offer"] {
        assert!(ends.get(how).is_some_and(|count| *count > batches), "{how}: {ends:?}");
    }
}

/// The callees' requests are too large for datagrams, and TCP is refused now and then, though the
/// other side may have heard them.
#[test]
fn calls_whose_large_requests_fall_back_from_tcp_end_and_leave_nothing_behind() {
    for seed in 3_000..3_005 {
        let mut crowd = Crowd::new(Link::lossy(0.1), seed);
        crowd.by_size = true;
        crowd.call_each_other(CALLS);
        crowd.assert_all_ended();
        crowd.assert_both_end_within(16_000);
        assert!(crowd.net.connections() > 0, "seed {seed}");
        for side in crowd.sides {
            assert_eq!(crowd.net.see(side).counts(), Counts::default(), "seed {seed}");
        }
    }
}

#[test]
fn a_seed_plays_the_same_again() {
    let play = || {
        let mut crowd = Crowd::new(Link::lossy(0.2), 7);
        crowd.call_each_other(30);
        crowd.net.trace()
    };
    assert_eq!(play(), play());
}

/// What a peer sends may be wrong anywhere; it may cost the call, never more.
#[test]
fn messages_that_are_changed_on_the_way_leave_nothing_behind_either() {
    for seed in 2_000..2_005 {
        let mut crowd = Crowd::new(Link { corruption: 0.1, ..Link::lossy(0.1) }, seed);
        crowd.call_each_other(CALLS);
        crowd.assert_all_ended();
        for side in crowd.sides {
            assert_eq!(crowd.net.see(side).counts(), Counts::default(), "seed {seed}");
        }
    }
}

/// When the link dies in the middle of everything, each side comes to an end by itself.
#[test]
fn when_the_link_dies_each_side_comes_to_an_end_alone() {
    for seed in 1_000..1_005 {
        let mut crowd = Crowd::new(Link::lossy(0.1), seed);
        crowd.link_dies_at_ms = Some(4_000);
        crowd.call_each_other(CALLS);
        crowd.assert_all_ended();
        for side in crowd.sides {
            assert_eq!(crowd.net.see(side).counts(), Counts::default(), "seed {seed}");
        }
    }
}
