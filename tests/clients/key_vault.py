"""Walks the emulator's key vault with the Azure SDK and tells step by step what held, never a value.

usage: key_vault.py EMULATOR_JSON secrets|certificates
"""

import base64
import datetime
import json
import socket
import ssl
import sys
import urllib.error
import urllib.request

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.certificates import CertificateClient, CertificatePolicy
from azure.keyvault.secrets import SecretClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

VAULT = "contoso-apps"
DAY = datetime.timedelta(days=1)


def resolve_localhost():
    """Names below localhost are this machine (RFC 6761); not every resolver knows."""
    usual = socket.getaddrinfo

    def resolve(host, *args, **kwargs):
        if isinstance(host, str) and host.endswith(".localhost"):
            host = "127.0.0.1"
        return usual(host, *args, **kwargs)

    socket.getaddrinfo = resolve


def refused(call, status, inner=None):
    """Whether the call fails with this status and inner code."""
    try:
        call()
    except HttpResponseError as error:
        body = json.loads(error.response.text())["error"]
        return error.status_code == status and (inner is None or body["innererror"]["code"] == inner)
    return False


def post(guide, path, body):
    """A request to the emulator's own routes."""
    context = ssl.create_default_context(cafile=guide["ca_file"])
    request = urllib.request.Request(guide["url"] + path, json.dumps(body).encode(), method="POST")
    urllib.request.urlopen(request, context=context).read()


def secrets(guide, credential, url):
    told = {}
    context = ssl.create_default_context(cafile=guide["ca_file"])
    by_path = f"{guide['url']}/vaults/{VAULT}/secrets/mail-secret?api-version=7.4"

    def raw(token=None):
        request = urllib.request.Request(by_path, method="GET")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            return urllib.request.urlopen(request, context=context).status, ""
        except urllib.error.HTTPError as error:
            return error.code, error.headers.get("WWW-Authenticate", "") + error.read().decode()

    status, text = raw()
    told["challenge"] = status == 401 and 'resource="https://vault.localhost' in text and "AKV10000" in text
    client = SecretClient(url, credential)
    expires = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    first = client.set_secret("mail-secret", "value one", content_type="text/plain", tags={"app": "a"}, expires_on=expires)
    told["set"] = first.properties.expires_on == expires and first.properties.tags == {"app": "a"}
    told["get_latest"] = client.get_secret("Mail-Secret").value == "value one"
    second = client.set_secret("mail-secret", "value two")
    told["second_version"] = second.properties.version != first.properties.version
    old = client.get_secret("mail-secret", first.properties.version)
    told["get_version"] = old.value == "value one" and client.get_secret("mail-secret").value == "value two"
    listed = list(client.list_properties_of_secrets())
    told["listed"] = [one.name for one in listed] == ["mail-secret"]
    versions = {one.version for one in client.list_properties_of_secret_versions("mail-secret")}
    told["versions"] = versions == {first.properties.version, second.properties.version}
    updated = client.update_secret_properties("mail-secret", tags={"app": "b"}, content_type="x")
    told["updated"] = updated.tags == {"app": "b"} and updated.content_type == "x"
    client.update_secret_properties("mail-secret", version=first.properties.version, enabled=False)
    told["disabled"] = refused(lambda: client.get_secret("mail-secret", first.properties.version), 403, "SecretDisabled")
    deleted = client.begin_delete_secret("mail-secret").result()
    told["deleted"] = deleted.scheduled_purge_date > deleted.deleted_date and refused(
        lambda: client.get_secret("mail-secret"), 404)
    told["name_is_taken"] = refused(
        lambda: client.set_secret("mail-secret", "x"), 409, "ObjectIsDeletedButRecoverable")
    told["deleted_listed"] = [one.name for one in client.list_deleted_secrets()] == ["mail-secret"]
    client.begin_recover_deleted_secret("mail-secret").wait()
    told["recovered"] = client.get_secret("mail-secret").value == "value two"
    client.begin_delete_secret("mail-secret").wait()
    client.purge_deleted_secret("mail-secret")
    told["purged"] = refused(lambda: client.get_deleted_secret("mail-secret"), 404)
    try:
        client.get_secret("never-was")
    except ResourceNotFoundError as error:
        told["absent"] = error.error.code == "SecretNotFound"
    told["too_long"] = refused(lambda: client.set_secret("long", "x" * 25601), 400)
    told["bad_name"] = refused(lambda: client.set_secret("no_name", "x"), 400)
    graph = credential.get_token("https://graph.microsoft.com/.default").token
    status, text = raw(graph)
    told["foreign_audience"] = status == 401 and "AKV10022" in text

    for number in range(30):
        client.set_secret(f"many-{number}", "x")
    told["paged"] = len(list(client.list_properties_of_secrets())) == 30

    other, principal = another_app(guide, credential)
    reader = SecretClient(url, other)
    told["no_right"] = refused(lambda: reader.get_secret("many-1"), 403, "ForbiddenByRbac")
    post(guide, "/_emulator/vaults", {"vault": VAULT, "principal": principal, "rights": {"get": True}})
    told["granted"] = reader.get_secret("many-1").value == "x" and refused(
        lambda: reader.set_secret("many-1", "y"), 403, "ForbiddenByRbac")
    return told


def another_app(guide, credential):
    """A second application with a secret: its credential and the id of its service principal."""
    context = ssl.create_default_context(cafile=guide["ca_file"])
    token = credential.get_token("https://graph.microsoft.com/.default").token

    def graph(path, body):
        request = urllib.request.Request(guide["url"] + "/v1.0" + path, json.dumps(body).encode(), method="POST")
        request.add_header("Authorization", f"Bearer {token}")
        request.add_header("Content-Type", "application/json")
        return json.load(urllib.request.urlopen(request, context=context))

    app = graph("/applications", {"displayName": "reader"})
    principal = graph("/servicePrincipals", {"appId": app["appId"]})
    secret = graph(f"/applications/{app['id']}/addPassword", {"passwordCredential": {"displayName": "r"}})
    other = ClientSecretCredential(
        guide["tenant_id"], app["appId"], secret["secretText"], authority=guide["url"],
        disable_instance_discovery=True)
    return other, principal["id"]


def issue(name, public, signer, issuer):
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).public_key(public).not_valid_before(now - DAY)
    builder = builder.not_valid_after(now + 90 * DAY).serial_number(x509.random_serial_number())
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)])
    return builder.issuer_name(named).sign(signer, hashes.SHA256())


def matches(secret, key=None):
    """Whether the secret beside a certificate holds a pair (with this key)."""
    if secret.properties.content_type == "application/x-pkcs12":
        found, certificate, _ = pkcs12.load_key_and_certificates(base64.b64decode(secret.value), None)
    else:
        found = serialization.load_pem_private_key(secret.value.encode(), None)
        certificate = x509.load_pem_x509_certificate(secret.value.encode())
    pair = found.public_key().public_numbers() == certificate.public_key().public_numbers()
    return pair and (key is None or found.private_numbers() == key.private_numbers())


def certificates(_guide, credential, url):
    told = {}
    client, reader = CertificateClient(url, credential), SecretClient(url, credential)
    key = rsa.generate_private_key(65537, 2048)
    certificate = issue("enate", key.public_key(), key, "enate")
    pfx = pkcs12.serialize_key_and_certificates(
        b"enate", key, certificate, None, serialization.BestAvailableEncryption(b"pass word"))
    policy = CertificatePolicy(issuer_name="Unknown", exportable=True, content_type="application/x-pkcs12")
    made = client.import_certificate("enate", pfx, password="pass word", policy=policy, tags={"a": "b"})
    told["pfx_imported"] = (
        bytes(made.cer) == certificate.public_bytes(serialization.Encoding.DER)
        and bytes(made.properties.x509_thumbprint) == certificate.fingerprint(hashes.SHA1())
        and made.properties.tags == {"a": "b"})
    beside = reader.get_secret("enate")
    told["pfx_secret_matches"] = matches(beside, key) and beside.properties._managed is True
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    text += certificate.public_bytes(serialization.Encoding.PEM)
    policy = CertificatePolicy(issuer_name="Unknown", content_type="application/x-pem-file")
    client.import_certificate("enate", text, policy=policy)
    told["pem_imported"] = client.get_certificate("enate").policy.content_type == "application/x-pem-file"
    told["pem_secret_matches"] = matches(reader.get_secret("enate"), key)
    told["versions"] = len(list(client.list_properties_of_certificate_versions("enate"))) == 2
    told["policy"] = client.get_certificate_policy("enate").issuer_name == "Unknown"
    told["listed"] = [one.name for one in client.list_properties_of_certificates()] == ["enate"]
    policy = CertificatePolicy(
        issuer_name="Unknown", exportable=False, key_type="RSA", key_size=2048, content_type="application/x-pem-file")
    client.import_certificate("closed", text, policy=policy)
    told["not_exportable"] = "PRIVATE KEY" not in reader.get_secret("closed").value
    stranger = issue("enate", rsa.generate_private_key(65537, 2048).public_key(), key, "enate")
    mixed = text[:text.index(b"-----BEGIN CERT")] + stranger.public_bytes(serialization.Encoding.PEM)
    told["wrong_pair"] = refused(lambda: client.import_certificate("mixed", mixed), 400)

    policy = CertificatePolicy(issuer_name="Unknown", subject="CN=outside", key_size=2048)
    operation = client.begin_create_certificate("outside", policy).result()
    request = x509.load_der_x509_csr(bytes(operation.csr))
    told["pending"] = (
        request.is_signature_valid and operation.status == "inProgress"
        and client.get_certificate_operation("outside").issuer_name == "Unknown")
    signed = issue("outside", request.public_key(), key, "Contoso CA")
    merged = client.merge_certificate("outside", [signed.public_bytes(serialization.Encoding.DER)])
    told["merged"] = bytes(merged.cer) == signed.public_bytes(serialization.Encoding.DER)
    told["merged_secret_matches"] = matches(reader.get_secret("outside"))

    client.begin_delete_certificate("enate").wait()
    told["deleted"] = refused(lambda: client.get_certificate("enate"), 404) and refused(
        lambda: client.import_certificate("enate", text), 409, "ObjectIsDeletedButRecoverable")
    client.begin_recover_deleted_certificate("enate").wait()
    told["recovered"] = client.get_certificate("enate").name == "enate"
    client.begin_delete_certificate("enate").wait()
    client.purge_deleted_certificate("enate")
    told["purged"] = refused(lambda: client.get_deleted_certificate("enate"), 404)
    return told


def main(guide_file, what):
    resolve_localhost()
    with open(guide_file, encoding="utf-8") as file:
        guide = json.load(file)
    credential = ClientSecretCredential(
        guide["tenant_id"], guide["operator"]["client_id"], guide["operator"]["client_secret"],
        authority=guide["url"], disable_instance_discovery=True)
    url = f"https://{VAULT}.{guide['key_vault']['suffix']}"
    print(json.dumps({"secrets": secrets, "certificates": certificates}[what](guide, credential, url)))


main(*sys.argv[1:])
