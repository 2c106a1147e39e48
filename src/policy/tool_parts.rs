//! `[defaults]`, `[alerts]`, `[mail]` and `[serve]` of `everkey.toml`.

use std::net::SocketAddr;

use jiff::SignedDuration;
use jiff::civil::Time;

use super::Alerts;
use super::Defaults;
use super::Mail;
use super::MailAuth;
use super::Mode;
use super::Person;
use super::Serve;
use super::Tls;
use super::Transport;
use super::check::plain;
use super::check::when;
use super::diagnostics::Report;
use super::read_tool::Base;
use super::suggest;
use super::tree::At;
use super::values;
use super::wire::tool as wire;

/// Days before the end at which people hear, when the file says none (`mail.md` 7).
const USUAL_DAYS: [u32; 7] = [60, 30, 14, 7, 3, 1, 0];

/// `[defaults]`.
pub(super) fn defaults(file: &wire::ToolFile, at: At<'_>, report: &mut Report<'_>) -> Defaults {
    let empty = wire::Defaults::default();
    let wire = file.defaults.as_ref().unwrap_or(&empty);
    let at_tenants = at.key("tenants");
    let at = at.key("defaults");
    let only = || if file.tenants.len() == 1 { file.tenants.keys().next().cloned() } else { None };
    if let Some(tenant) = wire.tenant.as_ref().filter(|name| !file.tenants.contains_key(*name))
        && !at_tenants.is_broken()
    {
        report
            .error("P049", at.key("tenant").span(), format!("there is no tenant \"{tenant}\""))
            .suggest(suggest::did_you_mean(tenant, file.tenants.keys().map(String::as_str)))
            .help("describe it in `[tenants.NAME]`");
    }
    let schedule_text = wire.schedule.clone().unwrap_or_else(|| "0 6 * * MON-FRI".into());
    let schedule = when::schedule(&schedule_text, at.key("schedule"), report);
    let timezone = wire.timezone.clone().unwrap_or_else(|| "UTC".into());
    when::timezone(&timezone, at.key("timezone"), report);
    let window = when::window(wire.window.as_deref(), at.key("window"), report);
    when::fits_window(schedule.as_ref(), window, at.key("window"), report);
    let most = wire.max_new_rotations_per_day.unwrap_or(5);
    Defaults {
        tenant: wire.tenant.clone().or_else(only),
        mode: wire.mode.unwrap_or(Mode::Alert),
        schedule: schedule_text,
        timezone,
        freeze: when::freeze(&wire.freeze, at.key("freeze"), report),
        window,
        max_new_rotations_per_day: whole(most, 1..=10_000, at.key("max_new_rotations_per_day"), report),
        jitter: plain::duration(wire.jitter.as_deref(), at.key("jitter"), report).unwrap_or(SignedDuration::ZERO),
    }
}

/// A whole number within a range; its nearest bound when it is outside and reported.
fn whole(value: u64, range: std::ops::RangeInclusive<u32>, at: At<'_>, report: &mut Report<'_>) -> u32 {
    let (least, most) = (*range.start(), *range.end());
    match u32::try_from(value) {
        Ok(value) if range.contains(&value) => value,
        _ => {
            report
                .error("P054", at.span(), format!("this must be {least} to {most}"))
                .help("choose a number in that range");
            most
        }
    }
}

/// `[alerts]`.
pub(super) fn alerts(wire: Option<&wire::Alerts>, base: &Base<'_>, at: At<'_>, report: &mut Report<'_>) -> Alerts {
    let empty = wire::Alerts::default();
    let wire = wire.unwrap_or(&empty);
    for (key, address) in [("fallback_to", &wire.fallback_to), ("security_to", &wire.security_to)] {
        if let Some(address) = address {
            plain::address(address, at.key(key), report);
        }
    }
    for (index, address) in wire.escalate_to.iter().enumerate() {
        plain::address(address, at.key("escalate_to").item(index), report);
    }
    if let Some(url) = &wire.heartbeat_url {
        plain::url(url, at.key("heartbeat_url"), report);
    }
    let mut people = std::collections::BTreeMap::new();
    for (address, wire) in &wire.people {
        if !values::is_address(address) {
            let place = at.key("people").key(address).key_span();
            report
                .error("P039", place, "this is not an e-mail address")
                .help("quote it: `people.\"priya.shah@contoso.example\"`");
        }
        let language = wire.language.clone().unwrap_or_else(|| "en".into());
        people.insert(address.clone(), Person { channel: wire.channel, language });
    }
    Alerts {
        before_days: before_days(wire.before.as_deref(), at.key("before"), report),
        send_at: send_at(wire.send_at.as_deref(), at.key("send_at"), report),
        working_days_only: wire.working_days_only.unwrap_or(true),
        holidays_file: wire.holidays.as_deref().map(|path| base.path(path)),
        holidays: Vec::new(),
        fallback_to: wire.fallback_to.clone(),
        security_to: wire.security_to.clone(),
        digest: wire.digest.as_deref().and_then(|text| {
            values::weekly(text)
                .map_err(|reason| {
                    let found = report.error("P019", at.key("digest").span(), "this time of the week cannot be read");
                    found.label(reason).help("a weekday and a time: `Mon 08:30`");
                })
                .ok()
        }),
        heartbeat_url: wire.heartbeat_url.clone(),
        templates: wire.templates.as_deref().map(|path| base.path(path)),
        people,
        escalate_to: wire.escalate_to.clone(),
    }
}

fn before_days(before: Option<&[String]>, at: At<'_>, report: &mut Report<'_>) -> Vec<u32> {
    let Some(before) = before else { return USUAL_DAYS.to_vec() };
    let mut found = Vec::new();
    for (index, text) in before.iter().enumerate() {
        let here = at.item(index);
        let Some(duration) = plain::duration(Some(text), here, report) else { continue };
        let seconds = duration.as_secs();
        match u32::try_from(seconds / 86_400) {
            Ok(days) if seconds % 86_400 == 0 => found.push(days),
            _ => {
                report.error("P010", here.span(), "a stage is a whole number of days").help("for instance `30d`");
            }
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.dedup();
    found
}

fn send_at(text: Option<&str>, at: At<'_>, report: &mut Report<'_>) -> Time {
    let usual = jiff::civil::time(9, 0, 0, 0);
    let Some(text) = text else { return usual };
    values::time_of_day(text).unwrap_or_else(|reason| {
        let found = report.error("P019", at.span(), "this time of day cannot be read");
        found.label(reason).help("for instance `09:00`");
        usual
    })
}

/// `[mail]`.
pub(super) fn mail(wire: &wire::Mail, base: &Base<'_>, at: At<'_>, report: &mut Report<'_>) -> Mail {
    let from = wire.from.clone().unwrap_or_default();
    let address = from.rsplit_once('<').map_or(from.as_str(), |(_, rest)| rest.trim_end_matches('>'));
    if wire.from.is_some() && (!values::is_address(address) || from.chars().any(char::is_control)) {
        report
            .error("P039", at.key("from").span(), "this is not a sender")
            .help("`Credential manager <everkey@contoso.example>`");
    }
    let transport = wire.transport.unwrap_or(Transport::Smtp);
    if transport == Transport::Smtp && wire.host.is_none() && !at.is_broken() {
        report.error("P043", at.span(), "`host` is missing").help("the SMTP server, or `transport = \"graph\"`");
    }
    let tls = wire.tls.unwrap_or(Tls::Starttls);
    let usual_port = if tls == Tls::Implicit { 465 } else { 587 };
    let port = whole(wire.port.unwrap_or(usual_port), 1..=65_535, at.key("port"), report);
    let has_password = wire.password_file.is_some() || wire.password_env.is_some();
    let auth = wire.auth.or(has_password.then_some(MailAuth::Password));
    let (mut password, file, variable) = (None, wire.password_file.as_ref(), wire.password_env.as_ref());
    match auth {
        Some(MailAuth::Password) => password = base.secret("password", file, variable, at, report),
        Some(MailAuth::Xoauth2) if has_password => {
            let key = if file.is_some() { "password_file" } else { "password_env" };
            report
                .error("P050", at.key(key).key_span(), "`xoauth2` signs in with a token, not with a password")
                .help("remove it, or set `auth = \"password\"`");
        }
        _ => {}
    }
    if auth.is_some() && wire.username.is_none() && !at.is_broken() {
        report.error("P043", at.span(), "signing in to the mail server needs `username`").help("the sending mailbox");
    }
    Mail {
        from,
        transport,
        host: wire.host.clone().unwrap_or_default(),
        // `whole` keeps it within 1 to 65535.
        port: u16::try_from(port).unwrap_or(u16::MAX),
        tls,
        ca_file: wire.ca_file.as_deref().map(|path| base.path(path)),
        auth,
        username: wire.username.clone(),
        password,
    }
}

/// `[serve]`.
pub(super) fn serve(wire: &wire::Serve, at: At<'_>, report: &mut Report<'_>) -> Serve {
    if let Some(url) = &wire.public_url {
        plain::url(url, at.key("public_url"), report);
    }
    let usual = SocketAddr::from(([127, 0, 0, 1], 8080));
    let listen = wire.listen.as_deref().map_or(Ok(usual), str::parse);
    let listen = listen.unwrap_or_else(|_| {
        let found = report.error("P045", at.key("listen").span(), "this is not an address to listen on");
        found.help("for instance `127.0.0.1:8080`");
        usual
    });
    let public_url = wire.public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
    Serve { listen, public_url }
}
