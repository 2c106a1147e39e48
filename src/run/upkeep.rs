//! The error codes of upkeep (the store, its key, its history, first steps), for `everkey explain`.

/// Code, title, explanation, what to do.
pub const UPKEEP: &[(&str, &str, &str, &str)] = &[
    (
        "C017",
        "configuration and policies are needed first",
        "The systemd drop-in is made from the places that the policies deliver to.",
        "Run `everkey doctor --online=false` and mend what it shows.",
    ),
    (
        "F011",
        "there already",
        "The file exists, and `init` overwrites nothing.",
        "Name another place with -C FILE or --seal-key FILE.",
    ),
    (
        "H015",
        "confirmed already",
        "Somebody said that the recipient uses this value: there is nothing to hand over again.",
        "If it does not work after all, make a new one: everkey rotate NAME",
    ),
    (
        "H016",
        "gone from Entra",
        "The application does not list the credential any more: somebody removed it, or the store is an older copy of itself. \
         Its value would not work.",
        "Hand nothing over. If it is minutes old, ask again shortly; else make a new one: everkey handoff reissue ID --fresh.",
    ),
    (
        "T014",
        "a new store, but another everkey works here",
        "The store is empty, and applications of the tenant carry tags of another store. Two stores would rotate the same \
         applications without knowing of each other. `plan`, `status` and `check` still work.",
        "Use the other store, or restore its backup. If it is gone for good: everkey recover. If both are meant: --new-store.",
    ),
    (
        "T015",
        "a new store in a place that does not last",
        "The store is empty and would lie on a file system that is gone after a restart (tmpfs, an overlay) or does not lock \
         reliably (NFS, SMB). Secrets that are saved there would be lost. `plan`, `status` and `check` still work.",
        "Put the store on a local disk or volume. To go on all the same: --new-store.",
    ),
    (
        "T016",
        "the seal key does not open this store",
        "The key is unusable, or it belongs to another store. Nothing was read or changed.",
        "Name the store's own key in [seal] key_file. After `store reseal` that is the new key; a backup opens with the key \
         of its day.",
    ),
    (
        "T017",
        "the store is not sound",
        "The database, the chain of its history or a sealed value is damaged; each is told above.",
        "Restore a backup: everkey store restore FILE",
    ),
    (
        "T018",
        "the backup was not put in the store's place",
        "The present store is newer than the backup, another one, or cannot be compared with it. Nothing was changed.",
        "Look at both: everkey history. To do it all the same: --force; the present store is kept aside.",
    ),
    (
        "T021",
        "the anchor is not in the chain",
        "A head that was noted earlier is no longer part of the history: entries were cut off, or an earlier state of the \
         store was put back.",
        "Compare with a backup of the store, and look for who could write the store's file.",
    ),
    ("T022", "no such entry", "The history knows no such rotation, hand-off or entry.", "List them: everkey history"),
    (
        "T030",
        "PostgreSQL does not answer",
        "The server of the store cannot be reached, or went away during a call. What was being written is there as a \
         whole or not at all; the next run reads again before it does anything.",
        "Check that the server runs and is reached from here, then run the same command again.",
    ),
    (
        "T031",
        "PostgreSQL refused everkey",
        "The sign-in failed, the database is not there, or a right is missing.",
        "Check user and database in `store`, and the password in `store_password_file` or `store_password_env`.",
    ),
    (
        "T032",
        "the PostgreSQL store is not configured right",
        "The address cannot be read, or a server on another machine would be spoken to without checking who it is.",
        "Use postgres://USER@HOST/DATABASE; for a private CA add `?sslmode=verify-full&sslrootcert=FILE`.",
    ),
    (
        "T033",
        "this is for a store in a file",
        "The store is in PostgreSQL, whose server has its own means to copy it and to put it back.",
        "Use pg_dump and pg_restore, and `everkey store claim` after the latter; check, copy and reseal work on both.",
    ),
    (
        "T040",
        "the store has moved",
        "`everkey store copy` has brought the store to another database. This one is kept as it was and is out of use: with \
         two of them everything would be rotated twice.",
        "Set `store` in everkey.toml to where it is now. If that one is gone for good: everkey store claim",
    ),
    (
        "T041",
        "the store is a copy that is not finished",
        "`everkey store copy` was stopped before its end. The store it is copied from has everything.",
        "Run `everkey store copy` again, with the store it is copied from in everkey.toml: it begins anew or finishes.",
    ),
    (
        "T042",
        "the store cannot be copied to this place",
        "A store is copied only to a new file or an empty database, sealed under the same key. Nothing was changed.",
        "Name another place with --to.",
    ),
    (
        "T043",
        "the store is busy",
        "The database took nothing of a write, because somebody else was writing, also when it was asked again.",
        "Run the same command again.",
    ),
    (
        "U017",
        "no valid configuration",
        "What `init` was given would make an everkey.toml that no command accepts. Nothing was written.",
        "Correct the flag that the message names.",
    ),
    (
        "U018",
        "the seal key would lie in git",
        "A key that is committed once is public to everybody who reads the repository.",
        "Name a place outside of the work tree with --seal-key.",
    ),
    ("U014", "no date", "Dates are written 2026-11-01 or as RFC 3339 instants.", "Correct it."),
    ("U015", "no such form here", "Only exports are written as CSV or NDJSON.", "Use -o json, or no -o."),
    (
        "U016",
        "no anchor",
        "An anchor is the head that `history verify` prints: 64 hexadecimal digits.",
        "Copy it whole.",
    ),
];
