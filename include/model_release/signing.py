"""Signatures of releases, in the format of OpenSSF model-signing: proof of a version's author, apart from the store.

`model.sig` is kept beside a version's files. It covers each of them, `metadata.json` included, and the model's name: so
neither files nor digests, neither version nor metrics can be replaced, not even by those of another release by the same
key. It does not say which version is live: `latest.json` changes too often to be signed by a person's or a run's key.
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from model_release.documents import layout, limits
from model_release.documents.manifest import Manifest, read_manifest
from model_release.documents.strict_json import read_json
from model_release.documents.version import Version
from model_release.errors import Corrupt, Refused, UsageError

KEY_FILE = "MODEL_RELEASE_SIGNING_KEY"
"""Environment variable: the PEM file of the private key by which commands sign what they publish."""

PASSPHRASE = "MODEL_RELEASE_SIGNING_PASSPHRASE"  # noqa: S105 - the name of a variable
"""Environment variable: that key's passphrase."""

CERTIFICATES_FILE = "MODEL_RELEASE_SIGNING_CERTIFICATES"
"""Environment variable: the PEM file of the certificates of that key, its own first."""

_UNSIGNED = [layout.CLAIM, layout.SIGNATURE]
_MAX_PEM = 60_000
_CURVES = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and the public half that consumers trust.

    Attributes:
        private: PEM, decrypted; never shown.
        certificates: PEM each, of the key's own certificate first and the root last; empty for a bare key.
        trust: PEM of the public key, or of the root.
    """

    private: bytes = field(repr=False)
    certificates: tuple[bytes, ...]
    trust: bytes

    @classmethod
    def read(cls, key: bytes, *, passphrase: str | None = None, certificates: bytes = b"", where: str) -> SigningKey:
        """Read a private key, and the certificates if it has some, from PEM.

        Args:
            key: an elliptic one: P-256, P-384 or P-521.
            passphrase: of an encrypted key.
            certificates: of the key first, then of its issuer, and so on to the root.
            where: the source of the key, for errors.

        Raises:
            UsageError: this cannot be a signing key.
        """
        with _installed():
            from cryptography import x509
            from cryptography.hazmat.primitives import serialization
            from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

        hint = "make one with `openssl ecparam -name prime256v1 -genkey -noout`"
        try:
            private = serialization.load_pem_private_key(key, passphrase.encode() if passphrase else None)
        except (ValueError, TypeError):  # the messages depend on the passphrase and do not help
            how = "with this passphrase" if passphrase else "; an encrypted one needs its passphrase"
            raise UsageError(f"holds no private key in PEM that can be read {how}", where=where, hint=hint) from None
        if not isinstance(private, EllipticCurvePrivateKey) or private.curve.name not in _CURVES:
            raise UsageError("is no elliptic key of P-256, P-384 or P-521", where=where, hint=hint)
        try:
            chain = x509.load_pem_x509_certificates(certificates) if certificates.strip() else []
        except ValueError:
            raise UsageError("its certificates are not PEM", where=where) from None
        if chain and chain[0].public_key() != private.public_key():
            hint = "order them from the key's own certificate to the root"
            raise UsageError("the first certificate is of another key", where=where, hint=hint)
        pem = serialization.Encoding.PEM
        plain = private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        public = private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        vouched = tuple(each.public_bytes(pem) for each in chain)
        return cls(plain, vouched, vouched[-1] if vouched else public)


KeySource = Callable[[str], SigningKey]
"""From the name that a spec gives its key to the key; Airflow's reads the connection of that name."""


def key_of_environment() -> SigningKey | None:
    """Return the key whose file `MODEL_RELEASE_SIGNING_KEY` names; None if the variable is not set.

    Raises:
        UsageError: the file cannot be read, or is no signing key.
    """
    path = os.environ.get(KEY_FILE)
    if not path:
        return None
    chain = os.environ.get(CERTIFICATES_FILE)
    return SigningKey.read(
        _read(path, f"{KEY_FILE}={path}"),
        passphrase=os.environ.get(PASSPHRASE),
        certificates=_read(chain, f"{CERTIFICATES_FILE}={chain}") if chain else b"",
        where=f"{KEY_FILE}={path}",
    )


def needed_key(name: str) -> SigningKey:
    """Return the environment's key, for a spec that wants its releases signed; outside Airflow `name` is unused.

    Raises:
        UsageError: the environment names no key.
    """
    key = key_of_environment()
    if key is None:
        raise UsageError(
            f"releases of this model are signed, by the key of Airflow's connection {name!r}",
            hint=f"outside Airflow, set {KEY_FILE} to the path of that key",
        )
    return key


def sign(folder: Path, key: SigningKey) -> bytes:
    """Sign all files of a version's folder. The folder's name is the model's, and is signed too.

    Raises:
        UsageError: a signature by this key could not be verified, as with a chain that does not reach its root.
    """
    with _installed():
        from model_signing import hashing, signing

    config = signing.Config().set_hashing_config(
        hashing.Config().set_ignored_paths(paths=_UNSIGNED, ignore_git_paths=False)
    )
    with ExitStack() as stack:
        private = stack.enter_context(_as_path(key.private))
        if key.certificates:
            own, *others = [stack.enter_context(_as_path(each)) for each in [*key.certificates, key.trust]]
            chain = others[:-1] or others  # a self-signed certificate is its own issuer
            config.use_certificate_signer(private_key=private, signing_certificate=own, certificate_chain=chain)
        else:
            config.use_elliptic_key_signer(private_key=private)
        target = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="model-release-"))) / layout.SIGNATURE
        config.sign(folder, target)
        signature = limits.read_bounded(target, limits.SIGNATURE)
    try:
        check(folder, signature, key.trust, where=str(folder))
    except (Corrupt, Refused) as error:
        raise UsageError(
            "a signature by this key cannot be verified with its certificates",
            hint="give all certificates down to the root; the key's own must allow digital signatures or code signing",
        ) from error
    return signature


def verify(folder: Path, trust: Path, *, model: str | None, version: Version | None) -> Manifest:
    """Check that a version's files have a signature by a trusted key.

    Args:
        folder: with the version's files, `metadata.json` and `model.sig`, and nothing else but `claim.json`.
        trust: a PEM file of public keys, or of root certificates: any of them may have signed.
        model: the name of the model's folder, `heart-disease-models`; None if the place does not tell.
        version: the one that was asked for; None for any.

    Returns:
        The manifest, as it was signed.

    Raises:
        UsageError: `trust` cannot be read, or holds neither a public key nor a certificate.
        Refused: the release has no signature, or none by a key of `trust`.
        Corrupt: files were changed after they were signed; or it is another release than the one asked for.
    """
    where = str(folder)
    path = folder / layout.SIGNATURE
    if not path.is_file():
        raise Refused(
            f"the release has no {layout.SIGNATURE}: it is not signed",
            where=where,
            hint="leave the trusted key out for a release that was published without a signature",
        )
    anchors = _read(trust, str(trust))
    signature = limits.read_bounded(path, limits.SIGNATURE)
    manifest, signed_model = check(folder, signature, anchors, where=where, trusted=str(trust))
    for asked, found in ((model, signed_model), (version, manifest.version)):
        if asked is not None and asked != found:
            raise Corrupt(
                f"this is {signed_model} {manifest.version}, with a valid signature, in the place of {asked}",
                where=where,
                hint="another release was put there; pull nothing from this store until you know by whom",
            )
    return manifest


def fits(signature: bytes, manifest: Manifest) -> bool:
    """Whether a signature covers exactly these files and this manifest. `check`, with a key, tells by whom it is."""
    try:
        statement, _ = _read_bundle(signature, where=layout.SIGNATURE)
    except Corrupt:
        return False
    digests = {entry.path: entry.sha256 for entry in manifest.files}
    return _digests(statement) == {**digests, layout.MANIFEST: manifest.sha256()}


def check(
    folder: Path, signature: bytes, anchors: bytes, *, where: str, trusted: str = "the trusted key"
) -> tuple[Manifest, str]:
    """Check a folder against a signature. `verify` does the same with files, and asks for more.

    Args:
        folder: with the version's files and `metadata.json`.
        signature: the bytes of `model.sig`.
        anchors: PEM of public keys, or of root certificates.
        where: the place of the folder's files, for errors.
        trusted: the place of the anchors, for errors.

    Returns:
        The manifest, and the name of the model's folder, both as signed.

    Raises:
        UsageError: `anchors` has none.
        Refused: no key of `anchors` has signed.
        Corrupt: files were changed after they were signed.
    """
    with _installed():
        from model_signing import verifying

    statement, signer = _read_bundle(signature, where=f"{where}/{layout.SIGNATURE}")
    with ExitStack() as stack:
        config = verifying.Config()
        anchor = _anchor(anchors, signer, where=where, trusted=trusted)
        trusted_path = stack.enter_context(_as_path(anchor))
        if signer is None:
            config.use_certificate_verifier(certificate_chain=[trusted_path])
        else:
            config.use_elliptic_key_verifier(public_key=trusted_path)
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="model-release-"))) / layout.SIGNATURE
        path.write_bytes(signature)
        try:
            config.verify(folder, path)
        except Exception as error:  # it raises any error of its own and of three libraries below it
            changed = _differing(folder, statement)
            if changed:
                raise Corrupt(
                    f"changed since it was signed: {', '.join(changed)}",
                    where=where,
                    hint="do not use it, and find out who changed it after it was published",
                ) from None
            raise Refused("the signature is by no trusted key", where=where, hint=f"see {trusted}") from error
    signed = set(_digests(statement))
    manifest = None
    if layout.MANIFEST in signed:
        body = limits.read_bounded(folder / layout.MANIFEST, limits.MANIFEST)
        manifest = read_manifest(body, where=f"{where}/{layout.MANIFEST}")
    if not isinstance(manifest, Manifest) or signed != {layout.MANIFEST, *(each.path for each in manifest.files)}:
        raise Corrupt("the signature covers other files than a release of model-release has", where=where)
    return manifest, str(statement["subject"][0]["name"])


def _read_bundle(signature: bytes, *, where: str) -> tuple[dict[str, Any], str | None]:
    """Return the statement of a signature, and the name of its public key; None for a certificate.

    Nothing of it may be trusted before it is verified.
    """
    try:
        bundle = read_json(signature)
        statement = read_json(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
        material = bundle["verificationMaterial"]
        signer = str(material["publicKey"]["hint"]) if "publicKey" in material else None
        _digests(statement), statement["subject"][0]["name"]
    except (ValueError, KeyError, TypeError, IndexError):
        raise Corrupt("is no signature of model-signing", where=where) from None
    return statement, signer


def _digests(statement: dict[str, Any]) -> dict[str, str]:
    return {str(each["name"]): str(each["digest"]) for each in statement["predicate"]["resources"]}


def _differing(folder: Path, statement: dict[str, Any]) -> list[str]:
    """Return the paths that differ from the statement, that are missing, and that the statement does not have."""
    there = {}
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                there[path.relative_to(folder).as_posix()] = file_digest(file, "sha256").hexdigest()
    for name in _UNSIGNED:
        there.pop(name, None)
    signed = _digests(statement)
    return sorted(path for path in there.keys() | signed.keys() if there.get(path) != signed.get(path))


def _anchor(anchors: bytes, signer: str | None, *, where: str, trusted: str) -> bytes:
    """Return the PEM that verifies a signature: the public key that it names, or every root certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    if b"PRIVATE KEY-----" in anchors:
        hint = "give consumers the public key: `openssl pkey -in key.pem -pubout`"
        raise UsageError("holds a private key", where=trusted, hint=hint)
    keys: dict[str, bytes] = {}
    certificates = list[bytes]()
    for block in _blocks(anchors):
        with suppress(ValueError):
            if b"CERTIFICATE" in block:
                certificates.append(x509.load_pem_x509_certificate(block).public_bytes(serialization.Encoding.PEM))
            else:
                key = serialization.load_pem_public_key(block)
                pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
                keys[sha256(pem).hexdigest()] = pem
    if not keys and not certificates:
        raise UsageError("holds neither a public key nor a certificate, in PEM", where=trusted)
    if signer is None and certificates:
        return b"".join(certificates)
    if signer in keys:
        return keys[signer]
    by = "with a certificate" if signer is None else f"by key {signer[:12]}…"
    have = ", ".join([*(f"key {each[:12]}…" for each in keys), *(["certificates"] if certificates else [])])
    raise Refused(f"the release is signed {by}, and {trusted} has {have}", where=where)


def _blocks(pem: bytes) -> Iterator[bytes]:
    block = list[bytes]()
    for line in pem.splitlines(keepends=True):
        if line.startswith(b"-----BEGIN "):
            block = []
        block.append(line)
        if line.startswith(b"-----END "):
            yield b"".join(block)


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        hint = "install model-release with its extra 'sign'"
        raise UsageError(f"signatures need {error.name}, which is not installed", hint=hint) from None


def _read(path: str | Path, where: str) -> bytes:
    """Return the bytes of a file of keys or certificates.

    Raises:
        UsageError: it cannot be read, or is too large for one.
    """
    try:
        return limits.read_bounded(Path(path), limits.PEM)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=where) from None
    except Corrupt as error:
        raise UsageError(error.what, where=where) from None


@contextmanager
def _as_path(pem: bytes) -> Iterator[Path]:
    """Give PEM to a library that needs a path, readable once, without a file that a killed process would leave."""
    if len(pem) > _MAX_PEM:  # the capacity of a pipe without a reader
        raise UsageError("too long for a key or a chain of certificates in PEM")
    read, write = os.pipe()
    try:
        os.write(write, pem)
        os.close(write)
        yield Path(f"/dev/fd/{read}")
    finally:
        os.close(read)
