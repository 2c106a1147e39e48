//! The codes of emergencies, for `everkey explain`.

/// Code, title, explanation, what to do; as [`crate::run::codes::CODES`].
pub const EMERGENCIES: &[(&str, &str, &str, &str)] = &[
    (
        "R080",
        "an emergency",
        "Somebody asked everkey to replace a credential at once, because it is in the wrong hands. The text is the reason \
         they gave.",
        "See how it stands: everkey history NAME. The evidence: everkey revoke NAME --evidence DIR",
    ),
    (
        "R081",
        "there is nothing to revoke",
        "Neither everkey's journal nor an adoption names a credential that is in use for this integration. Nothing was \
         changed.",
        "See what the application has: everkey inventory. A credential of somebody else is named with --also KEYID.",
    ),
    (
        "R082",
        "this credential cannot be removed with it",
        "--also names a credential that is not on the application, or that everkey made for another integration or slot. \
         Nothing was changed.",
        "Copy the key id from the list that the command prints; what everkey made is revoked by its own name and slot.",
    ),
    (
        "R083",
        "both slots are taken",
        "Applications for personal accounts may have two client secrets, so that the new one fits only after an old one has \
         gone. Its consumers then stop until they have the new one, and everkey does not decide that by itself.",
        "everkey revoke NAME --emergency --now, or remove the secret that nobody uses.",
    ),
    (
        "R084",
        "there was no emergency",
        "The journal knows of none for this integration, so there is no evidence to write.",
        "everkey history NAME has everything else.",
    ),
    (
        "R085",
        "the emergency is not finished",
        "It waits longer than the command does. The journal carries it: nothing has to be asked for again.",
        "Run the same command again, or let everkey serve go on.",
    ),
    (
        "R086",
        "the policy retains the credential",
        "What `retain` names is never removed, whatever happens, and an emergency that leaves it would be none.",
        "Take it out of `retain` in the policy, then run `everkey revoke --emergency` again.",
    ),
    (
        "R087",
        "everkey did not disable sign-in",
        "It enables only what it disabled itself in an emergency: of anything else it does not know why. Nothing was changed.",
        "Look at Properties of the enterprise application in Entra.",
    ),
    (
        "R088",
        "sign-in is still being disabled",
        "The emergency that disables it has no answer yet, or one was lost and the call may still land. Enabled now, sign-in \
         could be disabled again a moment later.",
        "Run the same command again after the time that the message names.",
    ),
    (
        "R089",
        "there is no enterprise application",
        "Sign-in is disabled and enabled on the enterprise application (service principal), and Entra shows none. Without one \
         nobody gets a token.",
        "Restore it in Entra, or run `everkey apply`, which makes one.",
    ),
    (
        "U070",
        "revoke is for emergencies",
        "Removing a credential without overlap stops whoever still uses it. A normal change keeps the old one until the new \
         one is in use.",
        "everkey rotate NAME; in an emergency: everkey revoke NAME --emergency --reason TEXT",
    ),
    (
        "U071",
        "no reason",
        "An emergency needs a reason: it stands in the history, in the mails and in the evidence.",
        "--reason TEXT",
    ),
    (
        "U072",
        "the confirmed name is another one",
        "--confirm takes the name of the integration, letter by letter. Nothing was changed.",
        "--confirm NAME",
    ),
    (
        "U073",
        "the name must be typed, and there is nobody to ask",
        "An emergency wants the integration's name, so that nobody revokes the wrong one. Nothing was changed.",
        "--confirm NAME",
    ),
    (
        "U074",
        "which credential?",
        "The integration has several credentials, or none of that name.",
        "Name one of those that the message lists: --slot SLOT",
    ),
];
