//! Message providers, the outbox, receipts, opt-outs, limits and the store.
