"""Signs in without a secret of one's own and prints what the tokens say, never a token.

usage: identities.py EMULATOR_JSON workload|managed|refused

The emulator must serve its managed identity endpoints. `workload` makes everkey's application trust one subject of
the emulator's own issuer, and leaves its token in workload.token.
"""

import base64
import json
import os
import pathlib
import sys
import urllib.request

import msal
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ManagedIdentityCredential
from azure.identity import WorkloadIdentityCredential

SUBJECT = "system:serviceaccount:ops:everkey"
SCOPE = "https://graph.microsoft.com/.default"
TOKEN_FILE = pathlib.Path("workload.token")


class Emulator:
    """The emulator that `guide_file` describes."""

    def __init__(self, guide_file):
        self.guide = json.loads(pathlib.Path(guide_file).read_text(encoding="utf-8"))
        self.url = self.guide["url"]
        self.tenant = self.guide["tenant_id"]
        self.client = self.guide["operator"]["client_id"]

    def call(self, method, path, body=None, token=None):
        """The JSON answer to a call; an exception unless it succeeds."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = requests.request(method, self.url + path, json=body, headers=headers, timeout=20)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def mint(self, subject):
        """A token of the emulator's issuer."""
        return self.call("POST", "/_emulator/issuer/token", {"subject": subject})["token"]

    def trust(self, subject):
        """Adds the federated credential, by Graph, as the application's owner."""
        state = self.call("GET", "/_emulator/state")
        app, principal = (
            next(one["id"] for one in state[kind].values() if one["appId"] == self.client)
            for kind in ("applications", "principals")
        )
        self.call("POST", "/_emulator/own", {"object": app, "owner": principal})
        secret = msal.ConfidentialClientApplication(
            self.client,
            client_credential=self.guide["operator"]["client_secret"],
            authority=f"{self.url}/{self.tenant}",
            instance_discovery=False,
        )
        token = secret.acquire_token_for_client([SCOPE])["access_token"]
        self.call("POST", f"/v1.0/applications/{app}/federatedIdentityCredentials", {
            "name": "cluster",
            "issuer": f"{self.url}/_emulator/issuer",
            "subject": subject,
            "audiences": ["api://AzureADTokenExchange"],
        }, token)

    def workload(self):
        """azure-identity's credential over the token file."""
        return WorkloadIdentityCredential(
            tenant_id=self.tenant,
            client_id=self.client,
            token_file_path=str(TOKEN_FILE),
            authority=self.url,
            disable_instance_discovery=True,
        )


def told(token):
    """The claims that matter."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return {"roles": claims["roles"], "appidacr": claims["appidacr"]}


def workload(emulator):
    emulator.trust(SUBJECT)
    TOKEN_FILE.write_text(emulator.mint(SUBJECT), encoding="utf-8")
    app = msal.ConfidentialClientApplication(
        emulator.client,
        client_credential={"client_assertion": TOKEN_FILE.read_text(encoding="utf-8")},
        authority=f"{emulator.url}/{emulator.tenant}",
        instance_discovery=False,
    )
    return {
        "azure-identity": told(emulator.workload().get_token(SCOPE).token),
        "msal": told(app.acquire_token_for_client([SCOPE])["access_token"]),
    }


def by_msal():
    client = msal.ManagedIdentityClient(msal.SystemAssignedManagedIdentity(), http_client=requests.Session())
    return told(client.acquire_token_for_client(resource="https://graph.microsoft.com")["access_token"])


def by_azure_identity():
    return told(ManagedIdentityCredential().get_token(SCOPE).token)


def managed(emulator):
    given = emulator.guide["managed_identity"]
    os.environ.update(given["variables"])
    answer = {"imds azure-identity": by_azure_identity(), "imds msal": by_msal()}
    os.environ.update(given["app_service"]["variables"])
    header_file = pathlib.Path(given["app_service"]["identity_header_file"])
    os.environ["IDENTITY_HEADER"] = header_file.read_text(encoding="utf-8")
    return answer | {"app azure-identity": by_azure_identity(), "app msal": by_msal()}


def refused(emulator):
    good = TOKEN_FILE.read_text(encoding="utf-8")
    answer = {}
    TOKEN_FILE.write_text(emulator.mint(SUBJECT.upper()), encoding="utf-8")
    try:
        emulator.workload().get_token(SCOPE)
    except ClientAuthenticationError as error:
        answer["workload"] = str(error)
    TOKEN_FILE.write_text(good, encoding="utf-8")
    os.environ.update(emulator.guide["managed_identity"]["variables"])
    url = os.environ["AZURE_POD_IDENTITY_AUTHORITY_HOST"] + "/metadata/identity/oauth2/token"
    query = "?api-version=2018-02-01&resource=https://graph.microsoft.com&client_id=" + emulator.tenant
    try:
        urllib.request.urlopen(urllib.request.Request(url + query, headers={"Metadata": "true"}), timeout=20)
    except urllib.error.HTTPError as error:
        answer["managed"] = error.read().decode()
    return answer


def main(guide_file, what):
    emulator = Emulator(guide_file)
    print(json.dumps({"workload": workload, "managed": managed, "refused": refused}[what](emulator)))


main(*sys.argv[1:])
