//! The error codes of keys and certificates, as `everkey explain` shows them.

/// Code, title, explanation, what to do.
pub const CODES: &[(&str, &str, &str, &str)] = &[
    (
        "K010",
        "wrong password",
        "The password does not open the file. A damaged file looks the same, because nothing in it tells the two apart.",
        "Check the password file; it holds the password alone. A line end after it does not count.",
    ),
    (
        "K011",
        "not readable",
        "The file is neither a certificate, a request, a key, a PFX nor a P7B, or it is damaged or cut short. What it is \
         called does not matter; PEM, DER and bare base64 are recognised by their content.",
        "Get it again from its source. A PFX in an unsupported encryption: export it anew with AES-256.",
    ),
    (
        "K012",
        "asks for too much",
        "The file is larger than 4 MiB, nests too deep, or asks for more key derivation than any real file. It was refused \
         before the work was done.",
        "Make a new one from its source.",
    ),
    (
        "K013",
        "unusable private key",
        "The key is of a kind that everkey does not use (Ed25519, RSA under 2048 bits, RSA-PSS, other curves), or it is \
         encrypted in an old way.",
        "Re-encrypt an old one: openssl pkcs8 -topk8 -in OLD -out NEW. Else make a new key.",
    ),
    (
        "K014",
        "no pair",
        "The private key was not made for this certificate, so a file with both would be useless.",
        "Find the key that the certificate was requested with; everkey cert verify compares.",
    ),
    (
        "K015",
        "something is missing",
        "The file does not hold what the command needs.",
        "See: everkey cert inspect FILE",
    ),
    (
        "K016",
        "unusable password",
        "It is empty, was typed differently twice, or has characters that a PFX cannot carry (control characters, emoji).",
        "1 to 64 letters, digits and signs work everywhere.",
    ),
    (
        "K017",
        "not made",
        "The subject, names, dates or file name that were asked for cannot be put into a certificate, or the profile does \
         not allow them.",
        "See the reason; correct --subject, --dns, --days or --name, or choose another --profile.",
    ),
    (
        "K018",
        "a file is in the way",
        "Files of keys are never replaced by accident: one of them may hold the only copy of a key. Nothing of the set was \
         written.",
        "Choose another name, or add --force.",
    ),
    (
        "K020",
        "request refused",
        "The request is malformed, its own signature does not fit (it was changed, or its sender has not the key), it is \
         signed with MD5 or SHA-1, its key is weak, or it asks for the rights of a CA.",
        "Ask its sender for a new one: RSA from 2048 bits or EC P-256 or P-384, signed with SHA-256.",
    ),
    (
        "K021",
        "not allowed by the profile",
        "The request is valid, but the profile does not allow what it asks for: a wildcard, a kind of name, the CA's own name.",
        "Ask for a new request, or sign under another --profile.",
    ),
    (
        "K022",
        "the CA cannot sign",
        "Its certificate is not a CA's, has ended, or is too weak.",
        "See: everkey cert inspect FILE. Make a new one with everkey ca init.",
    ),
    ("K023", "no such CA or profile", "everkey.toml does not describe it.", "Use one of the names in the message."),
    (
        "K024",
        "a password is needed",
        "The file is encrypted, no password file was given, and there is no terminal to ask on.",
        "Name the file that holds the password.",
    ),
    (
        "K025",
        "a private key has no place there",
        "Terminals, logs and JSON documents are kept, copied and searched.",
        "Name a file with --key-out FILE.",
    ),
    (
        "K030",
        "could not be made",
        "The cryptographic library failed, or what it made did not read back as what was meant. Nothing was written.",
        "Run the command again; report it if it stays.",
    ),
];
