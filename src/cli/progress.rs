//! Shows what the engine does: a line per step, and on a terminal a moving line for what it waits for.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;
use jiff::Timestamp;

use super::output::Output;
use super::output::clean;
use crate::model::Event;
use crate::model::Rotation;
use crate::model::RotationId;
use crate::rotation::Waiting;
use crate::run::Progress;
use crate::run::words;

/// What a rotation waits for, for the loop of `apply`.
#[derive(Clone, Debug)]
pub struct Waits {
    /// Integration.
    pub integration: String,
    /// Until when.
    pub until: Option<Timestamp>,
    /// Why.
    pub why: Waiting,
    /// Failures of the present step in a row.
    pub failures: u32,
    /// The rotation, as it waits.
    pub rotation: Rotation,
}

/// Lines and a moving display.
pub struct Display {
    bar: ProgressBar,
    moving: AtomicBool,
    lines: bool,
    last: Mutex<String>,
    waits: Mutex<BTreeMap<RotationId, Waits>>,
}

impl Display {
    /// A display that follows `out`.
    pub fn new(out: &Output, lines: bool) -> Self {
        let target = if out.shows_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self { bar, moving: AtomicBool::new(false), lines, last: Mutex::default(), waits: Mutex::default() }
    }

    /// What waits, since the last call of [`Display::forget`].
    pub fn waits(&self) -> Vec<Waits> {
        self.waits.lock().map(|waits| waits.values().cloned().collect()).unwrap_or_default()
    }

    /// Starts a new round.
    pub fn forget(&self) {
        if let Ok(mut waits) = self.waits.lock() {
            waits.clear();
        }
    }

    /// Shows a moving line until [`Display::rest`].
    pub fn wait(&self, text: &str) {
        self.moving.store(true, Ordering::Relaxed);
        self.bar.set_message(text.to_owned());
        self.bar.enable_steady_tick(Duration::from_millis(120));
    }

    /// Takes the moving line away.
    pub fn rest(&self) {
        self.moving.store(false, Ordering::Relaxed);
        self.bar.disable_steady_tick();
        self.bar.finish_and_clear();
    }

    fn line(&self, integration: &str, text: &str) {
        if !self.lines {
            return;
        }
        let Ok(mut last) = self.last.lock() else { return };
        let head = if *last == integration { String::new() } else { format!("{integration}\n") };
        integration.clone_into(&mut last);
        let text = format!("{head}      {}\n", clean(text));
        // Between waits there is no moving line to take away; drawing one would leave an empty line behind.
        if self.bar.is_finished() || !self.moving.load(Ordering::Relaxed) {
            super::output::raw(&text, false);
        } else {
            self.bar.suspend(|| super::output::raw(&text, false));
        }
    }
}

impl Progress for Display {
    fn provisioned(&self, integration: &str, what: &str) {
        self.line(integration, &format!("provision  {what}"));
    }

    fn committed(&self, rotation: &Rotation, event: &Event) {
        let shown = matches!(
            event,
            Event::Attached { .. }
                | Event::Requested { .. }
                | Event::Verified
                | Event::Abandoned
                | Event::AttemptUnknown
                | Event::Delivered { .. }
                | Event::EvidenceSeen { .. }
                | Event::RemovalSent { .. }
                | Event::Superseded
                | Event::Failed { .. }
        );
        if shown {
            let text = words::event(rotation, event);
            let (step, rest) = text.split_once(' ').unwrap_or((&text, ""));
            self.line(rotation.integration.as_str(), &format!("{:<10} {rest}", step.trim_end_matches(':')));
        }
    }

    fn waiting(&self, rotation: &Rotation, until: Option<Timestamp>, why: &Waiting) {
        if let Ok(mut waits) = self.waits.lock() {
            waits.insert(
                rotation.id,
                Waits {
                    integration: rotation.integration.to_string(),
                    until,
                    why: why.clone(),
                    failures: rotation.failure.as_ref().map_or(0, |failure| failure.count),
                    rotation: rotation.clone(),
                },
            );
        }
    }
}
