//! Arguments of `simulate`.

use std::path::PathBuf;

use clap::ArgGroup;
use clap::Args;

use crate::world::simulate::Manner;
use crate::world::simulate::Weather;

/// `simulate`
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("limit").multiple(true)))]
pub struct SimulateArgs {
    /// How long (`3y`, `18mo`, `400d`)
    #[arg(long = "for", env = "EVERKEY_FOR", value_name = "DUR", default_value = "3y")]
    pub period: String,
    /// First day (default: today)
    #[arg(long, env = "EVERKEY_FROM", value_name = "DATE")]
    pub from: Option<String>,
    /// Chance of people and faults: the same number gives the same output
    #[arg(long, env = "EVERKEY_SEED", value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How Microsoft Graph behaves
    #[arg(long, env = "EVERKEY_FAULTS", value_enum, default_value_t = Weather::None)]
    pub faults: Weather,
    /// How many integrations, made by copying yours and spread over half a year
    #[arg(long, env = "EVERKEY_APPS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub apps: Option<u32>,
    /// How people act when they are asked
    #[arg(long, env = "EVERKEY_PEOPLE", value_enum, default_value_t = Manner::Prompt)]
    pub people: Manner,
    /// A person who never acts, whatever the others do
    #[arg(long, env = "EVERKEY_ABSENT", value_name = "ADDRESS", value_delimiter = ',')]
    pub absent: Vec<String>,
    /// Longest lifetime of a client secret that the tenant allows (`180d`, `1y`)
    #[arg(long, env = "EVERKEY_MAX_SECRET_LIFETIME", value_name = "DUR", group = "limit")]
    pub max_secret_lifetime: Option<String>,
    /// Longest lifetime of a certificate that the tenant allows
    #[arg(long, env = "EVERKEY_MAX_CERTIFICATE_LIFETIME", value_name = "DUR", group = "limit")]
    pub max_certificate_lifetime: Option<String>,
    /// From when the tenant allows no more than that (default: the first day)
    #[arg(long, env = "EVERKEY_LIMITS_FROM", value_name = "DATE", requires = "limit")]
    pub limits_from: Option<String>,
    /// Write a page with pictures to this file
    #[arg(long, env = "EVERKEY_HTML", value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Break one rule of the protocol, to see that the verdict notices (test builds only)
    #[cfg(feature = "mutants")]
    #[arg(long, env = "EVERKEY_SABOTAGE", value_enum)]
    pub sabotage: Option<crate::world::Sabotage>,
}
