"""Files that are too large for one request to S3: parts side by side, checked part by part and as a whole.

For `s3.store`. The part size is kept in the object's metadata, so that a reader can check the one checksum that S3
keeps of such an object: the SHA-256 of its parts' SHA-256.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from io import BufferedRandom
from typing import Any, BinaryIO, cast

from botocore.exceptions import ClientError, IncompleteReadError

from model_release.documents.limits import check_size
from model_release.errors import Corrupt, Refused
from model_release.stores.fast import Fast
from model_release.stores.parts import side_by_side
from model_release.stores.s3.errors import CONDITION_FAILED, S3Error, code_of

Json = dict[str, Any]

PART = 8 * 1024 * 1024
"""Bytes of one part. Files up to this size are one request."""

MAX_PARTS = 10_000
COPY_LIMIT = 5 * 1024**3
"""Bytes that S3 copies in one request."""

READ = "s3:GetObject, s3:ListBucket"
"""Permissions for a read; without the second, S3 says "forbidden" of a missing object."""

WRITE = "s3:PutObject"

NEW: Json = {"IfNoneMatch": "*"}
"""The condition that the object does not exist."""

_COPY_PART = 512 * 1024 * 1024
_CHUNK = 1024 * 1024
_PART_SIZE = "model-release-part-size"


@dataclass(frozen=True, slots=True)
class Bodies:
    """The bodies of one bucket's objects.

    Attributes:
        client: botocore's.
        bucket: its name.
        uri: of the store, for messages.
        workers: how many parts travel at once.
        ask: sends one request on behalf of a key, with the permissions that it needs, and maps its errors.
        fast: asked first for a range.
    """

    client: Any
    bucket: str
    uri: str
    workers: int
    ask: Callable[[str, str, Callable[[], Any]], Any]
    fast: Fast

    def send(self, key: str, name: str, file: BinaryIO, size: int, kept: Json, *, new: bool) -> None:
        """Write an object from a file of `size` bytes; with `new`, only if it does not exist."""
        part_size = _part_size(size)

        def send(upload: Json, number: int) -> Json:
            wanted = min(part_size, size - (number - 1) * part_size)
            body = os.pread(file.fileno(), wanted, (number - 1) * part_size)
            if len(body) != wanted:
                raise Refused("the file became shorter while it was read", where=file.name, hint="upload it again")
            sha256 = base64_of(hashlib.sha256(body).digest())
            sent = self.client.upload_part(**upload, PartNumber=number, Body=body, ChecksumSHA256=sha256)
            return {"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": sha256}

        self._in_parts(
            key, name, kept | {"Metadata": {_PART_SIZE: str(part_size)}}, -(-size // part_size), send, new=new
        )

    def copy(self, key: str, origin: str, name: str, head: Json, kept: Json, *, new: bool) -> None:
        """Copy on S3's side an object that is too large for one request; `head` describes it."""
        size = head["ContentLength"]
        part_size = max(_COPY_PART, _part_size(size))

        def send(upload: Json, number: int) -> Json:
            first = (number - 1) * part_size
            result = self.client.upload_part_copy(
                **upload,
                PartNumber=number,
                CopySource={"Bucket": self.bucket, "Key": origin},
                CopySourceIfMatch=head["ETag"],
                CopySourceRange=f"bytes={first}-{min(first + part_size, size) - 1}",
            )["CopyPartResult"]
            names = ("ETag", "ChecksumSHA256")
            return {"PartNumber": number, **{name: result[name] for name in names if name in result}}

        kept |= {"Metadata": kept["Metadata"] | {_PART_SIZE: str(part_size)}}
        self._in_parts(key, name, kept, -(-size // part_size), send, new=new)

    def receive_whole(self, key: str, name: str, file: BufferedRandom, limit: int | None) -> Json | None:
        """Read an object in one request, checked by the SDK; return its headers instead if parts are the better way.

        Raises:
            Corrupt: it has more than `limit` bytes.
        """
        found = self.client.get_object(Bucket=self.bucket, Key=name, ChecksumMode="ENABLED")
        with closing(found["Body"]) as body:
            check_size(found["ContentLength"], limit, f"{self.uri}/{key}")
            part_size = int(found.get("Metadata", {}).get(_PART_SIZE, 0))
            if found.get("ChecksumSHA256") and 0 < part_size < found["ContentLength"]:
                return cast(Json, found)
            size = _pour(body, file.fileno(), 0)
        if size != found["ContentLength"]:
            raise IncompleteReadError(actual_bytes=size, expected_bytes=found["ContentLength"])
        file.truncate(size)
        return None

    def receive_parts(self, key: str, name: str, file: BufferedRandom, found: Json) -> None:
        """Read an object in ranges side by side, and check it against the checksum that S3 keeps for the whole."""
        size, part_size = found["ContentLength"], int(found["Metadata"][_PART_SIZE])

        def receive(first: int) -> bytes:
            last = min(first + part_size, size) - 1
            quick = self.fast.get_range(name, first, last - first + 1, found["ETag"])
            if quick is not None:
                os.pwrite(file.fileno(), quick, first)
                return hashlib.sha256(quick).digest()
            part = self.client.get_object(
                Bucket=self.bucket, Key=name, Range=f"bytes={first}-{last}", IfMatch=found["ETag"]
            )
            sha256 = hashlib.sha256()
            with closing(part["Body"]) as body:
                got = _pour(body, file.fileno(), first, sha256)
            if got != last - first + 1:
                raise IncompleteReadError(actual_bytes=got, expected_bytes=last - first + 1)
            return sha256.digest()

        def ask(first: int) -> bytes:
            return cast(bytes, self.ask(key, READ, lambda: receive(first)))

        digests = list(side_by_side(ask, range(0, size, part_size), self.workers))
        stored, _, count = found["ChecksumSHA256"].partition("-")
        actual = hashlib.sha256(b"".join(digests))
        if base64_of(actual.digest()) != stored and not count:  # a copy may have made one part of them
            file.seek(0)
            actual = hashlib.file_digest(file, "sha256")
        if base64_of(actual.digest()) != stored:
            raise Corrupt(
                "these bytes differ from the stored ones", where=f"{self.uri}/{key}", hint="download it again"
            )

    def _in_parts(
        self, key: str, name: str, kept: Json, count: int, send: Callable[[Json, int], Json], *, new: bool
    ) -> None:
        """Write an object from parts that are sent side by side; nothing is left of it if one of them fails."""
        condition = NEW if new else {}
        kept = {name: value for name, value in kept.items() if name not in NEW}  # it belongs to the last request
        client, bucket = self.client, self.bucket
        upload = self.ask(
            key,
            WRITE,
            lambda: client.create_multipart_upload(Bucket=bucket, Key=name, ChecksumAlgorithm="SHA256", **kept),
        )
        one = {"Bucket": bucket, "Key": name, "UploadId": upload["UploadId"]}
        try:
            numbers = range(1, count + 1)
            parts = [*side_by_side(lambda at: self.ask(key, WRITE, lambda: send(one, at)), numbers, self.workers)]
            whole = {"MultipartUpload": {"Parts": parts}, **condition}
            done = self.ask(key, WRITE, unless_there(lambda: client.complete_multipart_upload(**one, **whole)))
            if done is None:
                client.abort_multipart_upload(**one)
        except BaseException:
            with suppress(*S3Error):  # parts cost money until a lifecycle rule removes them; the failure counts more
                client.abort_multipart_upload(**one)
            raise


def unless_there(request: Callable[[], Any]) -> Callable[[], Any]:
    """Return the request with one more answer: None if it was to write a new object only, and the object exists."""

    def asked() -> Any:
        try:
            return request()
        except ClientError as error:
            if code_of(error) in CONDITION_FAILED:
                return None
            raise

    return asked


def _part_size(size: int) -> int:
    """Bytes of one part of a file: `PART`, more only where there would be too many parts."""
    return max(PART, -(-size // (MAX_PARTS * _CHUNK)) * _CHUNK)


def _pour(body: Any, descriptor: int, offset: int, digest: Any = None) -> int:
    """Write a stream into a file from `offset` on, and return its size."""
    size = 0
    while chunk := body.read(_CHUNK):
        if digest is not None:
            digest.update(chunk)
        os.pwrite(descriptor, chunk, offset + size)
        size += len(chunk)
    return size


def base64_of(digest: bytes) -> str:
    """Return a digest as S3 writes it."""
    return base64.b64encode(digest).decode("ascii")
