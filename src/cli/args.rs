//! Arguments. Every flag has an `EVERKEY_` variable, shown beside it in `--help`; no flag takes a secret.

mod ca;
mod care;
mod cert;
mod emulator;
mod handoff;
mod inventory;
mod moving;
mod recover;
mod revoke;
mod serve;
mod simulate;
mod tool;
mod trial;
mod watch;

use std::path::PathBuf;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;

pub use ca::CaArgs;
pub use ca::CaCommand;
pub use ca::CaInitArgs;
pub use care::CheckArgs;
pub use care::DoctorArgs;
pub use care::HistoryArgs;
pub use care::HistoryCommand;
pub use care::StoreArgs;
pub use care::StoreCommand;
pub use cert::*;
pub use emulator::EmulatorArgs;
pub use emulator::EmulatorCommand;
pub use emulator::ServeArgs;
pub use handoff::HandoffArgs;
pub use handoff::HandoffCommand;
pub use inventory::CloudName;
pub use inventory::InventoryArgs;
pub use inventory::Place;
pub use moving::ClaimArgs;
pub use moving::CopyArgs;
pub use recover::RecoverArgs;
pub use revoke::RevokeArgs;
pub use serve::DaemonArgs;
pub use serve::EnableArgs;
pub use serve::LogFormat;
pub use simulate::SimulateArgs;
pub use tool::CompletionsArgs;
pub use tool::ConfigArgs;
pub use tool::ConfigCommand;
pub use tool::InitArgs;
pub use tool::ManArgs;
pub use trial::DemoArgs;
pub use trial::DrillArgs;
pub use trial::TokenArgs;
pub use watch::AdoptArgs;
pub use watch::NewArgs;
pub use watch::WatchArgs;

/// Keeps the credentials of Microsoft Entra app registrations alive.
#[derive(Debug, Parser)]
#[command(name = "everkey", version, about, disable_help_subcommand = true, arg_required_else_help = false)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of every command.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// Tool configuration
    #[arg(
        short = 'C',
        long,
        global = true,
        env = "EVERKEY_CONFIG",
        value_name = "FILE",
        default_value = "everkey.toml"
    )]
    pub config: PathBuf,
    /// Directory of the policies (default: `policies` of the configuration)
    #[arg(short, long, global = true, env = "EVERKEY_POLICY", value_name = "DIR")]
    pub policy: Option<PathBuf>,
    /// Tenant of the configuration to work on
    #[arg(short, long, global = true, env = "EVERKEY_TENANT", value_name = "NAME")]
    pub tenant: Option<String>,
    /// Form of the output
    #[arg(short, long, global = true, env = "EVERKEY_OUTPUT", value_enum, default_value_t = Form::Table)]
    pub output: Form,
    /// Only results and errors
    #[arg(short, long, global = true, env = "EVERKEY_QUIET")]
    pub quiet: bool,
    /// Log to standard error; -vv and -vvv tell more
    #[arg(short, long, global = true, env = "EVERKEY_VERBOSE", action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Colours
    #[arg(long, global = true, env = "EVERKEY_COLOR", value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// No progress display
    #[arg(long, global = true, env = "EVERKEY_NO_PROGRESS")]
    pub no_progress: bool,
    /// Never ask; fail instead
    #[arg(long, global = true, env = "EVERKEY_NO_INPUT")]
    pub no_input: bool,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Form {
    /// For people.
    Table,
    /// One JSON document on standard output, also on failure.
    Json,
    /// Comma-separated values, for exports.
    Csv,
    /// One JSON document a line, for exports.
    Ndjson,
    /// SARIF 2.1.0, for `validate`.
    Sarif,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Do the whole job once, offline, against the built-in emulator
    #[command(after_long_help = "Examples:\n  everkey demo\n  everkey demo --keep ./everkey-demo")]
    Demo(DemoArgs),
    /// The built-in Entra and Graph emulator
    Emulator(EmulatorArgs),
    /// Show what your policies will do in the years ahead, offline: rotations, mails, hand-offs, freezes
    #[command(
        after_long_help = "Examples:\n  everkey simulate\n  everkey simulate -p policies --for 3y --people slow\n  everkey simulate --absent priya.shah@contoso.example --html three-years.html\n  everkey simulate --max-secret-lifetime 180d --limits-from 2027-06-01\n\nExit code 0: nothing would ever stop. 1: something would; the first line says what, when and why."
    )]
    Simulate(SimulateArgs),
    /// Every credential of the tenant; reads only, needs no configuration
    #[command(
        after_long_help = "Examples:\n  everkey inventory --within 90d\n  everkey inventory -o csv\n\nWithout a configuration the Azure CLI signs in: az login. Needs Application.Read.All."
    )]
    Inventory(InventoryArgs),
    /// Tell people about the whole tenant: expiries, and new credentials; changes nothing in Entra
    #[command(
        after_long_help = "Examples:\n  everkey watch --all\n  everkey watch --all --owner platform@contoso.example"
    )]
    Watch(WatchArgs),
    /// Write a policy file for an application that is there; changes nothing in Entra
    #[command(
        after_long_help = "Examples:\n  everkey adopt SecurEnds --pm d.okoro@contoso.example\n  everkey adopt --all --expiring 90d\n  everkey adopt --take-back 3f1c9a52-7f0d-4f0e-9c1b-2a6d8e4b7c10"
    )]
    Adopt(AdoptArgs),
    /// Write a policy file like another one, with other values
    #[command(
        after_long_help = "Examples:\n  everkey new --from enate-graph-mail --set name=enate-test --set people.owner=ops@contoso.example\n  everkey new --from reapit-lead-imports --set name=other-vendor --set credential.lifetime=365d"
    )]
    New(NewArgs),
    /// Check the policies and the configuration, offline
    #[command(after_long_help = "Examples:\n  everkey validate\n  everkey validate -o json --strict")]
    Validate(ValidateArgs),
    /// Show what would change, and why; changes nothing
    #[command(after_long_help = "Examples:\n  everkey plan\n  everkey plan --out rotate.plan")]
    Plan(PlanArgs),
    /// Provision and rotate what the plan says
    #[command(after_long_help = "Examples:\n  everkey apply\n  everkey apply --yes --only enate-graph-mail")]
    Apply(ApplyArgs),
    /// Rotate now, with overlap, whatever the date
    #[command(after_long_help = "Examples:\n  everkey rotate reapit-lead-imports\n  everkey rotate --all --dry-run")]
    Rotate(RotateArgs),
    /// A credential is in the wrong hands: replace it now, remove it without overlap, write the evidence
    #[command(
        after_long_help = "Examples:\n  everkey revoke lexzur-email-engine --emergency --reason leaked-in-ticket-4711\n  everkey revoke lexzur-email-engine --evidence ./evidence\n  everkey revoke lexzur-email-engine --enable-sign-in --by r.khan@contoso.example\n\nThe journal carries an emergency: the same command, or everkey serve, goes on with it."
    )]
    Revoke(RevokeArgs),
    /// After the loss of the store or its seal key: adopt what is left of it, and rotate it one by one
    #[command(
        after_long_help = "Examples:\n  everkey recover\n  everkey recover --confirm reapit-lead-imports --by priya.shah@contoso.example\n\nNothing stops while the store is gone, and nothing is removed here."
    )]
    Recover(RecoverArgs),
    /// Let everkey rotate an integration: sets `mode = "rotate"` in its policy
    #[command(
        after_long_help = "Examples:\n  everkey enable reapit-lead-imports\n  everkey enable enate-graph-mail --yes"
    )]
    Enable(EnableArgs),
    /// Add a throw-away secret to an application, sign in with it, remove it: proves rights and network, changes nothing
    #[command(
        after_long_help = "Examples:\n  everkey drill reapit-lead-imports\n  everkey drill enate-graph-mail --yes -o json\n  \
                           everkey drill --sandbox --purge"
    )]
    Drill(DrillArgs),
    /// Sign in with an integration's current credential and tell what the token allows; never the token
    #[command(after_long_help = "Examples:\n  everkey token enate-graph-mail\n  everkey token --as-everkey -o json")]
    Token(TokenArgs),
    /// Do what is due when it is due, as a daemon; or one cycle of it
    #[command(
        after_long_help = "Examples:\n  everkey serve --listen 127.0.0.1:8080\n  everkey serve --once -o json\n\nSIGHUP reads configuration and policies again; what is invalid changes nothing. SIGTERM and SIGINT end the\ndaemon at the next safe point with exit code 0; `--once` ends with 143 or 130, like `apply`."
    )]
    Serve(DaemonArgs),
    /// Write an everkey.toml with comments and a new seal key; overwrites nothing
    #[command(
        after_long_help = "Examples:\n  everkey init --tenant-id 8f0c1d52-0000-4000-8000-0000000031aa --client-id 3f0c1d52-0000-4000-8000-00000000e0e0\n  everkey -C /etc/everkey/everkey.toml init --certificate-file /etc/everkey/everkey.pem"
    )]
    Init(InitArgs),
    /// Settings and where they come from
    Config(ConfigArgs),
    /// Completions for a shell; names of integrations are completed too
    #[command(
        after_long_help = "Examples:\n  everkey completions bash\n  everkey completions zsh\n\nBash: put `source <(everkey completions bash)` into ~/.bashrc."
    )]
    Completions(CompletionsArgs),
    /// Manual pages
    #[command(after_long_help = "Examples:\n  everkey man\n  everkey man --dir ./man1")]
    Man(ManArgs),
    /// What is wrong here, and how to mend it
    #[command(
        after_long_help = "Examples:\n  everkey doctor\n  everkey doctor --online=false -o json\n  everkey doctor --systemd-drop-in\n\nExits 1 when anything FAILs."
    )]
    Doctor(DoctorArgs),
    /// One line for monitoring: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
    #[command(
        after_long_help = "Examples:\n  everkey check\n  everkey check -w 30d -c 7d reapit-lead-imports\n\nWhatever goes wrong is UNKNOWN (3), wrong usage too; never OK."
    )]
    Check(CheckArgs),
    /// The store: check, back up, restore, seal under a new key
    Store(StoreArgs),
    /// Where every integration stands
    #[command(after_long_help = "Examples:\n  everkey status\n  everkey status --within 60d -o json")]
    Status(StatusArgs),
    /// Sealed items that people carry to a vendor
    Handoff(HandoffArgs),
    /// The Exchange Online script that limits an app to its mailboxes; a person runs it
    #[command(
        after_long_help = "Examples:\n  everkey exchange-script enate-graph-mail\n  everkey exchange-script enate-graph-mail --out enate.ps1"
    )]
    ExchangeScript(ExchangeArgs),
    /// Certificates: make, sign, convert, look at
    Cert(CertArgs),
    /// A local certificate authority
    Ca(CaArgs),
    /// What happened, and who did it
    #[command(
        after_long_help = "Examples:\n  everkey history reapit-lead-imports -n 4\n  everkey history --since 2026-11-01\n  everkey history verify"
    )]
    History(HistoryArgs),
    /// Explain an error code, or look permissions up
    #[command(after_long_help = "Examples:\n  everkey explain P012\n  everkey explain permissions --search mail")]
    Explain(ExplainArgs),
    /// JSON schemas of the policy file and the tool configuration
    #[command(after_long_help = "Examples:\n  everkey schema policy\n  everkey schema config")]
    Schema(SchemaArgs),
    /// Help on a topic: exit-codes, steps
    #[command(name = "help", after_long_help = "Examples:\n  everkey help exit-codes\n  everkey help steps")]
    HelpOn(HelpArgs),
    /// The version
    Version,
}

/// `validate`
#[derive(Args, Debug)]
pub struct ValidateArgs {
    /// Policy files or directories (default: the policies of the configuration)
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Warnings are errors
    #[arg(long, env = "EVERKEY_STRICT")]
    pub strict: bool,
}

/// `plan`
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// Only these integrations
    #[arg(long, env = "EVERKEY_ONLY", value_name = "NAME")]
    pub only: Vec<String>,
    /// Save the plan, for `everkey apply FILE`
    #[arg(long, env = "EVERKEY_OUT", value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Exit 2 when changes are pending
    #[arg(long, env = "EVERKEY_DETAILED_EXITCODE")]
    pub detailed_exitcode: bool,
}

/// `apply`
#[derive(Args, Debug)]
pub struct ApplyArgs {
    /// A saved plan: do exactly this, or refuse
    #[arg(value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Only these integrations
    #[arg(long, env = "EVERKEY_ONLY", value_name = "NAME")]
    pub only: Vec<String>,
    /// Do not ask
    #[arg(short, long, env = "EVERKEY_YES")]
    pub yes: bool,
    /// Refuse when more integrations than this would change
    #[arg(long, env = "EVERKEY_MAX_CHANGES", value_name = "N")]
    pub max_changes: Option<usize>,
    /// Begin with an empty store although another one works on this tenant, or the place does not last
    #[arg(long, env = "EVERKEY_NEW_STORE")]
    pub new_store: bool,
}

/// `rotate`
#[derive(Args, Debug)]
pub struct RotateArgs {
    /// Integration
    #[arg(value_name = "NAME", required_unless_present = "all")]
    pub name: Option<String>,
    /// All integrations
    #[arg(long, env = "EVERKEY_ALL", conflicts_with = "name")]
    pub all: bool,
    /// Only those with this tag
    #[arg(long, env = "EVERKEY_TAG", value_name = "KEY=VALUE")]
    pub tag: Option<String>,
    /// Show what would happen
    #[arg(long, env = "EVERKEY_DRY_RUN")]
    pub dry_run: bool,
    /// Begin with an empty store although another one works on this tenant, or the place does not last
    #[arg(long, env = "EVERKEY_NEW_STORE")]
    pub new_store: bool,
    /// Do not ask
    #[arg(short, long, env = "EVERKEY_YES")]
    pub yes: bool,
}

/// `status`
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Only what ends within this time (`60d`)
    #[arg(long, env = "EVERKEY_WITHIN", value_name = "DUR")]
    pub within: Option<String>,
    /// Exit 2 when something needs attention
    #[arg(long, env = "EVERKEY_DETAILED_EXITCODE")]
    pub detailed_exitcode: bool,
}

/// `exchange-script`
#[derive(Args, Debug)]
pub struct ExchangeArgs {
    /// Integration with `[mailboxes]`
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Write it to this file
    #[arg(long, env = "EVERKEY_OUT", value_name = "FILE")]
    pub out: Option<std::path::PathBuf>,
}

/// `explain`
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// An error code (`P012`), or `permissions`
    #[arg(value_name = "CODE|permissions")]
    pub what: String,
    /// With `permissions`: names that contain this
    #[arg(long, env = "EVERKEY_SEARCH", value_name = "TEXT")]
    pub search: Option<String>,
}

/// `schema`
#[derive(Args, Debug)]
pub struct SchemaArgs {
    /// Which
    #[arg(value_enum)]
    pub which: SchemaKind,
}

/// Which schema.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum SchemaKind {
    /// A policy file.
    Policy,
    /// `everkey.toml`.
    Config,
}

/// `help`
#[derive(Args, Debug)]
pub struct HelpArgs {
    /// `exit-codes`, `steps`, or a command
    pub topic: Option<String>,
}
