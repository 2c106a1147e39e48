//! Who is told, and in which calendar they live.

use jiff::civil::Date;
use jiff::civil::Time;
use serde::Deserialize;
use serde::Serialize;

/// The people of an integration; every address is an e-mail address.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct People {
    /// Gets the technical mail.
    pub owner: String,
    /// Project manager: gets the plain one.
    pub pm: Option<String>,
    /// Stands in for the project manager.
    pub backup: Option<String>,
    /// The vendor's contact, free text.
    pub vendor: Option<String>,
}

/// When rotations may start, and which days count.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Calendar {
    /// Five-field cron expression as written; it has been checked.
    pub schedule: String,
    /// IANA time zone name; it has been checked.
    pub timezone: String,
    /// Inclusive local date ranges in which nothing is staged or retired.
    pub freeze: Vec<(Date, Date)>,
    /// Local time of day in which rotations may start.
    pub window: Option<(Time, Time)>,
    /// Days on which nobody works, besides Saturday and Sunday.
    pub holidays: Vec<Date>,
}

impl Calendar {
    /// The zone; UTC should the name have vanished from the time zone database.
    pub fn zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::get(&self.timezone).unwrap_or(jiff::tz::TimeZone::UTC)
    }

    /// Whether `day` lies in a freeze.
    pub fn is_frozen(&self, day: Date) -> bool {
        self.freeze.iter().any(|(from, to)| *from <= day && day <= *to)
    }
}
