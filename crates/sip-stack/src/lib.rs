//! SIP messages, transactions, dialogs and offer/answer as plain state machines.
