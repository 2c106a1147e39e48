"""An SMTP server (aiosmtpd) for tests/mail.rs: STARTTLS with a fresh certificate of its own CA, AUTH, and received
mails as JSON lines.

usage: smtp_server.py DIRECTORY MODE
  DIRECTORY  gets ca.pem, then `ready` holding the port, and mails.jsonl
  MODE       starttls | implicit | stripped (offers no STARTTLS) | echo (repeats the credentials when it refuses them)
             | busy (451 to every mail) | plain (no TLS, no sign-in) | othername (its certificate is for another host)
User `everkey@contoso.example`, password `Canary-7q~pass`. Recipients that begin with `gone.` are refused with 550.
Stops when its standard input is closed.
"""
import asyncio
import base64
import datetime
import email
import email.policy
import ipaddress
import json
import pathlib
import ssl
import sys

import icalendar
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

USER = b"everkey@contoso.example"
PASSWORD = b"Canary-7q~pass"
directory = pathlib.Path(sys.argv[1])
mode = sys.argv[2]


def certificate(name, issuer, issuer_key, key, ca):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        if mode == "othername":
            names = [x509.DNSName("mail.other.example")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def context():
    ca_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    ca = certificate("mail test CA", "mail test CA", ca_key, ca_key, True)
    leaf = certificate("localhost", "mail test CA", ca_key, key, False)
    pem = serialization.Encoding.PEM
    (directory / "ca.pem").write_bytes(ca.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "server.pem").write_bytes(private + leaf.public_bytes(pem))
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(directory / "server.pem")
    return made


def sign_in(server, session, envelope, mechanism, data):
    login, password = bytes(data.login), bytes(data.password)
    if (login, password) == (USER, PASSWORD):
        return AuthResult(success=True)
    if mode == "echo":
        shown = password.decode()
        shown += " " + base64.b64encode(b"\0" + login + b"\0" + password).decode()
        return AuthResult(success=False, handled=False, message="535 5.7.8 I do not know " + shown)
    return AuthResult(success=False, handled=False)


def entry(message):
    """The calendar entry, as an iCalendar library reads it."""
    calendar = icalendar.Calendar.from_ical(message.get_content())
    (event,) = calendar.walk("VEVENT")
    return {
        "method": str(calendar["METHOD"]),
        "uid": str(event["UID"]),
        "sequence": int(event["SEQUENCE"]),
        "start": event["DTSTART"].dt.isoformat(),
        "summary": str(event["SUMMARY"]),
        "alarms": len(event.walk("VALARM")),
    }


def part(message):
    return {
        "entry": entry(message) if message.get_content_type() == "text/calendar" else None,
        "type": message.get_content_type(),
        "method": message.get_param("method"),
        "disposition": message.get_content_disposition(),
        "defects": [str(defect) for defect in message.defects],
        "parts": [part(inner) for inner in message.iter_parts()] if message.is_multipart() else [],
        "content": None if message.is_multipart() else message.get_content(),
    }


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone."):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if mode == "busy":
            return "451 4.7.1 try again later"
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        record = {
            "from": envelope.mail_from,
            "rcpt": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "signed_in": bool(session.authenticated),
            "peer": session.peer[1],
            "headers": [[name, str(value)] for name, value in message.items()],
            "raw": envelope.content.decode("utf-8"),
            "body": part(message),
        }
        with open(directory / "mails.jsonl", "a", encoding="utf-8") as out:
            out.write(json.dumps(record) + "\n")
        return "250 OK"


def protocol(tls):
    if mode == "plain":
        return SMTP(Handler())
    if mode == "stripped":
        return SMTP(Handler(), authenticator=sign_in, auth_require_tls=False)
    if mode == "implicit":
        # The session is encrypted below aiosmtpd, which does not know it.
        return SMTP(Handler(), authenticator=sign_in, auth_require_tls=False, auth_required=True)
    return SMTP(Handler(), tls_context=tls, require_starttls=True, authenticator=sign_in, auth_required=True)


async def main():
    tls = context()
    loop = asyncio.get_running_loop()
    outer = tls if mode == "implicit" else None
    server = await loop.create_server(lambda: protocol(tls), host="127.0.0.1", port=0, ssl=outer)
    port = server.sockets[0].getsockname()[1]
    (directory / "ready.tmp").write_text(str(port))
    (directory / "ready.tmp").rename(directory / "ready")
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(main())
