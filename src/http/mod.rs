//! The one safe HTTP client: every call of the program to Graph, the token endpoint or a vault passes here.
//!
//! It promises: https only (but for the managed identity of this machine, [`LocalSite`]); no redirect is ever followed; an absolute URL that somebody else wrote (a
//! `nextLink`) is only called when its parsed origin is the configured one; answers are bounded in size and
//! time; bodies, queries and tokens are never logged; a failure says what may be assumed about its effect
//! ([`outcome`] has the table). It never repeats a call: [`retry`] only says whether and when a read may be.

mod client;
mod local;
mod names;
mod origin;
pub mod outcome;
mod reply;
mod request;
pub mod retry;
mod wire;

pub use client::Client;
pub use client::Options;
pub use client::Site;
pub use local::LocalSite;
pub use origin::same_origin;
pub use outcome::clean;
pub use reply::Reply;
pub use reply::Throttle;
pub use reply::ThrottleScope;
pub use request::Request;
pub use request::segment;
pub use reqwest::Method;
pub use wire::NoAnswer;
pub use wire::Wire;
