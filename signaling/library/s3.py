"""Recordings in an S3-compatible service: AWS, Ceph, MinIO, Garage, OpenStack Swift.

`s3://BUCKET/PREFIX?endpoint=https://…&public=https://…&region=…`. endpoint: where we reach it, empty for AWS; public: where
browsers do, if it is another. The keys are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what else boto3 finds.

A piece of an upload is an object of its own, named by its offset, so that any node can take the next; a finished upload is read
through and written as one object, in parallel parts.
"""

import hashlib
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

import boto3
import smart_open
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from signaling import errors
from signaling.library.storage import NotTheSame, WrongOffset, check_hash, check_size, upload_name

# Eight parts of a file in flight at once would be 64 MB of memory for each upload: four are as fast on most lines.
PARTS = TransferConfig(multipart_chunksize=8 << 20, max_concurrency=4)
# Retries with back-off are the library's; a service that is away is found out in seconds, not in minutes.
CALM = Config(
    connect_timeout=3, read_timeout=30, retries={"mode": "standard", "max_attempts": 4},
    # Not all services know the checksums that are newer than theirs.
    request_checksum_calculation="when_required", response_checksum_validation="when_required",
    signature_version="s3v4", s3={"addressing_style": "path"},
)  # fmt: skip
SIGNED_S = 900


@contextmanager
def _there() -> Iterator[None]:
    """Turns what the service lacks into words: FileNotFoundError, errors.storage_full, errors.storage_away."""
    try:
        yield
    except ClientError as error:
        code, status = error.response["Error"].get("Code", ""), error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        if code == "NoSuchKey" or (status == 404 and code != "NoSuchBucket"):
            raise FileNotFoundError(str(error)) from None
        if code in ("QuotaExceeded", "XMinioStorageFull") or status in (413, 507):
            raise errors.storage_full() from error
        raise errors.storage_away(f"{code or status}") from error
    except (BotoCoreError, HTTPClientError, S3UploadFailedError) as error:
        raise errors.storage_away(type(error).__name__) from error


class S3:
    """storage.Storage in a bucket."""

    def __init__(self, url: str, signs: bool) -> None:
        """Raises ValueError for an address that names no bucket."""
        found = urlsplit(url)
        if found.scheme != "s3" or not found.netloc:
            raise ValueError("it must look like s3://bucket/prefix?endpoint=https://host")
        said = {name: values[-1] for name, values in parse_qs(found.query).items()}
        self._bucket, self._prefix = found.netloc, found.path.strip("/")
        self._signs, region = signs, said.get("region", "us-east-1")
        self._client = self._connect(said.get("endpoint"), region)
        self._outside = self._connect(said["public"], region) if "public" in said else self._client

    @staticmethod
    def _connect(endpoint: str | None, region: str) -> Any:
        return boto3.session.Session().client("s3", endpoint_url=endpoint, region_name=region, config=CALM)

    @property
    def origin(self) -> str:
        where = urlsplit(self._outside.meta.endpoint_url)
        return f"{where.scheme}://{where.netloc}" if self._signs else ""

    def _key(self, *parts: str) -> str:
        return "/".join([*([self._prefix] if self._prefix else []), *parts])

    def _named(self, prefix: str) -> dict[str, int]:
        """Key → size of all objects below."""
        found: dict[str, int] = {}
        with _there():
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                found |= {one["Key"]: one["Size"] for one in page.get("Contents", [])}
        return found

    def _pieces(self, recording: str, name: str) -> tuple[list[tuple[str, int]], int]:
        """The pieces that follow on one another, (key, size), and how many bytes that is."""
        begins = {int(key.rpartition("/")[2]): (key, size) for key, size in self._named(self._upload(recording, name)).items()}
        pieces, received = [], 0
        for offset in sorted(begins):
            if offset > received:
                break
            if offset == received:
                pieces.append(begins[offset])
                received += begins[offset][1]
        return pieces, received

    def _upload(self, recording: str, name: str) -> str:
        return self._key("uploads", recording, upload_name(name)) + "/"

    def free_bytes(self) -> int | None:
        return None

    def received(self, recording: str, name: str) -> int:
        return self._pieces(recording, name)[1]

    def append(self, recording: str, name: str, offset: int, piece: IO[bytes], limit: int) -> int:
        here = self.received(recording, name)
        if offset == 0 and here > 0:
            self.forget_upload(recording, name)
            here = 0
        if offset != here:
            raise WrongOffset(here)
        with tempfile.SpooledTemporaryFile(max_size=1 << 20) as came:
            try:
                while (rest := limit - came.tell()) > 0 and (data := piece.read(min(1 << 20, rest))):
                    came.write(data)
            finally:
                if size := came.tell():
                    came.seek(0)
                    with _there():
                        key = f"{self._upload(recording, name)}{offset:020d}"
                        self._client.put_object(Bucket=self._bucket, Key=key, Body=came, ContentLength=size)
        return here + size

    def keep(self, recording: str, name: str, key: str, size_bytes: int, sha256: str) -> None:
        pieces, received = self._pieces(recording, name)
        check_size(received, size_bytes)
        target, whole = self._key("recordings", key), _Whole(self._read(piece) for piece, _ in pieces)
        try:
            with _there():
                self._client.upload_fileobj(whole, self._bucket, target, Config=PARTS)
            check_hash(whole.sha256, sha256)
        except FileNotFoundError:
            raise NotTheSame("it was begun anew meanwhile") from None
        except NotTheSame:
            self.delete(key)
            raise

    def _read(self, key: str) -> IO[bytes]:
        # By the library's reader, which goes on where a connection was cut.
        file: IO[bytes] = smart_open.open(f"s3://{self._bucket}/{key}", "rb", transport_params={"client": self._client})
        return file

    def forget_upload(self, recording: str, name: str) -> None:
        self._delete_below(self._upload(recording, name))

    def open(self, key: str) -> IO[bytes]:
        where = {"client": self._client, "defer_seek": True}
        with _there():
            self._client.head_object(Bucket=self._bucket, Key=self._key("recordings", key))
            file: IO[bytes] = smart_open.open(
                f"s3://{self._bucket}/{self._key('recordings', key)}", "rb", transport_params=where
            )
        return file

    def signed_url(self, key: str, disposition: str, media_type: str) -> str | None:
        if not self._signs:
            return None
        what = {
            "Bucket": self._bucket, "Key": self._key("recordings", key),
            "ResponseContentDisposition": disposition, "ResponseContentType": media_type,
        }  # fmt: skip
        url: str = self._outside.generate_presigned_url("get_object", Params=what, ExpiresIn=SIGNED_S)
        return url

    def delete(self, key: str) -> None:
        with _there():
            self._client.delete_object(Bucket=self._bucket, Key=self._key("recordings", key))

    def delete_recording(self, recording: str) -> None:
        for kind in ("recordings", "uploads"):
            self._delete_below(self._key(kind, recording) + "/")

    def _delete_below(self, prefix: str) -> None:
        for key in self._named(prefix):
            with _there():
                self._client.delete_object(Bucket=self._bucket, Key=key)


class _Whole(io.RawIOBase):
    """Files, one after the other, as one; what has been read is hashed."""

    def __init__(self, files: Iterator[IO[bytes]]) -> None:
        self._files, self._hash = files, hashlib.sha256()
        self._now: IO[bytes] | None = next(files, None)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """As much as was asked for, unless that was the end: whoever uploads takes less for the end."""
        parts: list[bytes] = []
        left = size if size >= 0 else 1 << 62
        while left and self._now is not None:
            data = self._now.read(min(left, 1 << 20))
            if not data:
                self._now.close()
                self._now = next(self._files, None)
            self._hash.update(data)
            parts.append(data)
            left -= len(data)
        return b"".join(parts)
