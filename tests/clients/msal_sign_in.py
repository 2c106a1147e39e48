"""Signs in with msal and prints what came back, never the token.

usage: msal_sign_in.py EMULATOR_JSON secret
"""

import base64
import json
import sys

import msal


def main(guide_file, how):
    with open(guide_file, encoding="utf-8") as file:
        guide = json.load(file)
    credential = {"secret": guide["operator"]["client_secret"]}[how]
    app = msal.ConfidentialClientApplication(
        guide["operator"]["client_id"],
        client_credential=credential,
        authority=f"{guide['url']}/{guide['tenant_id']}",
        instance_discovery=False,
    )
    answer = app.acquire_token_for_client(["https://graph.microsoft.com/.default"])
    if "access_token" not in answer:
        sys.exit(f"no token: {answer.get('error')} {answer.get('error_description')}")
    payload = answer["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    print(json.dumps({
        "token_type": answer["token_type"],
        "expires_in": answer["expires_in"],
        "roles": claims["roles"],
    }))


main(*sys.argv[1:])
