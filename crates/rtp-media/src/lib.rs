//! RTP, RTCP, G.711, prompts and the media workers.
