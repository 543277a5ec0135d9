//! What all measurements of one run have in common.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

use super::{Failure, process::Programs};

/// Receivers of what was stored before are told apart from everything that gets a port by itself.
const RECEIVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[derive(Debug)]
pub(super) struct Setting {
    pub(super) programs: Programs,
    pub(super) lengths: Lengths,
    /// Where the receiver of stored deliveries always is.
    pub(super) receiver: SocketAddrV4,
}

/// How many seconds things go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths {
    pub(super) warm_up: f64,
    pub(super) full: f64,
    pub(super) half: f64,
}

impl Setting {
    pub(super) fn new(lengths: Lengths) -> Result<Self, Failure> {
        // Free now, and nobody else asks for this address.
        let port = TcpListener::bind((RECEIVER, 0))?.local_addr()?.port();
        Ok(Self { programs: Programs::find()?, lengths, receiver: SocketAddrV4::new(RECEIVER, port) })
    }
}
