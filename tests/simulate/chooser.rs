//! Decides every point at which the world could go one way or another: from a seed, or as a trace says.

use std::fmt;
use std::str::FromStr;

/// Where something may go wrong, or otherwise than usual. The order is that of `NAMES`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Point {
    /// The process dies, or is paused, before or after a call or commit.
    Boundary,
    /// A write to the directory.
    Write,
    /// A read of the directory.
    Read,
    /// A write to a sink.
    Sink,
    /// A read of a sink.
    ReadBack,
    /// A sign-in.
    Probe,
    /// How late the token endpoint learns of a credential.
    Lag,
    /// Which front-end answers a sign-in.
    FrontEnd,
    /// What others do to the application meanwhile.
    Foreign,
    /// What the person does.
    Person,
    /// Who takes the next turn.
    Turn,
    /// What happens to the machines between two cycles.
    Between,
    /// How long something lasts, how old it is.
    HowLong,
    /// Whether a copy of the journal is taken after a commit.
    Copy,
}

const NAMES: [(&str, Point); 14] = [
    ("boundary", Point::Boundary),
    ("write", Point::Write),
    ("read", Point::Read),
    ("sink", Point::Sink),
    ("read-back", Point::ReadBack),
    ("probe", Point::Probe),
    ("lag", Point::Lag),
    ("front-end", Point::FrontEnd),
    ("foreign", Point::Foreign),
    ("person", Point::Person),
    ("turn", Point::Turn),
    ("between", Point::Between),
    ("how-long", Point::HowLong),
    ("copy", Point::Copy),
];

impl Point {
    pub fn name(self) -> &'static str {
        NAMES[self as usize].0
    }

    /// How much more often than the rarest it is passed: so much less often it goes wrong.
    fn share(self) -> u32 {
        match self {
            Self::Boundary | Self::Copy | Self::Foreign => 16,
            Self::Read => 6,
            Self::Between | Self::Probe | Self::Turn | Self::ReadBack => 2,
            Self::FrontEnd | Self::HowLong | Self::Lag | Self::Person | Self::Sink | Self::Write => 1,
        }
    }
}

/// The `nth` decision at `point` went `way`: written `sink#3=2`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Choice {
    pub point: Point,
    pub nth: u32,
    pub way: u32,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}={}", self.point.name(), self.nth, self.way)
    }
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no choice, as `sink#3=2` is one");
        let (name, rest) = text.split_once('#').ok_or_else(wrong)?;
        let (nth, way) = rest.split_once('=').ok_or_else(wrong)?;
        let (_, point) = NAMES.iter().find(|(known, _)| *known == name).ok_or_else(wrong)?;
        Ok(Self { point: *point, nth: nth.parse().map_err(|_| wrong())?, way: way.parse().map_err(|_| wrong())? })
    }
}

/// Numbers from a seed (SplitMix64): the same on every machine, for ever.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((z ^ (z >> 31)) % u64::from(sides.max(1))).unwrap()
    }
}

/// Where the decisions come from.
#[derive(Clone, Debug)]
enum Source {
    /// One point in `one_in` goes wrong, as long as faults are left; the rare points more often.
    Seed { dice: Dice, faults: u32, one_in: u32, only: &'static [Point] },
    /// As written; everything else goes well.
    Trace(Vec<Choice>),
}

/// The decisions of one schedule, and what they were.
#[derive(Clone, Debug)]
pub struct Chooser {
    source: Source,
    counts: [u32; NAMES.len()],
    /// Nothing goes wrong any more.
    quiet: bool,
    /// What did not go as usual.
    pub taken: Vec<Choice>,
    /// Every point passed, with its number of ways; kept for an exploration only.
    pub passed: Option<Vec<(Choice, bool)>>,
}

impl Chooser {
    pub fn seeded(dice: Dice, faults: u32, one_in: u32) -> Self {
        Self::seeded_at(&[], dice, faults, one_in)
    }

    /// Only at these points anything goes wrong, if there are any.
    pub fn seeded_at(only: &'static [Point], dice: Dice, faults: u32, one_in: u32) -> Self {
        Self::of(Source::Seed { dice, faults, one_in, only })
    }

    pub fn trace(choices: &[Choice]) -> Self {
        Self::of(Source::Trace(choices.to_vec()))
    }

    /// As a trace, and every point that is passed is noted.
    pub fn exploring(choices: &[Choice]) -> Self {
        Self { passed: Some(Vec::new()), ..Self::trace(choices) }
    }

    fn of(source: Source) -> Self {
        Self { source, counts: [0; NAMES.len()], quiet: false, taken: Vec::new(), passed: None }
    }

    /// From now on everything goes well.
    pub fn calm(&mut self) {
        self.quiet = true;
    }

    /// One of `ways`; 0 is the usual one, any other is a fault.
    pub fn fault(&mut self, point: Point, ways: u32) -> u32 {
        self.choose(point, ways, true)
    }

    /// One of `ways` that are as good as each other.
    pub fn detail(&mut self, point: Point, ways: u32) -> u32 {
        self.choose(point, ways, false)
    }

    fn choose(&mut self, point: Point, ways: u32, is_fault: bool) -> u32 {
        if self.quiet || ways < 2 {
            return 0;
        }
        let count = &mut self.counts[point as usize];
        *count += 1;
        let nth = *count;
        let way = match &mut self.source {
            Source::Seed { dice, .. } if !is_fault => dice.roll(ways),
            Source::Seed { faults: 0, .. } => 0,
            Source::Seed { only, .. } if !only.is_empty() && !only.contains(&point) => 0,
            Source::Seed { dice, faults, one_in, .. } => match dice.roll(*one_in * point.share()) {
                0 => {
                    *faults -= 1;
                    1 + dice.roll(ways - 1)
                }
                _ => 0,
            },
            Source::Trace(choices) => {
                let given = choices.iter().find(|choice| choice.point == point && choice.nth == nth);
                given.map_or(0, |choice| choice.way.min(ways - 1))
            }
        };
        if let Some(passed) = &mut self.passed {
            passed.push((Choice { point, nth, way: ways }, is_fault));
        }
        if way > 0 {
            self.taken.push(Choice { point, nth, way });
        }
        way
    }
}

/// `a#1=2 b#3=1`
pub fn written(trace: &[Choice]) -> String {
    trace.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The choices of a text that [`written`] made.
pub fn read(text: &str) -> Vec<Choice> {
    text.split_whitespace().map(|one| one.parse().unwrap()).collect()
}

#[test]
fn the_names_stand_in_the_order_of_the_points() {
    assert!(NAMES.iter().enumerate().all(|(at, (_, point))| *point as usize == at));
    let trace = [Choice { point: Point::Sink, nth: 3, way: 2 }, Choice { point: Point::HowLong, nth: 1, way: 1 }];
    assert_eq!(read(&written(&trace)), trace);
}
