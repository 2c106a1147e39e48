"""Makes an application that may do all that azure-cli asks for, with a secret and a certificate to log in with.

Leaves `administrator.secret` and `administrator.pem` in the working directory and prints the ids.

usage: administrator.py EMULATOR_JSON
"""

import json
import sys

from lab import Certificate, Lab

ROLES = ["Application.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All"]


def main(guide_file):
    lab = Lab(guide_file)
    app, certificate = lab.app("administrator", ROLES), Certificate("administrator")
    lab.register(app, certificate)
    certificate.write("administrator.pem")
    with open("administrator.secret", "w", encoding="utf-8") as file:
        file.write(app.pop("secret"))
    with open("new.pem", "w", encoding="utf-8") as file:
        file.write(Certificate("new").pem())
    print(json.dumps(app))


main(*sys.argv[1:])
