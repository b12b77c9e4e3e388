//! Pieces over real sockets and over a network of our own.
