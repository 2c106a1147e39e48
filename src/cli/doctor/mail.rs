//! What the mail server says, what waits in the outbox, and what Entra shows that the store does not know.

use std::sync::Arc;

use super::Finding;
use super::Status;
use crate::assemble;
use crate::assemble::Online;
use crate::cli::check::stuck_since;
use crate::cli::guard;
use crate::config::Settings;
use crate::policy::Mail;
use crate::ports::Store;
use crate::run::explain;

/// Looks at them, sending nothing.
pub async fn look(settings: &Settings, online: &Online, findings: &mut Vec<Finding>) {
    const PAGE: &str = "reference/mail.md";
    let Some(mail) = &settings.tool.mail else {
        return findings.push(
            Finding::new("mail", Status::Warn, "no [mail]: nobody can be told")
                .fix("add [mail] to everkey.toml, or watch `everkey check`")
                .docs(PAGE),
        );
    };
    let place = format!("{}:{}", mail.host, mail.port);
    let checked = match assemble::mailer(mail, Arc::clone(&online.clock)) {
        Ok(smtp) => smtp.check().await.map_err(|error| explain::mail(&error)),
        Err(error) => Err(error),
    };
    findings.push(match checked {
        Ok(()) => {
            let signed_in = mail.username.as_ref().map_or_else(String::new, |name| format!(", signed in as {name}"));
            Finding::ok("mail", format!("{place}, TLS{signed_in}"))
        }
        Err(error) => Finding::failed("mail", &error).docs(PAGE),
    });
    if is_basic_exchange(mail) {
        findings.push(
            Finding::new(
                "mail auth",
                Status::Warn,
                "Exchange Online takes passwords for SMTP no longer by default after December 2026",
            )
            .fix("plan another relay")
            .docs(PAGE),
        );
    }
    if let Ok(Some(store)) = assemble::store_if_there(settings).await {
        if let Ok(unsent) = store.unsent().await
            && let Some(since) = stuck_since(&unsent, online.clock.now())
        {
            let text = format!("{} mails wait since {}", unsent.len(), since.strftime("%Y-%m-%d %H:%M UTC"));
            findings.push(
                Finding::new("outbox", Status::Fail, text).fix("mend [mail]; the next run sends them").docs(PAGE),
            );
        }
        strays(online, store.as_ref(), findings).await;
    }
}

fn is_basic_exchange(mail: &Mail) -> bool {
    mail.password.is_some() && [".office365.com", ".outlook.com"].iter().any(|host| mail.host.ends_with(host))
}

/// Credentials with this store's tag that its journal does not know: it was put back to an earlier state.
async fn strays(online: &Online, store: &dyn Store, findings: &mut Vec<Finding>) {
    let Ok(strays) = guard::strays(online.directory.as_ref(), store).await else { return };
    if strays.is_empty() {
        return;
    }
    let named: Vec<String> = strays.iter().map(|one| format!("{} {}", one.application, one.key_id)).collect();
    findings.push(
        Finding::new("strays", Status::Warn, format!("with this store's tag and unknown to it: {}", named.join(", ")))
            .fix("everkey does not touch them; when nobody uses them, remove them by hand")
            .docs("how-to/keep-the-store.md"),
    );
}
