//! One SMTP session (RFC 5321), with STARTTLS (RFC 3207) and AUTH (RFC 4954).

use std::io;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use tokio::io::AsyncBufReadExt as _;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::io::BufReader;
use tokio::net::TcpStream;

use super::CaughtMail;
use super::Shared;
use super::envelope::address;
use super::envelope::declared_size;
use super::envelope::decoded;
use super::envelope::plain;

/// Longest command line; AUTH PLAIN needs most.
const MAX_LINE_BYTES: u64 = 16 << 10;
/// Largest mail.
const MAX_MAIL_BYTES: usize = 10 << 20;
/// Most recipients of one mail.
const MAX_RECIPIENTS: usize = 500;

/// Serves one connection to its end. What goes wrong with it is the client's to see.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _ = converse(stream, &shared).await;
}

async fn converse(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut open = Session::new(stream, shared, false);
    open.say("220 localhost ESMTP everkey mail catcher").await?;
    if let End::StartTls(stream) = open.run().await? {
        let stream = shared.acceptor.accept(stream).await?;
        Session::new(stream, shared, true).run().await?;
    }
    Ok(())
}

enum End<S> {
    /// The client left.
    Quit,
    /// The client asked for TLS on this stream.
    StartTls(S),
}

struct Session<'a, S> {
    authenticated: bool,
    encrypted: bool,
    from: Option<String>,
    greeted: bool,
    shared: &'a Shared,
    stream: BufReader<S>,
    to: Vec<String>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Session<'a, S> {
    fn new(stream: S, shared: &'a Shared, encrypted: bool) -> Self {
        Self {
            authenticated: false,
            encrypted,
            from: None,
            greeted: false,
            shared,
            stream: BufReader::new(stream),
            to: Vec::new(),
        }
    }

    async fn run(mut self) -> io::Result<End<S>> {
        while let Some(line) = self.line().await? {
            let (verb, argument) = line.split_once(' ').unwrap_or((line.as_str(), ""));
            let argument = argument.trim();
            match verb.to_ascii_uppercase().as_str() {
                "AUTH" => self.auth(argument).await?,
                "DATA" => self.data().await?,
                "EHLO" | "HELO" => self.greet(verb).await?,
                "MAIL" => self.mail(argument).await?,
                "NOOP" => self.say("250 2.0.0 OK").await?,
                "QUIT" => {
                    self.say("221 2.0.0 Bye").await?;
                    return Ok(End::Quit);
                }
                "RCPT" => self.recipient(argument).await?,
                "RSET" => {
                    self.reset();
                    self.say("250 2.0.0 OK").await?;
                }
                "STARTTLS" if !self.encrypted => {
                    self.say("220 2.0.0 Ready to start TLS").await?;
                    // What was sent ahead in the clear is dropped with the buffer, never obeyed under TLS.
                    return Ok(End::StartTls(self.stream.into_inner()));
                }
                "VRFY" => self.say("252 2.5.2 Cannot verify, will take the mail").await?,
                _ => self.say("502 5.5.1 Command not implemented").await?,
            }
        }
        Ok(End::Quit)
    }

    async fn greet(&mut self, verb: &str) -> io::Result<()> {
        self.greeted = true;
        self.reset();
        if verb.eq_ignore_ascii_case("HELO") {
            return self.say("250 localhost").await;
        }
        let last = if self.encrypted { "250 AUTH PLAIN LOGIN" } else { "250 STARTTLS" };
        let lines = format!(
            "250-localhost\r\n250-SIZE {MAX_MAIL_BYTES}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n{last}"
        );
        self.say(&lines).await
    }

    async fn auth(&mut self, argument: &str) -> io::Result<()> {
        if !self.encrypted {
            return self.say("538 5.7.11 Encryption required for the requested authentication mechanism").await;
        }
        if self.authenticated || !self.greeted {
            return self.say("503 5.5.1 Bad sequence of commands").await;
        }
        let (mechanism, initial) = argument.split_once(' ').unwrap_or((argument, ""));
        let given = match mechanism.to_ascii_uppercase().as_str() {
            "LOGIN" => {
                let user = self.answer_to("334 VXNlcm5hbWU6", initial).await?;
                let password = self.answer_to("334 UGFzc3dvcmQ6", "").await?;
                decoded(&user).zip(decoded(&password))
            }
            "PLAIN" => plain(&self.answer_to("334 ", initial).await?),
            _ => return self.say("504 5.5.4 Unrecognised authentication type").await,
        };
        let Some((user, password)) = given else {
            return self.say("501 5.5.2 Cannot decode the credentials").await;
        };
        let right = verify_slices_are_equal(password.as_bytes(), self.shared.password.as_bytes()).is_ok();
        if right && user == self.shared.user {
            self.authenticated = true;
            return self.say("235 2.7.0 Authentication successful").await;
        }
        self.say("535 5.7.8 Authentication credentials invalid").await
    }

    /// What the client answers to a prompt; its initial response instead where it gave one.
    async fn answer_to(&mut self, prompt: &str, initial: &str) -> io::Result<String> {
        if !initial.is_empty() {
            return Ok(initial.to_owned());
        }
        self.say(prompt).await?;
        Ok(self.line().await?.unwrap_or_default())
    }

    async fn mail(&mut self, argument: &str) -> io::Result<()> {
        if !self.encrypted {
            return self.say("530 5.7.0 Must issue a STARTTLS command first").await;
        }
        if !self.authenticated {
            return self.say("530 5.7.0 Authentication required").await;
        }
        if self.from.is_some() {
            return self.say("503 5.5.1 Nested MAIL command").await;
        }
        if declared_size(argument).is_some_and(|size| size > MAX_MAIL_BYTES) {
            return self.say("552 5.3.4 Message size exceeds fixed limit").await;
        }
        match address(argument, "FROM:") {
            Some(from) => {
                self.from = Some(from);
                self.say("250 2.1.0 OK").await
            }
            None => self.say("501 5.5.4 Syntax: MAIL FROM:<address>").await,
        }
    }

    async fn recipient(&mut self, argument: &str) -> io::Result<()> {
        if self.from.is_none() {
            return self.say("503 5.5.1 Need MAIL command").await;
        }
        if self.to.len() >= MAX_RECIPIENTS {
            return self.say("452 4.5.3 Too many recipients").await;
        }
        match address(argument, "TO:").filter(|to| to.contains('@')) {
            Some(to) => {
                self.to.push(to);
                self.say("250 2.1.5 OK").await
            }
            None => self.say("501 5.5.4 Syntax: RCPT TO:<address>").await,
        }
    }

    async fn data(&mut self) -> io::Result<()> {
        let Some(from) = self.from.clone().filter(|_| !self.to.is_empty()) else {
            return self.say("503 5.5.1 Need MAIL and RCPT commands").await;
        };
        self.say("354 End data with <CR><LF>.<CR><LF>").await?;
        let data = self.message().await?;
        let to = std::mem::take(&mut self.to);
        self.reset();
        let Some(data) = data else {
            return self.say("552 5.3.4 Message size exceeds fixed limit").await;
        };
        match self.shared.keep(CaughtMail { data, from, to }) {
            Ok(number) => self.say(&format!("250 2.0.0 OK: caught as {number:04}")).await,
            Err(code) => self.say(&format!("{code} {}.0.0 Refused on request", code / 100)).await,
        }
    }

    /// Reads a message to its final dot; `None` when it is too large (it is read all the same).
    async fn message(&mut self) -> io::Result<Option<Vec<u8>>> {
        let (mut data, mut fits) = (Vec::new(), true);
        loop {
            let mut line = Vec::new();
            let room = MAX_MAIL_BYTES as u64 + 2;
            if (&mut self.stream).take(room).read_until(b'\n', &mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == b".\r\n" || line == b".\n" {
                return Ok(fits.then_some(data));
            }
            let line = line.strip_prefix(b".").unwrap_or(&line);
            fits &= data.len() + line.len() <= MAX_MAIL_BYTES;
            if fits {
                data.extend_from_slice(line);
            }
        }
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }

    /// The next line without its end; `None` when the client is gone.
    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let read = (&mut self.stream).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        stream.flush().await
    }
}
