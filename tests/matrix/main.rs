//! The fault matrix: every call that the client makes, met by every fault that the emulator can make. The oracle stands
//! outside the client: what the emulator's directory holds afterwards, and what its log says was sent. `calls` are the
//! rows, `faults` the columns, `cell` judges one; `client` runs the adapters, `engine` whole rotations.

mod bench;
mod calls;
mod cell;
mod client;
mod faults;
