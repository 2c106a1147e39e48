//! Arguments of `cert`.

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;

use crate::model::KeyType;
use crate::model::PfxProfile;

/// `cert`
#[derive(Args, Debug)]
pub struct CertArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CertCommand,
}

/// `cert …`
#[derive(Debug, Subcommand)]
pub enum CertCommand {
    /// Make a key and a self-signed certificate
    #[command(
        after_long_help = "Examples:\n  everkey cert issue --name roger365-replicator --out ./out\n  everkey cert issue --name enate-graph-mail --days 365 --out ./out --password-file pw.txt --with-key"
    )]
    Issue(IssueArgs),
    /// Make a key and a certificate request (PKCS#10) for another CA
    #[command(
        after_long_help = "Examples:\n  everkey cert csr --name vendor-sync --out ./out\n  everkey cert csr --name web --subject CN=web,O=Contoso --dns web.contoso.example --key ec-p256 --out ./out"
    )]
    Csr(CsrArgs),
    /// Sign a request with a local CA, under a profile
    #[command(
        after_long_help = "Examples:\n  everkey cert sign --ca team-ca --csr vendor.csr --days 180 --out vendor.cer\n  everkey cert sign --ca-cert ca.pem --ca-key ca.key --ca-password-file ca.key.password --csr vendor.csr --out vendor.cer --yes"
    )]
    Sign(SignArgs),
    /// Pair an issued certificate with its key: PFX, PEM and CER
    #[command(
        after_long_help = "Examples:\n  everkey cert import vendor.cer --key vendor-sync.key --name vendor-sync --out ./out\n  everkey cert import bundle.p7b --key web.key --key-password-file key.txt --name web --out ./out --password-file pw.txt"
    )]
    Import(ImportArgs),
    /// Show what a file holds; never a private key
    #[command(
        after_long_help = "Examples:\n  everkey cert inspect app.pfx --password-file pw.txt\n  everkey cert inspect app.cer -o json"
    )]
    Inspect(InspectArgs),
    /// Convert between PFX, PEM, CER and base64
    #[command(
        after_long_help = "Examples:\n  everkey cert convert app.pfx --to pem --key-out app.key --password-file pw.txt\n  everkey cert convert app.pem --key app.key --to pfx --out app.pfx\n  everkey cert convert app.pfx --to cer --out app.cer\n  everkey cert convert app.cer --to base64"
    )]
    Convert(ConvertArgs),
    /// Whether files belong together: exit 0 when they are one pair, 1 when not
    #[command(
        after_long_help = "Examples:\n  everkey cert verify --pfx app.pfx --cer app.cer --password-file pw.txt\n  everkey cert verify --key app.key --pem app.pem"
    )]
    Verify(VerifyArgs),
    /// Show the request of an integration that waits for its CA (`issuer = "csr"`)
    #[command(
        after_long_help = "Examples:\n  everkey cert request enate-graph-mail\n  everkey cert request enate-graph-mail --out enate.csr"
    )]
    Request(RequestArgs),
    /// Bring back the certificate that the CA made of that request
    #[command(
        after_long_help = "Examples:\n  everkey cert answer enate-graph-mail enate.cer\n  everkey cert answer enate-graph-mail/primary enate.p7b --by ops@contoso.example"
    )]
    Answer(AnswerArgs),
    /// Certificates in files and directories, and when they end
    #[command(
        after_long_help = "Examples:\n  everkey cert expiring ./certs\n  everkey cert expiring /etc/ssl/private app.pfx --within 30d -o json"
    )]
    Expiring(ExpiringArgs),
}

/// `cert request`
#[derive(Args, Debug)]
pub struct RequestArgs {
    /// Integration, or NAME/SLOT
    #[arg(value_name = "NAME")]
    pub integration: String,
    /// Write it to this file instead of showing it
    #[arg(long, env = "EVERKEY_OUT", value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `cert answer`
#[derive(Args, Debug)]
pub struct AnswerArgs {
    /// Integration, or NAME/SLOT
    #[arg(value_name = "NAME")]
    pub integration: String,
    /// What the CA gave back: PEM, DER or a bundle (P7B)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Who brings it, for the history (default: the user of this machine)
    #[arg(long, env = "EVERKEY_BY", value_name = "EMAIL")]
    pub by: Option<String>,
}

/// Kinds of keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum KeyKind {
    /// RSA 2048.
    #[value(name = "rsa-2048")]
    Rsa2048,
    /// RSA 3072.
    #[value(name = "rsa-3072")]
    Rsa3072,
    /// RSA 4096.
    #[value(name = "rsa-4096")]
    Rsa4096,
    /// P-256; not for sign-in to Entra.
    #[value(name = "ec-p256")]
    EcP256,
    /// P-384; not for sign-in to Entra.
    #[value(name = "ec-p384")]
    EcP384,
}

impl From<KeyKind> for KeyType {
    fn from(kind: KeyKind) -> Self {
        match kind {
            KeyKind::EcP256 => Self::EcP256,
            KeyKind::EcP384 => Self::EcP384,
            KeyKind::Rsa2048 => Self::Rsa2048,
            KeyKind::Rsa3072 => Self::Rsa3072,
            KeyKind::Rsa4096 => Self::Rsa4096,
        }
    }
}

/// Encryptions of a PFX.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum PfxKind {
    /// AES-256, PBKDF2, SHA-256.
    #[value(name = "modern")]
    Modern,
    /// 3DES and SHA-1, for Windows Server 2016 and older.
    #[value(name = "legacy-3des")]
    Legacy3des,
}

impl From<PfxKind> for PfxProfile {
    fn from(kind: PfxKind) -> Self {
        match kind {
            PfxKind::Legacy3des => Self::Legacy3des,
            PfxKind::Modern => Self::Modern,
        }
    }
}

/// Where a set of files goes.
#[derive(Args, Debug)]
pub struct SetArgs {
    /// Stem of the file names
    #[arg(long, env = "EVERKEY_NAME", value_name = "NAME")]
    pub name: String,
    /// Directory to write into; made (0700) when missing
    #[arg(long, env = "EVERKEY_OUT", value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
    /// Replace files that are there
    #[arg(long, env = "EVERKEY_FORCE")]
    pub force: bool,
}

/// A PFX to be made.
#[derive(Args, Debug)]
pub struct PfxArgs {
    /// File with the password of the PFX; without one it is asked for, or generated into NAME.pfx.password (0600)
    #[arg(long, env = "EVERKEY_PASSWORD_FILE", value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Encryption of the PFX
    #[arg(long, env = "EVERKEY_PFX_PROFILE", value_enum, default_value_t = PfxKind::Modern)]
    pub pfx_profile: PfxKind,
    /// Also write the private key without a password (NAME.key, 0600)
    #[arg(long, env = "EVERKEY_WITH_KEY")]
    pub with_key: bool,
}

/// `cert issue`
#[derive(Args, Debug)]
pub struct IssueArgs {
    /// Files.
    #[command(flatten)]
    pub set: SetArgs,
    /// Subject (default: CN=NAME)
    #[arg(long, env = "EVERKEY_SUBJECT", value_name = "DN")]
    pub subject: Option<String>,
    /// DNS name; may be repeated
    #[arg(long, env = "EVERKEY_DNS", value_name = "HOST")]
    pub dns: Vec<String>,
    /// Kind of key
    #[arg(long, env = "EVERKEY_KEY_TYPE", value_enum, default_value_t = KeyKind::Rsa3072)]
    pub key: KeyKind,
    /// Days of validity
    #[arg(long, env = "EVERKEY_DAYS", value_name = "D", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: u32,
    /// Certificate profile: entra-client, or one of [profiles] in the configuration
    #[arg(long, env = "EVERKEY_PROFILE", value_name = "NAME", default_value = "entra-client")]
    pub profile: String,
    /// PFX.
    #[command(flatten)]
    pub pfx: PfxArgs,
    /// Who does this, for the history (default: the user of this machine)
    #[arg(long, env = "EVERKEY_BY", value_name = "EMAIL")]
    pub by: Option<String>,
}

/// `cert csr`
#[derive(Args, Debug)]
pub struct CsrArgs {
    /// Files.
    #[command(flatten)]
    pub set: SetArgs,
    /// Subject (default: CN=NAME)
    #[arg(long, env = "EVERKEY_SUBJECT", value_name = "DN")]
    pub subject: Option<String>,
    /// DNS name to ask for; may be repeated
    #[arg(long, env = "EVERKEY_DNS", value_name = "HOST")]
    pub dns: Vec<String>,
    /// Kind of key
    #[arg(long, env = "EVERKEY_KEY_TYPE", value_enum, default_value_t = KeyKind::Rsa3072)]
    pub key: KeyKind,
    /// File with a password to encrypt the key with; without one the key lies open in a 0600 file
    #[arg(long, env = "EVERKEY_PASSWORD_FILE", value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// `cert sign`
#[derive(Args, Debug)]
pub struct SignArgs {
    /// CA of the configuration ([ca.NAME])
    #[arg(long, env = "EVERKEY_CA", value_name = "NAME", required_unless_present = "ca_cert")]
    pub ca: Option<String>,
    /// Certificate of a CA that is not in the configuration
    #[arg(long, env = "EVERKEY_CA_CERT", value_name = "FILE", conflicts_with = "ca", requires = "ca_key")]
    pub ca_cert: Option<PathBuf>,
    /// Its private key
    #[arg(long, env = "EVERKEY_CA_KEY", value_name = "FILE", requires = "ca_cert")]
    pub ca_key: Option<PathBuf>,
    /// File with the password of that key; without one it is asked for
    #[arg(long, env = "EVERKEY_CA_PASSWORD_FILE", value_name = "FILE", requires = "ca_key")]
    pub ca_password_file: Option<PathBuf>,
    /// The request
    #[arg(long, env = "EVERKEY_CSR", value_name = "FILE")]
    pub csr: PathBuf,
    /// Certificate profile: entra-client, or one of [profiles] in the configuration
    #[arg(long, env = "EVERKEY_PROFILE", value_name = "NAME", default_value = "entra-client")]
    pub profile: String,
    /// Days of validity; never more than 398, the profile's limit, or the CA's own end
    #[arg(long, env = "EVERKEY_DAYS", value_name = "D", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: u32,
    /// File for the certificate: PEM, or DER when the name ends in .cer, .crt or .der
    #[arg(long, env = "EVERKEY_OUT", value_name = "FILE")]
    pub out: PathBuf,
    /// Replace a file that is there
    #[arg(long, env = "EVERKEY_FORCE")]
    pub force: bool,
    /// Do not ask
    #[arg(short, long, env = "EVERKEY_YES")]
    pub yes: bool,
    /// Who does this, for the history (default: the user of this machine)
    #[arg(long, env = "EVERKEY_BY", value_name = "EMAIL")]
    pub by: Option<String>,
}

/// `cert import`
#[derive(Args, Debug)]
pub struct ImportArgs {
    /// The issued certificate, with or without its chain (PEM, DER, P7B)
    #[arg(value_name = "CERTIFICATE")]
    pub certificate: PathBuf,
    /// Its private key (PKCS#8, PKCS#1, SEC1)
    #[arg(long, env = "EVERKEY_KEY_FILE", value_name = "FILE")]
    pub key: PathBuf,
    /// File with the password of that key; without one it is asked for
    #[arg(long, env = "EVERKEY_KEY_PASSWORD_FILE", value_name = "FILE")]
    pub key_password_file: Option<PathBuf>,
    /// Certificates of the issuers, to go into the PFX and the PEM
    #[arg(long, env = "EVERKEY_CHAIN", value_name = "FILE")]
    pub chain: Option<PathBuf>,
    /// Files.
    #[command(flatten)]
    pub set: SetArgs,
    /// PFX.
    #[command(flatten)]
    pub pfx: PfxArgs,
}

/// `cert inspect`
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// Certificate, request, key or bundle: PFX, PEM, DER, P7B, base64
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// File with its password; without one it is asked for
    #[arg(long, env = "EVERKEY_PASSWORD_FILE", value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// What to convert to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Target {
    /// The certificate's DER on one line of base64.
    Base64,
    /// One certificate, DER.
    Cer,
    /// Certificates, PEM; the private key only with --key-out.
    Pem,
    /// PFX with key and certificates.
    Pfx,
}

/// `cert convert`
#[derive(Args, Debug)]
pub struct ConvertArgs {
    /// PFX, PEM, DER, P7B or base64
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What to make of it
    #[arg(long, env = "EVERKEY_TO", value_enum)]
    pub to: Target,
    /// The private key, when FILE holds none (for --to pfx)
    #[arg(long, env = "EVERKEY_KEY_FILE", value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Write here; without it to standard output
    #[arg(long, env = "EVERKEY_OUT", value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// With --to pem: write the private key here (PKCS#8 PEM, 0600); `-` is standard output unless it is a terminal
    #[arg(long, env = "EVERKEY_KEY_OUT", value_name = "FILE")]
    pub key_out: Option<PathBuf>,
    /// File with the password of FILE (and of --key); without one it is asked for
    #[arg(long, env = "EVERKEY_PASSWORD_FILE", value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// With --to pfx: file with the password of the PFX; without one it is asked for, or generated into OUT.password
    #[arg(long, env = "EVERKEY_OUT_PASSWORD_FILE", value_name = "FILE")]
    pub out_password_file: Option<PathBuf>,
    /// With --to pfx: encryption of the PFX
    #[arg(long, env = "EVERKEY_PFX_PROFILE", value_enum, default_value_t = PfxKind::Modern)]
    pub pfx_profile: PfxKind,
    /// Replace files that are there
    #[arg(long, env = "EVERKEY_FORCE")]
    pub force: bool,
}

/// `cert verify`
#[derive(Args, Debug)]
#[group(skip)]
pub struct VerifyArgs {
    /// A PFX
    #[arg(long, env = "EVERKEY_PFX_FILE", value_name = "FILE")]
    pub pfx: Option<PathBuf>,
    /// A certificate
    #[arg(long, env = "EVERKEY_CER_FILE", value_name = "FILE")]
    pub cer: Option<PathBuf>,
    /// A certificate, PEM; with or without its key
    #[arg(long, env = "EVERKEY_PEM_FILE", value_name = "FILE")]
    pub pem: Option<PathBuf>,
    /// A private key
    #[arg(long, env = "EVERKEY_KEY_FILE", value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// A certificate request
    #[arg(long, env = "EVERKEY_CSR", value_name = "FILE")]
    pub csr: Option<PathBuf>,
    /// File with the password of the PFX or the key; without one it is asked for
    #[arg(long, env = "EVERKEY_PASSWORD_FILE", value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// `cert expiring`
#[derive(Args, Debug)]
pub struct ExpiringArgs {
    /// Files and directories
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Only what ends within this time (`30d`)
    #[arg(long, env = "EVERKEY_WITHIN", value_name = "DUR")]
    pub within: Option<String>,
    /// File with the password of the PFX files
    #[arg(long, env = "EVERKEY_PASSWORD_FILE", value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}
