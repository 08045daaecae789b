//! What each metric means; docs/operations.md lists them.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// Tells the recorder.
pub fn describe() {
    describe_counter!("carom_calls_total", "Calls taken, by trunk");
    describe_counter!("carom_calls_refused_total", "Calls refused, by reason");
    describe_counter!("carom_calls_ended_total", "Calls ended, by end_reason and handled");
    describe_gauge!("carom_calls", "Calls between their INVITE and their end");
    describe_histogram!("carom_call_seconds", "From the INVITE to the end");
    describe_counter!("carom_sip_dropped_total", "SIP messages dropped without an answer");
    describe_gauge!("carom_target_up", "1: the target's address answers OPTIONS");
    describe_counter!("carom_prompts_missing_total", "Prompts that could not be played");
    describe_counter!("carom_rtp_packets_sent_total", "RTP packets sent by ended sessions");
    describe_counter!("carom_rtp_packets_received_total", "RTP packets accepted");
    describe_counter!("carom_rtp_packets_lost_total", "RTP packets that never came");
    describe_counter!("carom_rtp_packets_late_total", "RTP packets sent over 5 ms late");
    describe_counter!("carom_media_commands_lost_total", "Commands a full media worker refused");
    describe_counter!("carom_media_events_lost_total", "Media events that found the queue full");
    describe_counter!("carom_store_rows_lost_total", "Rows that found the store's queue full");
    describe_gauge!("carom_store_up", "1: the database answers");
    describe_counter!("carom_reloads_total", "Reloads, by outcome");
}
