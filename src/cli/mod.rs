//! The command line: arguments, output, one file per command.

mod adopt;
mod adopted;
mod apply;
mod args;
mod ask;
mod cert;
mod check;
mod context;
mod csv;
mod demo;
mod doctor;
mod drill;
mod emulator;
mod enable;
mod exchange;
mod explain;
mod faults;
mod guard;
mod handoff;
mod history;
mod impact;
mod init;
mod inventory;
mod moving;
mod new;
mod output;
mod plan;
mod policy_file;
mod progress;
mod reader;
mod recover;
mod revoke;
mod rotate;
mod rows;
mod sandbox;
mod saved;
mod serve;
mod settings;
mod shells;
mod show;
mod signals;
mod simulate;
mod status;
mod store;
mod table;
mod token;
mod validate;
mod watch;

use std::ffi::OsString;

use clap::CommandFactory as _;
use clap::FromArgMatches as _;
use clap::error::ErrorKind;

use crate::error::Class;
use crate::error::Error;

pub use args::Cli;
use args::Command;
use args::Form;
pub use cert::CODES as CERT_CODES;
pub use faults::CODES as FAULT_CODES;
use output::Output;
pub use recover::CODES as RECOVER_CODES;
use settings::Origins;
pub use simulate::CODES as SIMULATE_CODES;

/// Exit code when everything worked.
pub const OK: u8 = 0;
/// `plan --detailed-exitcode`: changes are pending; `status`: attention is needed.
pub const PENDING: u8 = 2;

/// Runs one command line; the exit code is documented in `everkey help exit-codes`.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    if shells::complete(&args) {
        return OK;
    }
    let json_wanted = wants_json(&args);
    let (cli, origins) = match parse(&args) {
        Ok(parsed) => parsed,
        Err(error) if is_check(&args) && error.use_stderr() => {
            return check::unknown(&usage_error(&error), json_wanted);
        }
        Err(error) => return usage(&error, json_wanted),
    };
    match &cli.command {
        Some(Command::Serve(args)) if !args.once => {
            crate::telemetry::daemon(args.log_format == args::LogFormat::Json, cli.global.verbose);
        }
        _ => crate::telemetry::start(cli.global.verbose),
    }
    let out = Output::new(&cli.global);
    let Some(command) = &cli.command else {
        return show::overview(&out);
    };
    if let Some(error) = wrong_form(out.form(), command) {
        return fail(&out, &error);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return fail(&out, &Error::new(Class::Failed, "R002", "cannot start").why(error));
        }
    };
    let result = runtime.block_on(dispatch(&cli, command, &origins, &out));
    // A prompt that was interrupted still waits for its line: nobody waits for it.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => fail(&out, &error),
    }
}

/// Reads a command line. An empty variable is none, and a switch takes `1`, `yes` and `on` as well as `true`.
fn parse(args: &[OsString]) -> Result<(Cli, Origins), clap::Error> {
    let mut command = Cli::command();
    tolerate_variables(&mut command);
    let mut matches = command.try_get_matches_from_mut(args)?;
    let origins = Origins::of(&matches);
    Ok((Cli::from_arg_matches_mut(&mut matches)?, origins))
}

fn tolerate_variables(command: &mut clap::Command) {
    *command = std::mem::take(command).mut_args(|argument| {
        let name = argument.get_env().and_then(std::ffi::OsStr::to_str).map(str::to_owned);
        let is_empty = name.is_some_and(|name| crate::config::variable(&name).is_some_and(|value| value.is_empty()));
        let is_switch = matches!(argument.get_action(), clap::ArgAction::SetTrue) && argument.get_env().is_some();
        let argument = if is_empty { argument.env(None::<&str>) } else { argument };
        if is_switch { argument.value_parser(clap::builder::BoolishValueParser::new()) } else { argument }
    });
    for sub in command.get_subcommands_mut() {
        tolerate_variables(sub);
    }
}

/// Whether a line, however wrong, is one of `check`: monitoring takes 3 for UNKNOWN and knows no 64.
fn is_check(args: &[OsString]) -> bool {
    let read = Cli::command().ignore_errors(true).try_get_matches_from(args);
    read.is_ok_and(|found| found.subcommand_name() == Some("check"))
}

/// Forms that few commands have.
fn wrong_form(form: Form, command: &Command) -> Option<Error> {
    let exports = matches!(
        command,
        Command::History(args::HistoryArgs { command: Some(args::HistoryCommand::Export { .. }), .. })
    );
    match form {
        // `check` says it in its own way.
        _ if matches!(command, Command::Check(_)) => None,
        Form::Sarif if !matches!(command, Command::Validate(_)) => {
            Some(Error::new(Class::Usage, "U013", "only `validate` writes SARIF").help("use -o json, or no -o"))
        }
        Form::Csv if matches!(command, Command::Inventory(_)) => None,
        Form::Csv | Form::Ndjson if matches!(command, Command::Simulate(_)) => None,
        Form::Csv | Form::Ndjson if !exports => Some(
            Error::new(Class::Usage, "U015", "this command does not write CSV or NDJSON")
                .help("use -o json, or no -o; `everkey history export` writes them, `everkey inventory` CSV"),
        ),
        _ => None,
    }
}

/// Whether a line that cannot be understood asked for JSON, in any spelling.
fn wants_json(args: &[OsString]) -> bool {
    let spelt = ["-ojson", "-o=json", "--output=json"];
    args.windows(2).any(|pair| (pair[0] == "-o" || pair[0] == "--output") && pair[1] == "json")
        || args.iter().any(|arg| spelt.iter().any(|known| arg == known))
        || crate::config::variable("EVERKEY_OUTPUT").is_some_and(|form| form == "json")
}

async fn dispatch(cli: &Cli, command: &Command, origins: &Origins, out: &Output) -> Result<u8, Error> {
    match command {
        Command::Adopt(args) => adopt::run(cli, args, out).await,
        Command::Apply(args) => apply::run(cli, args, out).await,
        Command::Ca(args) => cert::authority::run(cli, args, out).await,
        Command::Cert(args) => cert::run(cli, args, out).await,
        Command::Check(args) => Ok(check::run(cli, args, out).await),
        Command::Completions(args) => shells::completions(args, out),
        Command::Config(args) => settings::run(cli, args, origins, out),
        Command::Demo(args) => demo::run(args, out).await,
        Command::Doctor(args) => doctor::run(cli, args, out).await,
        Command::Drill(args) => drill::run(cli, args, out).await,
        Command::Emulator(args) => emulator::run(cli, args, out).await,
        Command::Enable(args) => enable::run(cli, args, out).await,
        Command::ExchangeScript(args) => exchange::run(cli, args, out).await,
        Command::Explain(args) => explain::run(args, out),
        Command::Handoff(args) => handoff::run(cli, args, out).await,
        Command::HelpOn(args) => show::help_on(args, out),
        Command::History(args) => history::run(cli, args, out).await,
        Command::Init(args) => init::run(cli, args, out),
        Command::Man(args) => shells::man(args, out),
        Command::Inventory(args) => inventory::run(cli, args, out).await,
        Command::New(args) => new::run(cli, args, out).await,
        Command::Plan(args) => plan::run(cli, args, out).await,
        Command::Revoke(args) => revoke::run(cli, args, out).await,
        Command::Recover(args) => recover::run(cli, args, out).await,
        Command::Rotate(args) => rotate::run(cli, args, out).await,
        Command::Schema(args) => show::schema(args, out),
        Command::Serve(args) => serve::run(cli, args, out).await,
        Command::Simulate(args) => simulate::run(cli, args, out).await,
        Command::Store(args) => store::run(cli, args, out).await,
        Command::Status(args) => status::run(cli, args, out).await,
        Command::Token(args) => token::run(cli, args, out).await,
        Command::Validate(args) => validate::run(cli, args, out),
        Command::Watch(args) => watch::run(cli, args, out).await,
        Command::Version => Ok(show::version(out)),
    }
}

fn fail(out: &Output, error: &Error) -> u8 {
    out.error(error);
    match error.code.as_str() {
        "R001" => signals::signal_code(),
        _ => error.class.exit_code(),
    }
}

/// Wrong usage as an error of ours: the first line says it.
fn usage_error(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or("wrong usage").trim_start_matches("error: ").to_owned();
    Error::new(Class::Usage, "U001", first)
}

/// clap's own exit code for wrong usage is 2, which must never mean "error" here.
fn usage(error: &clap::Error, json: bool) -> u8 {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output::raw(&error.render().to_string(), false);
            OK
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::raw(&error.render().to_string(), true);
            Class::Usage.exit_code()
        }
        _ => {
            if json {
                output::raw(&output::error_document(&usage_error(error)), false);
            } else {
                output::raw(&error.render().to_string(), true);
            }
            Class::Usage.exit_code()
        }
    }
}

/// The whole command tree, for `man`, completions and tests.
pub fn command() -> clap::Command {
    Cli::command()
}
