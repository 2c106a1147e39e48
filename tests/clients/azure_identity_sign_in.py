"""Signs in with azure-identity by secret and certificate, calls Graph with the token, prints what came back.

usage: azure_identity_sign_in.py EMULATOR_JSON
"""

import json
import os
import sys

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientSecretCredential, EnvironmentCredential

from lab import SCOPE, Certificate, Lab, claims_of


def sign_in(lab, credential):
    try:
        token = credential.get_token(SCOPE)
    except ClientAuthenticationError as error:
        return {"status": error.response.status_code if error.response else None, "said": error.message}
    claims = claims_of(token.token)
    status, _ = lab.graph("GET", "/applications?$top=1", bearer=token.token)
    return {"appidacr": claims["appidacr"], "roles": claims.get("roles", []), "graph": status}


def main(guide_file):
    lab = Lab(guide_file)
    app, certificate, short = lab.app("identity", ["Application.Read.All"]), Certificate(), Certificate(seconds=3)
    lab.register(app, certificate, short)
    pem, pfx = certificate.write("client.pem"), certificate.write("client.pfx", "pass phrase")
    how = {"authority": lab.url, "disable_instance_discovery": True}

    def by_secret(secret, client=app["app_id"], tenant=lab.tenant):
        return sign_in(lab, ClientSecretCredential(tenant, client, secret, **how))

    def by_certificate(path, **more):
        return sign_in(lab, CertificateCredential(lab.tenant, app["app_id"], path, **how, **more))

    seen = {
        "secret": by_secret(app["secret"]),
        "secret, tenant by domain": by_secret(app["secret"], tenant="contoso.example"),
        "pem": by_certificate(pem),
        "pem with chain": by_certificate(pem, send_certificate_chain=True),
        "pfx": by_certificate(pfx, password="pass phrase"),
        "pfx with chain": by_certificate(pfx, password="pass phrase", send_certificate_chain=True),
        "wrong secret": by_secret("abc8Q~wrong"),
        "unknown app": by_secret("abc8Q~wrong", client="11111111-2222-4333-8444-555555555555"),
        "unknown certificate": by_certificate(Certificate().write("stranger.pem")),
    }
    os.environ.update(AZURE_AUTHORITY_HOST=lab.url, AZURE_TENANT_ID=lab.tenant, AZURE_CLIENT_ID=app["app_id"])
    os.environ["AZURE_CLIENT_SECRET"] = app["secret"]
    seen["environment, secret"] = sign_in(lab, EnvironmentCredential(disable_instance_discovery=True))
    del os.environ["AZURE_CLIENT_SECRET"]
    os.environ.update(AZURE_CLIENT_CERTIFICATE_PATH=pfx, AZURE_CLIENT_CERTIFICATE_PASSWORD="pass phrase")
    seen["environment, certificate"] = sign_in(lab, EnvironmentCredential(disable_instance_discovery=True))
    short.wait_for_its_end()
    seen["expired certificate"] = by_certificate(short.write("short.pem"))
    print(json.dumps(seen))


main(*sys.argv[1:])
