"""An outside CA for the tests: a certificate request comes in on standard input, a certificate goes out.

Usage: sign_csr.py CA_DIRECTORY NOT_BEFORE DAYS. The CA is made in the directory when it is not there.
"""

import datetime
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

folder, start, days = pathlib.Path(sys.argv[1]), datetime.datetime.fromisoformat(sys.argv[2]), int(sys.argv[3])
key_file = folder / "ca.key"
name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Contoso Issuing CA")])
if key_file.exists():
    ca_key = serialization.load_pem_private_key(key_file.read_bytes(), None)
else:
    ca_key = rsa.generate_private_key(65537, 2048)
    folder.mkdir(exist_ok=True)
    key_file.write_bytes(
        ca_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )

csr = x509.load_pem_x509_csr(sys.stdin.buffer.read())
if not csr.is_signature_valid:
    sys.exit("the request's own signature is not valid")
certificate = (
    x509.CertificateBuilder()
    .subject_name(csr.subject)
    .issuer_name(name)
    .public_key(csr.public_key())
    .serial_number(x509.random_serial_number())
    .not_valid_before(start)
    .not_valid_after(start + datetime.timedelta(days=days))
    .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    .sign(ca_key, hashes.SHA256())
)
sys.stdout.buffer.write(certificate.public_bytes(serialization.Encoding.PEM))
