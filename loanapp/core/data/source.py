"""From a handle to bytes: what kind of file it is, by its content, unpacked under the limits."""

from __future__ import annotations

import gzip
import io
import mmap
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Literal, cast

from loanapp.core.data.limits import MB, Limits
from loanapp.core.data.report import refused
from loanapp.core.errors import LimitExceeded, message

Kind = Literal["text", "workbook", "parquet"]
BLOCK = 1 << 20
IN_MEMORY = 64 * MB
MEMBERS = 2_000
NESTING = 2
RATIO, RATIO_FLOOR = 200, 100 * MB
WORKBOOK_RATIO, WORKBOOK_FLOOR, WORKBOOK_BYTES = 50, 20 * MB, 250 * MB

_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06"), b"PAR1"
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DAMAGED = message("The archive is damaged or cut off. Compress the file again.")


@dataclass(frozen=True)
class Content:
    """The bytes of a file, in memory or, where there are many, mapped from an unnamed file.

    Parameters
    ----------
    kind
        What the bytes are.
    data
        The bytes.
    """

    kind: Kind
    data: bytes | mmap.mmap

    def open(self) -> BinaryIO:
        """A new handle on the bytes."""
        if isinstance(self.data, bytes):
            return io.BytesIO(self.data)
        return cast(BinaryIO, io.BufferedReader(_MapReader(self.data), BLOCK))

    def forget(self) -> None:
        """Let go of what was read of a mapped file: it comes back when it is looked at."""
        if isinstance(self.data, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            self.data.madvise(mmap.MADV_DONTNEED)

    def find(self, what: bytes) -> int:
        """Offset of the first such byte, or -1, without holding the whole file in memory."""
        for start in range(0, len(self.data), IN_MEMORY):
            if (at := self.data.find(what, start, start + IN_MEMORY)) >= 0:
                return at
            self.forget()
        return -1

    def line_at(self, offset: int) -> int:
        """Number of the line that holds a byte."""
        head = self.data[:offset]
        return 1 + head.count(b"\n") + (0 if b"\n" in head else head.count(b"\r"))


class _MapReader(io.RawIOBase):
    """A mapped file as a stream."""

    def __init__(self, data: mmap.mmap) -> None:
        self._view, self._at = memoryview(data), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = (0, self._at, len(self._view))[whence]
        self._at = min(max(base + offset, 0), len(self._view))
        return self._at

    def readinto(self, buffer: object) -> int:
        target = memoryview(buffer)  # type: ignore[arg-type]
        part = self._view[self._at : self._at + len(target)]
        target[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        self._view.release()
        super().close()


@contextmanager
def open_content(source: BinaryIO, limits: Limits) -> Iterator[Content]:
    """Read a handle, unpack what is packed, and tell what it is.

    Raises
    ------
    LimitExceeded
        The file, or what it unpacks to, is too large.
    InvalidTable
        It is empty, damaged, or of a kind that is not read.
    """
    too_large = LimitExceeded(
        message(
            "The file is larger than {limit} MB. Split or compress it.", limit=limits.bytes / MB
        )
    )
    with _gather(_blocks(source), limits.bytes, too_large) as data:
        if not len(data):
            raise refused(message("The file is empty: it has no header and no rows."))
        with _unpacked(data, limits, NESTING) as content:
            yield content


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    while block := source.read(BLOCK):
        yield block


@contextmanager
def _gather(
    blocks: Iterator[bytes], limit: int, too_large: LimitExceeded
) -> Iterator[bytes | mmap.mmap]:
    """Collect blocks: in memory, or beyond a size in an unnamed file that is mapped."""
    gathered: list[bytes] = []
    size = 0
    for block in blocks:
        size += len(block)
        if size > limit:
            raise too_large
        gathered.append(block)
        if size > IN_MEMORY:
            break
    else:
        yield b"".join(gathered)
        return
    with tempfile.TemporaryFile() as spool:
        spool.writelines(gathered)
        gathered.clear()
        for block in blocks:
            size += len(block)
            if size > limit:
                raise too_large
            spool.write(block)
        spool.flush()
        # Not closed here: a reader that still looks at it would make that an error.
        yield mmap.mmap(spool.fileno(), 0, access=mmap.ACCESS_READ)


@contextmanager
def _unpacked(data: bytes | mmap.mmap, limits: Limits, nesting: int) -> Iterator[Content]:
    start = bytes(data[:8])
    if start.startswith(_PARQUET):
        yield Content("parquet", data)
    elif start.startswith(_OLD_OFFICE):
        raise refused(
            message(
                "This is an old or protected Office file. "
                "Save it as Excel (.xlsx) without a password, or as CSV."
            )
        )
    elif start.startswith(_ZIP):
        with _unzipped(data, limits, nesting) as content:
            yield content
    elif start.startswith(_GZIP):
        _check_nesting(nesting)
        with gzip.GzipFile(fileobj=Content("text", data).open()) as member:
            blocks = _inflate(cast(BinaryIO, member), len(data), limits)
            with _inner(blocks, limits, nesting) as content:
                yield content
    else:
        yield Content("text", data)


@contextmanager
def _inner(blocks: Iterator[bytes], limits: Limits, nesting: int) -> Iterator[Content]:
    """What was packed."""
    with (
        _gather(blocks, limits.decompressed_bytes, _too_much(limits)) as data,
        _unpacked(data, limits, nesting - 1) as content,
    ):
        yield content


@contextmanager
def _unzipped(data: bytes | mmap.mmap, limits: Limits, nesting: int) -> Iterator[Content]:
    """A workbook as it is, or the one file of an archive."""
    member, archive = _only_member(data, limits)
    with archive:
        if member is None:
            yield Content("workbook", data)
            return
        _check_nesting(nesting)
        try:
            stream = archive.open(member)
        except (RuntimeError, zipfile.BadZipFile) as error:
            raise refused(
                message("The archive has a password or a method that is not read. "
                        "Compress the file as an ordinary .zip.")
            ) from error  # fmt: skip
        with stream:
            blocks = _inflate(cast(BinaryIO, stream), member.compress_size, limits)
            with _inner(blocks, limits, nesting) as content:
                yield content


def _only_member(
    data: bytes | mmap.mmap, limits: Limits
) -> tuple[zipfile.ZipInfo | None, zipfile.ZipFile]:
    """The one file of an archive; None for a workbook."""
    entries, at = 0, data.find(b"PK\x01\x02")
    while at >= 0 and entries <= MEMBERS:
        entries, at = entries + 1, data.find(b"PK\x01\x02", at + 4)
    if entries > MEMBERS:
        raise LimitExceeded(message("The archive has more than {limit} entries.", limit=MEMBERS))
    try:
        archive = zipfile.ZipFile(Content("text", data).open())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise refused(_DAMAGED) from error
    members = {info.filename: info for info in archive.infolist()}
    if "xl/workbook.xml" in members:
        _check_workbook(sum(info.file_size for info in members.values()), len(data), limits)
        return None, archive
    files = [
        info
        for name, info in members.items()
        if not info.is_dir() and not name.startswith("__MACOSX/")
    ]
    if len(files) != 1:
        raise refused(
            message(
                "The archive holds {count} files. Send an archive of exactly one table.",
                count=len(files),
            )
        )
    return files[0], archive


def _check_workbook(unpacked: int, packed: int, limits: Limits) -> None:
    """Refuse a workbook that would take minutes: cells are read one by one."""
    if unpacked > max(WORKBOOK_FLOOR, WORKBOOK_RATIO * packed):
        raise _too_much(limits)
    most = min(WORKBOOK_BYTES, limits.decompressed_bytes)
    if unpacked > most:
        raise LimitExceeded(
            message(
                "The workbook unpacks to more than {limit} MB. Save it as CSV.", limit=most / MB
            )
        )


def _check_nesting(nesting: int) -> None:
    if nesting == 0:
        raise refused(message("There is an archive within an archive. Unpack the file first."))


def _inflate(stream: BinaryIO, packed: int, limits: Limits) -> Iterator[bytes]:
    """Unpack in blocks; what grows out of all proportion is a bomb."""
    size = 0
    try:
        while block := stream.read(BLOCK):
            size += len(block)
            if size > max(RATIO_FLOOR, RATIO * packed):
                raise _too_much(limits)
            yield block
    except (EOFError, zlib.error, zipfile.BadZipFile, OSError, RuntimeError) as error:
        raise refused(_DAMAGED) from error


def _too_much(limits: Limits) -> LimitExceeded:
    return LimitExceeded(
        message(
            "The archive unpacks to more than {limit} MB, or is packed out of all proportion.",
            limit=limits.decompressed_bytes / MB,
        )
    )
