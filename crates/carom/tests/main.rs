//! The program as its users and peers see it: real sockets, real files, other programs.
//!
//! One test program: each that is linked takes its seconds and its disk.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod addresses;
mod aftermath;
mod agents;
mod api;
mod asks;
mod callbacks;
mod calls;
mod carrier;
mod chaos;
mod check;
mod context;
mod damage;
mod demo;
mod docs;
mod drain;
mod events;
mod failing;
mod files;
mod follow_ups;
mod forward;
mod full_closed;
mod full_failures;
mod full_line;
mod full_people;
mod full_texts;
mod graph;
mod hold;
mod hours;
mod http;
mod kill;
mod large;
mod links;
mod media;
mod numbers;
mod operate;
mod operator;
mod overload;
mod phone;
mod pings;
mod privacy;
mod prompts_cli;
mod receipts;
mod rehearse;
mod reload;
mod replay;
mod requests;
mod revisions;
mod ringing;
mod rows;
mod rules;
mod schema;
mod senders;
mod simulate;
mod softphone;
mod systems;
mod tcp;
mod templates;
mod texts;
mod visits;
mod voicemail;
mod waits;
