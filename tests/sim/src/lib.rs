//! A lossy link and a scripted phone for tests, in virtual time.
