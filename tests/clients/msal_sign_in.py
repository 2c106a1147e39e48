"""Signs in with msal in all its ways and prints what came back, never a token.

usage: msal_sign_in.py EMULATOR_JSON
"""

import json
import sys

import msal

from lab import SCOPE, Certificate, Lab, claims_of


def sign_in(lab, client_id, credential, **how):
    if not how:
        how = {"authority": f"{lab.url}/{lab.tenant}"}
    app = msal.ConfidentialClientApplication(
        client_id, client_credential=credential, instance_discovery=False, **how
    )
    answer = app.acquire_token_for_client([SCOPE])
    if "access_token" not in answer:
        return {"error": answer["error"], "codes": answer["error_codes"], "said": answer["error_description"]}
    claims = claims_of(answer["access_token"])
    return {
        "token_type": answer["token_type"],
        "expires_in": answer["expires_in"],
        "appid": claims["appid"],
        "appidacr": claims["appidacr"],
        "roles": claims.get("roles", []),
    }


def main(guide_file):
    lab = Lab(guide_file)
    operator = lab.guide["operator"]
    app, certificate, short = lab.app("msal"), Certificate(), Certificate(seconds=3)
    lab.register(app, certificate, short)
    pem = {"private_key": certificate.key_pem(), "thumbprint": certificate.thumbprint()}
    pfx = {"private_key_pfx_path": certificate.write("client.pfx", "pass phrase"), "passphrase": "pass phrase"}
    chain = {"private_key": certificate.key_pem(), "public_certificate": certificate.pem()}
    stranger = Certificate()
    with_stranger = {"private_key": stranger.key_pem(), "thumbprint": stranger.thumbprint()}
    forged = {"private_key": stranger.key_pem(), "thumbprint": certificate.thumbprint()}
    issuer = {"oidc_authority": f"{lab.url}/{lab.tenant}/v2.0"}
    seen = {
        "client_id": app["app_id"],
        "operator": sign_in(lab, operator["client_id"], operator["client_secret"]),
        "secret": sign_in(lab, app["app_id"], app["secret"]),
        "secret by issuer": sign_in(lab, app["app_id"], app["secret"], **issuer),
        "pem with thumbprint": sign_in(lab, app["app_id"], pem),
        "pfx": sign_in(lab, app["app_id"], pfx),
        "public certificate": sign_in(lab, app["app_id"], chain),
        "wrong secret": sign_in(lab, app["app_id"], "abc8Q~wrong"),
        "unknown app": sign_in(lab, "11111111-2222-4333-8444-555555555555", "abc8Q~wrong"),
        "unknown certificate": sign_in(lab, app["app_id"], with_stranger),
        "forged": sign_in(lab, app["app_id"], forged),
    }
    short.wait_for_its_end()
    expired = {"private_key": short.key_pem(), "thumbprint": short.thumbprint()}
    seen["expired certificate"] = sign_in(lab, app["app_id"], expired)
    print(json.dumps(seen))


main(*sys.argv[1:])
