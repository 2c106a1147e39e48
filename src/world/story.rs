//! The story: provision, two years, the three figures.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use jiff::Span;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::DemoOptions;
use super::Narrator;
use super::Sabotage;
use super::clockwork::approach;
use super::clockwork::step_past;
use super::consumers::Consumers;
use super::consumers::Held;
use super::foreign;
use super::foreign::Foreign;
use super::leaks;
use super::people::Act;
use super::people::People;
use super::people::header;
use super::stage::INTEGRATIONS_PATH;
use super::stage::Stage;
use crate::clock::Clock as _;
use crate::clock::ManualClock;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::error::Result;
use crate::model::ClientId;
use crate::model::Event;
use crate::model::Rotation;
use crate::model::ValueName;
use crate::pki;
use crate::ports::Fence;
use crate::rotation::Rules;
use crate::rotation::Waiting;
use crate::run::Engine;
use crate::run::EngineOptions;
use crate::run::Limits;
use crate::run::Pace;
use crate::run::Progress;
use crate::run::RunError;
use crate::run::explain;
use crate::run::people::Opened;
use crate::secret::Secret;

/// More instants than two years can hold: a story that does not move ends here.
const MOST_INSTANTS: usize = 20_000;

/// The result; any of the three figures that is not zero is a failure.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `everkey.demo/v1`.
    pub schema: &'static str,
    /// Where the clock began and ended.
    pub from: Timestamp,
    /// Where it ended.
    pub to: Timestamp,
    /// Rotations that replaced something.
    pub rotations: usize,
    /// First issuances.
    pub issued: usize,
    /// Rotations that ended because the old credential did, before anybody confirmed.
    pub superseded: usize,
    /// Mails caught by the SMTP server.
    pub mails: usize,
    /// Hand-offs sealed.
    pub handoffs: usize,
    /// Escalations.
    pub escalations: usize,
    /// Removals of old credentials.
    pub retired: usize,
    /// Instants with an integration down.
    pub down: usize,
    /// Instants checked.
    pub instants: u64,
    /// Sign-ins made by consumers.
    pub sign_ins: u64,
    /// Copies of a secret outside its sinks.
    pub copies: usize,
    /// Files scanned.
    pub files: usize,
    /// Secrets looked for.
    pub secrets: usize,
    /// Foreign credentials touched.
    pub foreign: usize,
    /// Foreign credentials there were.
    pub foreign_seeded: usize,
    /// What was found, one line each.
    pub findings: Vec<String>,
}

impl Report {
    /// Whether every figure is zero.
    pub fn is_clean(&self) -> bool {
        self.down == 0 && self.copies == 0 && self.foreign == 0
    }
}

/// Plays the whole story.
///
/// # Errors
/// When a part cannot start, or the engine stops; the three figures are in the report, not errors.
pub async fn demo(options: &DemoOptions, narrator: Arc<dyn Narrator>) -> Result<Report> {
    let stage = Stage::build(options).await?;
    narrator.line(&format!(
        "Started the built-in Entra emulator on {}. Nothing leaves this machine. Clock: {}.",
        stage.emulator.url(),
        stage.clock.now().strftime("%Y-%m-%d %H:%M UTC")
    ));
    let store = Arc::clone(&stage.assembled.ports.store);
    let fence = store.acquire(&config::holder(), config::real_now()).await.map_err(|error| explain::store(&error))?;
    let chronicle =
        Arc::new(Chronicle { clock: stage.clock.clone(), narrator: Arc::clone(&narrator), telling: Mutex::default() });
    let engine = engine(&stage, fence, options.sabotage, chronicle.clone());
    let sinks = stage.dir.join("sinks");
    let consumers = Consumers::new(&sinks, stage.settings.tenant.tenant_id.clone());
    let mut story = Story {
        stage,
        engine,
        narrator,
        chronicle,
        consumers,
        people: People::default(),
        told: 0,
        heard: BTreeSet::new(),
        seeded: Vec::new(),
        next_due: None,
    };
    story.provision().await?;
    story.two_years(options).await?;
    if options.sabotage == Some(Sabotage::Leak) {
        leaks::leak(&story.stage.dir, &story.stage.recorder);
    }
    let report = story.result(options).await?;
    store.release(fence).await.map_err(|error| explain::store(&error))?;
    story.stage.emulator.stop().await.map_err(super::stage::failed)?;
    Ok(report)
}

fn engine(stage: &Stage, fence: Fence, sabotage: Option<Sabotage>, progress: Arc<dyn Progress>) -> Engine {
    let options = EngineOptions {
        actor: "everkey".to_owned(),
        alerts: stage.settings.alert_rules(),
        login_url: stage.assembled.login_url.clone(),
        os_user: None,
        pace: Pace::Scheduled(Limits {
            jitter: stage.settings.tool.defaults.jitter,
            new_per_day: stage.settings.tool.defaults.max_new_rotations_per_day,
        }),
        permissions_allowed: stage.settings.permissions_allowed(&stage.policies),
        rules: rules(sabotage),
        tenant: stage.settings.tenant_name.clone(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    Engine::new(stage.assembled.ports.clone(), fence, options, progress, stop).concerning(&stage.policies)
}

#[cfg(feature = "mutants")]
pub(crate) fn rules(sabotage: Option<Sabotage>) -> Rules {
    use crate::rotation::Mutation;
    match sabotage {
        Some(Sabotage::EarlyRetire) => Rules::without(Mutation::RetireEarly),
        Some(Sabotage::TouchForeign) => Rules::without(Mutation::SweepForeign),
        Some(Sabotage::Leak) | None => Rules::default(),
    }
}

#[cfg(not(feature = "mutants"))]
fn rules(_sabotage: Option<Sabotage>) -> Rules {
    Rules::default()
}

struct Story {
    stage: Stage,
    engine: Engine,
    narrator: Arc<dyn Narrator>,
    chronicle: Arc<Chronicle>,
    consumers: Consumers,
    people: People,
    told: usize,
    heard: BTreeSet<(String, String)>,
    seeded: Vec<Foreign>,
    next_due: Option<Timestamp>,
}

impl Story {
    fn now(&self) -> Timestamp {
        self.stage.clock.now()
    }

    /// The five policies become five app registrations, proven and delivered.
    async fn provision(&mut self) -> Result<()> {
        let count = self.stage.policies.len();
        self.narrator.line(&format!("\nPROVISION   {count} policies -> {count} app registrations"));
        self.tick().await?;
        // Others were there before us and use the same applications: seeded while ours are being proven.
        self.seeded = foreign::seed(&self.stage.emulator)?;
        let records = self.stage.assembled.ports.store.integrations().await.map_err(|e| explain::store(&e))?;
        for record in &records {
            self.consumers.configure(record.name.as_str(), &record.app.client_id);
        }
        for _ in 0..MOST_INSTANTS {
            let unfinished = self.stage.assembled.ports.store.unfinished().await.map_err(|e| explain::store(&e))?;
            if unfinished.iter().all(|r| r.delivered_at().is_some()) {
                break;
            }
            self.next_instant(None).await?;
        }
        for policy in self.stage.policies.clone() {
            let line = self.summary(policy.name.as_str()).await?;
            self.narrator.line(&line);
        }
        self.scripts().await
    }

    async fn summary(&self, name: &str) -> Result<String> {
        let store = &self.stage.assembled.ports.store;
        let integration = crate::model::IntegrationName::from(name);
        let rotations = store.rotations(&integration).await.map_err(|e| explain::store(&e))?;
        let handoffs = store.handoffs().await.map_err(|e| explain::store(&e))?;
        let Some(rotation) = rotations.last() else { return Ok(format!("  {name}")) };
        let Some(policy) = self.stage.policies.iter().find(|policy| policy.name == integration) else {
            return Ok(format!("  {name}"));
        };
        let audience = match policy.app.audience {
            crate::model::Audience::Single => "single tenant",
            crate::model::Audience::Multi => "multi-tenant",
            crate::model::Audience::MultiAndPersonal => "multi+personal",
            crate::model::Audience::Personal => "personal",
        };
        let permissions = match policy.app.permissions.as_slice() {
            [] => "mailboxes by RBAC".to_owned(),
            [one] => format!("{} granted", one.name),
            many => format!("{} permissions granted", many.len()),
        };
        let end = rotation.fresh.as_ref().map(|fresh| fresh.end.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
        let mut delivered: Vec<String> = rotation
            .spec
            .sinks
            .iter()
            .map(|sink| match &sink.target {
                crate::model::SinkTarget::Files(_) => "PFX, PEM, KEY, CER written".to_owned(),
                crate::model::SinkTarget::JsonFile(_) => "integrations.json updated, read back".to_owned(),
                crate::model::SinkTarget::Handoff(spec) => handoffs
                    .iter()
                    .find(|handoff| handoff.rotation == rotation.id && handoff.sink == sink.id)
                    .map_or_else(String::new, |handoff| {
                        format!("hand-off {} sealed for {}", handoff.id, person(&spec.doer))
                    }),
                other => format!("{} written, read back", other.described().1),
            })
            .collect();
        delivered.retain(|text| !text.is_empty());
        Ok(format!(
            "  {name:<21} {audience}, {permissions}, {} to {end:<12} {}",
            rotation.spec.kind.word(),
            delivered.join("; ")
        ))
    }

    /// The Exchange Online scripts of the policies that limit mailboxes.
    async fn scripts(&self) -> Result<()> {
        let store = &self.stage.assembled.ports.store;
        let records = store.integrations().await.map_err(|e| explain::store(&e))?;
        let mut written = Vec::new();
        for policy in self.stage.policies.iter().filter(|policy| policy.mailboxes.is_some()) {
            let Some(record) = records.iter().find(|record| record.name == policy.name) else { continue };
            let principal = self
                .stage
                .assembled
                .ports
                .directory
                .principal(&record.app.client_id)
                .await
                .map_err(|error| explain::explain(&error, "read the service principal"))?;
            let Some(principal) = principal else { continue };
            let Some(script) = crate::policy::exchange::script(policy, &record.app.client_id, &principal.object_id)
            else {
                continue;
            };
            let file = format!("exchange-{}.ps1", policy.name);
            config::write_file(&self.stage.dir.join(&file), script.as_bytes())?;
            written.push(file);
        }
        if !written.is_empty() {
            self.narrator.line(&format!("  Exchange scripts for a person to run: {}", written.join(", ")));
        }
        Ok(())
    }

    async fn two_years(&mut self, options: &DemoOptions) -> Result<()> {
        let end = options
            .start
            .to_zoned(TimeZone::UTC)
            .checked_add(Span::new().years(2))
            .map_or(options.start, |end| end.timestamp());
        self.narrator.line(&format!(
            "TWO YEARS   {} -> {}",
            options.start.strftime("%Y-%m-%d"),
            end.strftime("%Y-%m-%d")
        ));
        self.chronicle.tell();
        for _ in 0..MOST_INSTANTS {
            if self.now() >= end {
                return Ok(());
            }
            self.next_instant(Some(end)).await?;
        }
        Err(Error::new(Class::Failed, "D010", "the story does not move on")
            .why(format!("after {MOST_INSTANTS} instants it is {}", self.now())))
    }

    /// Moves to the next instant at which anything happens, and lets it happen.
    async fn next_instant(&mut self, end: Option<Timestamp>) -> Result<()> {
        let now = self.now();
        let store = &self.stage.assembled.ports.store;
        let own = store.credentials(None).await.map_err(|e| explain::store(&e))?;
        let ends = own.iter().map(|own| own.end).filter(|end| *end > now).min();
        let next = [self.next_due, self.people.next(), ends, end].into_iter().flatten().min();
        let next = next.unwrap_or(now).max(now);
        let stage = &self.stage;
        approach(&stage.clock, &stage.emulator, &stage.recorder, &mut self.consumers, next).await;
        for act in self.people.due(self.now()) {
            self.act(&act).await?;
        }
        self.tick().await?;
        let stage = &self.stage;
        step_past(&stage.clock, &stage.emulator, &stage.recorder, &mut self.consumers).await;
        Ok(())
    }

    async fn tick(&mut self) -> Result<()> {
        let tick = self.engine.tick(&self.stage.policies, &[]).await.map_err(RunError::into_error)?;
        if let Some((name, error)) = tick.failed.into_iter().next() {
            return Err(error.why(format!("at {name}, {}", self.now())));
        }
        if let Some(error) = tick.mail_failed {
            return Err(error);
        }
        self.next_due = tick.next_due.map(|due| due.max(self.now()));
        let mails = self.stage.mail.mails();
        let handoffs = self.stage.assembled.ports.store.handoffs().await.map_err(|e| explain::store(&e))?;
        self.people.read(&mails, &handoffs, self.now());
        for mail in &mails[self.told..] {
            let subject = header(mail, "Subject");
            let integration = header(mail, "X-Everkey-Integration");
            // Daily repeats and the leads' copies are counted, not told.
            if self.heard.insert((integration, subject.clone())) {
                let to: Vec<String> = mail.to.iter().map(|to| person(to)).collect();
                self.chronicle.say(&format!("mail      {subject:<62} to {}", to.join(", ")));
            }
        }
        self.told = mails.len();
        Ok(())
    }

    /// A person acts through the same calls as `everkey handoff`.
    async fn act(&mut self, act: &Act) -> Result<()> {
        match act {
            Act::Open(id) => {
                let by = self.doer(id).await?;
                let opened = self.engine.open_handoff(id, &by).await.map_err(RunError::into_error)?;
                let integration = opened.handoff.integration.to_string();
                let recipient = opened.handoff.recipient_name.clone();
                if let Some((client_id, value)) = typed(&opened, &self.stage.recorder) {
                    self.consumers.typed(&integration, client_id, value, self.now());
                }
                self.chronicle.say(&format!(
                    "hand-off  {integration:<22} {id} opened and given to {recipient} by {}",
                    person(&by)
                ));
            }
            Act::Confirm(id) => {
                let by = self.doer(id).await?;
                let handoff = self.engine.confirm_handoff(id, &by).await.map_err(RunError::into_error)?;
                self.chronicle.say(&format!(
                    "hand-off  {:<22} {id} confirmed by {}",
                    handoff.integration.as_str(),
                    person(&by)
                ));
            }
        }
        Ok(())
    }

    async fn doer(&self, id: &crate::model::HandoffId) -> Result<String> {
        let handoffs = self.stage.assembled.ports.store.handoffs().await.map_err(|e| explain::store(&e))?;
        Ok(handoffs.into_iter().find(|handoff| handoff.id == *id).map(|handoff| handoff.doer).unwrap_or_default())
    }

    async fn result(&self, options: &DemoOptions) -> Result<Report> {
        let store = &self.stage.assembled.ports.store;
        let mut rotations = Vec::new();
        for policy in &self.stage.policies {
            rotations.extend(store.rotations(&policy.name).await.map_err(|e| explain::store(&e))?);
        }
        let handoffs = store.handoffs().await.map_err(|e| explain::store(&e))?;
        self.stage.emulator.save().map_err(super::stage::failed)?;
        let dir = self.stage.dir.clone();
        let scan = leaks::scan(&dir, &self.stage.recorder, |path| is_allowed(&dir, path));
        let findings = &self.consumers.findings;
        let mut lines: Vec<String> =
            findings.down.iter().map(|(at, name, said)| format!("down: {name} at {at}: {said}")).collect();
        lines.extend(scan.copies.iter().map(|(file, what)| format!("copy: {what} in {}", file.display())));
        let mut down: Vec<(Timestamp, &String)> = findings.down.iter().map(|(at, name, _)| (*at, name)).collect();
        down.dedup();
        Ok(Report {
            schema: "everkey.demo/v1",
            from: options.start,
            to: self.now(),
            rotations: rotations.iter().filter(|r| !r.old.is_empty()).count(),
            issued: rotations.iter().filter(|r| r.old.is_empty()).count(),
            superseded: rotations.iter().filter(|r| r.state == crate::model::State::SupersededUnconfirmed).count(),
            mails: self.stage.mail.count(),
            handoffs: handoffs.len(),
            escalations: self.people.escalations,
            retired: rotations.iter().flat_map(|r| &r.removals).filter(|removal| removal.sent.is_some()).count(),
            down: down.len(),
            instants: findings.instants,
            sign_ins: findings.requests,
            copies: scan.copies.len(),
            files: scan.files,
            secrets: scan.secrets,
            foreign: foreign::touched(&self.stage.emulator, &self.seeded),
            foreign_seeded: self.seeded.len(),
            findings: lines,
        })
    }
}

/// The exact sink paths, and the operator's own credential files.
fn is_allowed(dir: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(dir) else { return false };
    let text = below.to_string_lossy();
    if text == format!("sinks/{INTEGRATIONS_PATH}") {
        return true;
    }
    // The directory that consumers read is a link to the generation beside it.
    let link = dir.join("sinks/var/lib/enate/credential");
    if std::fs::canonicalize(&link).is_ok_and(|generation| path.starts_with(generation)) {
        return true;
    }
    let canonical = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    if std::fs::canonicalize(&link).is_ok_and(|generation| canonical.starts_with(generation)) {
        return true;
    }
    let operators = [
        "emulator/emulator.json",
        "emulator/operator.pem",
        "emulator/operator.pfx",
        "emulator/operator.pfx.password",
        "emulator/operator.secret",
        "emulator/seal.key",
        "emulator/smtp.password",
    ];
    operators.contains(&text.as_ref())
}

/// What a person types into the vendor's portal.
fn typed(opened: &Opened, recorder: &super::recorder::Recorder) -> Option<(ClientId, Held)> {
    let values: BTreeMap<ValueName, &Secret> =
        opened.lines.iter().filter_map(|(field, value)| Some((field.value?, value.as_ref()?))).collect();
    let client_id = values
        .get(&ValueName::ClientId)
        .and_then(|value| value.expose_text())
        .map_or_else(|| opened.handoff.app.client_id.clone(), ClientId::from);
    if let Some(secret) = values.get(&ValueName::Secret) {
        return Some((client_id, Held::ClientSecret(secret.duplicate())));
    }
    let (pfx, password) = (values.get(&ValueName::Pfx)?, values.get(&ValueName::PfxPassword)?);
    recorder.remember("PFX password", password);
    let (key, certificate) = pki::load_pair(pfx.expose(), Some(password)).ok()?;
    Some((client_id, Held::Certificate { key, certificate }))
}

fn person(address: &str) -> String {
    crate::policy::person_name(address)
}

/// Tells of rotations as they happen.
struct Chronicle {
    clock: ManualClock,
    narrator: Arc<dyn Narrator>,
    telling: Mutex<bool>,
}

impl Chronicle {
    fn tell(&self) {
        if let Ok(mut telling) = self.telling.lock() {
            *telling = true;
        }
    }

    fn say(&self, text: &str) {
        if self.telling.lock().is_ok_and(|telling| *telling) {
            self.narrator.line(&format!("  {}  {text}", self.clock.now().strftime("%Y-%m-%d")));
        }
    }
}

impl Progress for Chronicle {
    fn provisioned(&self, _integration: &str, _what: &str) {}

    fn committed(&self, rotation: &Rotation, event: &Event) {
        let what = match event {
            Event::AllDelivered => "stage prove deliver",
            Event::Confirmed => "confirm",
            Event::RemovalSent { .. } => "retire",
            Event::Superseded if rotation.old.is_empty() => "nobody confirmed; its successor starts on its own date",
            Event::Superseded => "the old one ended, nobody confirmed; the new one is current",
            Event::Failed { .. } | Event::AttemptUnknown | Event::Abandoned => "failed",
            _ => return,
        };
        if rotation.old.is_empty() && !matches!(event, Event::Superseded | Event::Failed { .. }) {
            return;
        }
        self.say(&format!("rotation  {:<22} {} {what}", rotation.integration.as_str(), rotation.id));
    }

    fn waiting(&self, _rotation: &Rotation, _until: Option<Timestamp>, _why: &Waiting) {}
}
