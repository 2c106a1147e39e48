//! The rules of the protocol, one by one: each test starts from a rotation that is in order and changes one thing.

mod emergency;
mod evidence;
mod fold;
mod guard;
mod next;
mod orphan;
mod sample;
mod union;
