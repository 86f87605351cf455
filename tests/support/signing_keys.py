"""Keys and certificates that tests sign with, made on the spot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


def private_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """Make an elliptic key; of P-256, if nothing else is said."""
    return ec.generate_private_key(curve or ec.SECP256R1())


def pem_of(key: ec.EllipticCurvePrivateKey, *, passphrase: str | None = None) -> bytes:
    """Return a private key as openssl writes it."""
    locked = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)


def public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return its public key."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    issuer: str | None = None,
    by: ec.EllipticCurvePrivateKey | None = None,
    authority: bool = False,
    signs: bool = True,
) -> bytes:
    """Issue a certificate; without an issuer, by the key itself."""
    usage = x509.KeyUsage(
        digital_signature=signs,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer or name)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(by or key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)
