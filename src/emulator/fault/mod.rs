//! Single faults on request: which requests they hit (`rule`, `waiting`), what happens to those (`effect`, `meet`,
//! `pages`, `delivery`), and files that name many (`plan`).

mod delivery;
mod effect;
mod meet;
mod pages;
mod plan;
mod rule;
mod waiting;

pub use self::delivery::Delivery;
pub use self::effect::Effect;
pub use self::effect::PageTrick;
pub use self::effect::RetryAfter;
pub use self::effect::WrongBody;
pub use self::meet::Met;
pub use self::meet::meet;
pub use self::plan::FaultPlan;
pub use self::plan::PlanError;
pub use self::rule::Fault;
pub use self::rule::Rule;
pub use self::waiting::Faults;
