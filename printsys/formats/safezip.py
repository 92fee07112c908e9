"""Zip packages from strangers: we check what the directory promises and count the bytes that come out.

We write nothing to disk, so a name that leads out of the package does no harm.
"""

from __future__ import annotations

import errno
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

from printsys.errors import PrintSysError

CHUNK = 1 << 16
MOST_PARTS = 10_000
"""No program writes as many; zipfile would hold them all in memory before we could count them."""
DAMAGED = "It is damaged or cut short."
DIRECTORY_ENTRY = b"PK\x01\x02"
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    LookupError,
    struct.error,
)


class ZipRefused(PrintSysError):
    """The package, or a part of it, is damaged or not the work of an honest program."""


class Package:
    """The parts of a zip file by name: slashes at the beginning and the case of letters make no difference."""

    def __init__(self, package: zipfile.ZipFile) -> None:
        self._package = package
        self._parts: dict[str, zipfile.ZipInfo] = {}
        for part in package.infolist():
            if not part.filename.endswith(("/", "\\")) and part.filename:
                self._parts.setdefault(_key(part.filename), part)

    @property
    def names(self) -> list[str]:
        """In the package's order and spelling, no name twice."""
        return [part.filename for part in self._parts.values()]

    def __contains__(self, name: str) -> bool:
        return _key(name) in self._parts

    def size(self, name: str) -> int:
        """Unpacked bytes, as the directory promises."""
        return self._parts[_key(name)].file_size

    def read(self, name: str, limit: int) -> bytes:
        """The whole part. ZipRefused when it is missing, damaged or larger than `limit` bytes."""
        text = self.head(name, limit + 1)
        if len(text) > limit:
            raise ZipRefused(f"{name} unpacks to more than {limit >> 20} MB.")
        return text

    def head(self, name: str, limit: int) -> bytes:
        """The first `limit` bytes of the part."""
        with self.open(name) as stream:
            return stream.read(limit)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """A stream of the part. An error while you read it is a ZipRefused, too."""
        part = self._parts.get(_key(name))
        if part is None:
            raise ZipRefused(f"{name} is missing.")
        if part.flag_bits & 1:
            raise ZipRefused("It is encrypted. Please save it without a password.")
        if part.compress_type not in PACKED:
            raise ZipRefused(f"{name} is packed in an unusual way.")
        with _damage_refused(), self._package.open(part) as stream:
            yield stream


@contextmanager
def open_package(stream: BinaryIO) -> Iterator[Package]:
    """ZipRefused for a file that is no zip, is damaged, or has more parts than any program writes."""
    if directory_entries(stream) > MOST_PARTS:
        raise ZipRefused("It has far too many parts.")
    with _damage_refused():
        package = zipfile.ZipFile(stream)
    with package:
        yield Package(package)


@contextmanager
def _damage_refused() -> Iterator[None]:
    """The disk's own errors stay OSError; "invalid argument" means a package that points before its beginning."""
    try:
        yield
    except BROKEN as error:
        raise ZipRefused(DAMAGED) from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise ZipRefused(DAMAGED) from error


def _key(name: str) -> str:
    return name.lstrip("/").casefold()


def directory_entries(stream: BinaryIO) -> int:
    """How often the signature of a directory entry occurs: at least as often as the directory has entries."""
    count, tail = 0, b""
    stream.seek(0)
    while chunk := stream.read(CHUNK):
        count += (tail + chunk).count(DIRECTORY_ENTRY)
        tail = chunk[-3:]
    stream.seek(0)
    return count
