//! The command line: arguments, output, one file per command.

mod adopt;
mod adopted;
mod apply;
mod args;
mod context;
mod demo;
mod emulator;
mod exchange;
mod explain;
mod handoff;
mod inventory;
mod new;
mod output;
mod plan;
mod policy_file;
mod progress;
mod reader;
mod rotate;
mod saved;
mod show;
mod status;
mod table;
mod validate;
mod watch;

use std::ffi::OsString;

use clap::CommandFactory as _;
use clap::Parser as _;
use clap::error::ErrorKind;

use crate::error::Class;
use crate::error::Error;

pub use args::Cli;
use args::Command;
use args::Form;
use output::Output;

/// Exit code when everything worked.
pub const OK: u8 = 0;
/// `plan --detailed-exitcode`: changes are pending; `status`: attention is needed.
pub const PENDING: u8 = 2;

/// Runs one command line; the exit code is documented in `everkey help exit-codes`.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    let json_wanted = wants_json(&args);
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, json_wanted),
    };
    crate::telemetry::start(cli.global.verbose);
    let out = Output::new(&cli.global);
    let Some(command) = &cli.command else {
        return show::overview(&out);
    };
    if out.form() == Form::Sarif && !matches!(command, Command::Validate(_)) {
        let error = Error::new(Class::Usage, "U013", "only `validate` writes SARIF").help("use -o json, or no -o");
        return fail(&out, &error);
    }
    if out.form() == Form::Csv && !matches!(command, Command::Inventory(_)) {
        let error = Error::new(Class::Usage, "U030", "this command writes no CSV").help("use -o json, or no -o");
        return fail(&out, &error);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return fail(&out, &Error::new(Class::Failed, "R002", "cannot start").why(error));
        }
    };
    let result = runtime.block_on(dispatch(&cli, command, &out));
    // A prompt that was interrupted still waits for its line: nobody waits for it.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => fail(&out, &error),
    }
}

/// Whether a line that cannot be understood asked for JSON, in any spelling.
fn wants_json(args: &[OsString]) -> bool {
    let spelt = ["-ojson", "-o=json", "--output=json"];
    args.windows(2).any(|pair| (pair[0] == "-o" || pair[0] == "--output") && pair[1] == "json")
        || args.iter().any(|arg| spelt.iter().any(|known| arg == known))
        || crate::config::variable("EVERKEY_OUTPUT").is_some_and(|form| form == "json")
}

async fn dispatch(cli: &Cli, command: &Command, out: &Output) -> Result<u8, Error> {
    match command {
        Command::Adopt(args) => adopt::run(cli, args, out).await,
        Command::Apply(args) => apply::run(cli, args, out).await,
        Command::Demo(args) => demo::run(args, out).await,
        Command::Emulator(args) => emulator::run(cli, args, out).await,
        Command::ExchangeScript(args) => exchange::run(cli, args, out).await,
        Command::Explain(args) => explain::run(args, out),
        Command::Handoff(args) => handoff::run(cli, args, out).await,
        Command::HelpOn(args) => show::help_on(args, out),
        Command::History(args) => show::history(cli, args, out).await,
        Command::Inventory(args) => inventory::run(cli, args, out).await,
        Command::New(args) => new::run(cli, args, out).await,
        Command::Plan(args) => plan::run(cli, args, out).await,
        Command::Rotate(args) => rotate::run(cli, args, out).await,
        Command::Schema(args) => show::schema(args, out),
        Command::Status(args) => status::run(cli, args, out).await,
        Command::Validate(args) => validate::run(cli, args, out),
        Command::Watch(args) => watch::run(cli, args, out).await,
        Command::Version => Ok(show::version(out)),
    }
}

fn fail(out: &Output, error: &Error) -> u8 {
    out.error(error);
    match error.code.as_str() {
        "R001" => crate::cli::apply::signal_code(),
        _ => error.class.exit_code(),
    }
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
                let text = error.render().to_string();
                let first = text.lines().next().unwrap_or("wrong usage").trim_start_matches("error: ").to_owned();
                output::raw(&output::error_document(&Error::new(Class::Usage, "U001", first)), false);
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
