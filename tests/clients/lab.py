"""What the client scripts share: the guide, Graph over requests, applications and certificates to sign in with.

usage: from lab import Lab, Certificate
"""

import base64
import datetime
import json
import time
import uuid

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

GRAPH = "00000003-0000-0000-c000-000000000000"
SCOPE = "https://graph.microsoft.com/.default"


class Lab:
    """The served emulator, seen by its operator."""

    def __init__(self, guide_file):
        with open(guide_file, encoding="utf-8") as file:
            self.guide = json.load(file)
        self.url, self.tenant = self.guide["url"], self.guide["tenant_id"]
        operator = self.guide["operator"]
        self.bearer = self.token(operator["client_id"], operator["client_secret"])

    def token(self, client_id, secret):
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, "scope": SCOPE}
        answer = requests.post(f"{self.url}/{self.tenant}/oauth2/v2.0/token", data=form, timeout=30)
        answer.raise_for_status()
        return answer.json()["access_token"]

    def graph(self, method, path, body=None, bearer=None):
        """Status and body of a Graph call that is no part of what a script checks."""
        headers = {"Authorization": f"Bearer {bearer or self.bearer}"}
        answer = requests.request(method, f"{self.url}/v1.0{path}", json=body, headers=headers, timeout=30)
        return answer.status_code, answer.json() if answer.content else None

    def must(self, method, path, body=None):
        status, answer = self.graph(method, path, body)
        if status >= 300:
            raise SystemExit(f"{method} {path}: {status} {answer}")
        return answer

    def app(self, name, roles=()):
        """An application with a service principal, a secret and these application permissions of Graph."""
        app = self.must("POST", "/applications", {"displayName": name})
        principal = self.must("POST", "/servicePrincipals", {"appId": app["appId"]})
        graph = self.must("GET", f"/servicePrincipals(appId='{GRAPH}')?$select=id,appRoles")
        offered = {role["value"]: role["id"] for role in graph["appRoles"]}
        for role in roles:
            body = {"principalId": principal["id"], "resourceId": graph["id"], "appRoleId": offered[role]}
            self.must("POST", f"/servicePrincipals/{principal['id']}/appRoleAssignments", body)
        secret = self.must("POST", f"/applications/{app['id']}/addPassword")["secretText"]
        return {"id": app["id"], "app_id": app["appId"], "principal": principal["id"], "secret": secret}

    def seed(self, seed):
        """What others have in the tenant: see `POST /_emulator/seed`."""
        requests.post(f"{self.url}/_emulator/seed", json=seed, timeout=60).raise_for_status()

    def mails(self):
        """What was sent through Graph."""
        return requests.get(f"{self.url}/_emulator/mails", timeout=30).json()["mails"]

    def register(self, app, *certificates):
        self.must("PATCH", f"/applications/{app['id']}", {"keyCredentials": [one.entry() for one in certificates]})


class Certificate:
    """A certificate with its RSA key, made here; it ends after so many seconds."""

    def __init__(self, name="client", seconds=86_400 * 30):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        self.end = now + datetime.timedelta(seconds=seconds)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(self.key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_after(self.end)
        self.certificate = builder.not_valid_before(now - datetime.timedelta(hours=1)).sign(self.key, hashes.SHA256())
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)

    def key_pem(self):
        form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, form, none).decode()

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def thumbprint(self):
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()

    def entry(self):
        """A keyCredential around it."""
        return {"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.b64encode(self.der).decode()}

    def write(self, path, password=None):
        """As PEM, key first; with a password as PFX. Gives the path back."""
        with open(path, "wb") as file:
            if password is None:
                file.write((self.key_pem() + self.pem()).encode())
            else:
                cipher = serialization.BestAvailableEncryption(password.encode())
                file.write(pkcs12.serialize_key_and_certificates(b"client", self.key, self.certificate, None, cipher))
        return path

    def proof(self, object_id, padded=False):
        """Proof of possession for addKey and removeKey, as the documents describe it: RS256, no padding."""
        now = int(time.time())
        audience = "00000002-0000-0000-c000-000000000000"
        claims = {"aud": audience, "iss": object_id, "nbf": now - 5, "exp": now + 500, "jti": str(uuid.uuid4())}
        parts = [_segment(part, padded) for part in ({"alg": "RS256", "typ": "JWT", "kid": self.thumbprint()}, claims)]
        signature = self.key.sign(".".join(parts).encode(), padding.PKCS1v15(), hashes.SHA256())
        return ".".join([*parts, base64.urlsafe_b64encode(signature).decode().rstrip("=")])

    def wait_for_its_end(self):
        while datetime.datetime.now(datetime.timezone.utc) <= self.end + datetime.timedelta(seconds=1):
            time.sleep(0.2)


def claims_of(token):
    """What an access token says, without its signature."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def _segment(part, padded):
    text = base64.urlsafe_b64encode(json.dumps(part).encode()).decode()
    return text if padded else text.rstrip("=")
