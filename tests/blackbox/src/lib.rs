//! Black-box tests: the binary, real sockets, programs of others.
