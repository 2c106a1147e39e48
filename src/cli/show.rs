//! Small commands that only show: the overview, help topics, schemas.

use clap::CommandFactory as _;
use serde_json::json;

use super::OK;
use super::args::Cli;
use super::args::HelpArgs;
use super::args::SchemaArgs;
use super::args::SchemaKind;
use super::output::Output;
use crate::error::Class;
use crate::error::Error;
use crate::policy;

/// What `everkey` alone prints.
pub const OVERVIEW: &str = "\
everkey keeps the credentials of Microsoft Entra app registrations alive.

  Try     demo, emulator serve
  Start   init, inventory, watch, adopt, new, enable, doctor
  Daily   validate, plan, apply, status, check, rotate, handoff list|show|open|confirm|reissue
  Certs   cert issue|csr|sign|import|inspect|convert|verify|expiring|request|answer, ca init
  Run     serve [--once], history verify|show|export, store check|backup|restore|reseal
  Tool    config show, exchange-script, explain, schema, completions, man, help <topic>, version

Examples:
  everkey demo                    the whole job once, offline, in seconds
  everkey -C everkey.toml plan    what would change in a tenant, and why

`everkey COMMAND --help` tells more; `everkey help exit-codes` lists the exit codes.
";

const EXIT_CODES: &str = "\
  0    worked (also: nothing to do; a hand-off or consent waits for a person)
  1    failed
  2    only with --detailed-exitcode: changes pending (plan), attention needed (status)
  3    partly applied; see results[]; run again, it resumes
  5    cancelled at a prompt
  64   wrong usage, or confirmation needed but no terminal and no --yes
  65   policy or another input file invalid
  69   Microsoft Graph or SMTP unreachable; try again
  75   throttled, or another run holds the lock; try again later
  77   sign-in failed or permission missing
  78   configuration missing or unreadable
  `everkey check` alone: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (any failure, wrong usage too)
  130  SIGINT   143  SIGTERM: the journal is consistent, run the command again
";

const STEPS: &str = "\
  stage    make it, seal it in the store, attach it to the app registration
  prove    sign in with it, three times over a minute, until Entra accepts it
  deliver  write it to every sink and read it back, or hand it to a person
  confirm  evidence that the consumer uses it
  retire   remove the old one, after the overlap, behind the guard
";

/// `everkey` alone.
pub fn overview(out: &Output) -> u8 {
    help("overview", OVERVIEW, out);
    OK
}

/// `everkey version`.
pub fn version(out: &Output) -> u8 {
    let version = env!("CARGO_PKG_VERSION");
    out.print(&format!("everkey {version}\n"));
    out.document(&json!({"schema": "everkey.version/v1", "version": version}));
    OK
}

fn help(topic: &str, text: &str, out: &Output) {
    out.print(text);
    out.document(&json!({"schema": "everkey.help/v1", "topic": topic, "text": text}));
}

/// `everkey help TOPIC`.
pub fn help_on(args: &HelpArgs, out: &Output) -> Result<u8, Error> {
    match args.topic.as_deref() {
        None => help("overview", OVERVIEW, out),
        Some("exit-codes") => help("exit-codes", EXIT_CODES, out),
        Some("steps") => help("steps", STEPS, out),
        Some(name) => {
            let mut root = Cli::command();
            let Some(command) = root.find_subcommand_mut(name) else {
                return Err(Error::new(Class::Usage, "U010", format!("there is no help on {name:?}"))
                    .help("topics: exit-codes, steps, and every command"));
            };
            let text = command.render_long_help().to_string();
            help(name, &text, out);
        }
    }
    Ok(OK)
}

/// `everkey schema policy|config`.
pub fn schema(args: &SchemaArgs, out: &Output) -> Result<u8, Error> {
    let schema = match args.which {
        SchemaKind::Policy => policy::schema_policy(),
        SchemaKind::Config => policy::schema_tool(),
    };
    out.verbatim(&format!("{schema:#}\n"));
    Ok(OK)
}
