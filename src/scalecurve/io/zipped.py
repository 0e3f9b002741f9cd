"""Members of a ZIP archive, also those compressed with Zstandard, which Python's zipfile cannot open before 3.14."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.util.untrusted import parsed

ZSTANDARD = 93
LARGEST_MEMBER = 1 << 28  # bytes, unpacked; a sample is some kilobytes


class Archive:
    """The members of the archive at ``path`` by name; of two of one name the later counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as file:
                self.members = {info.filename: info for info in file.infolist()}
        except (OSError, zipfile.BadZipFile) as error:
            raise UserError(f"{path}: cannot be read as a ZIP archive ({error}); it may be cut off, copy it") from None

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def names(self, start: str) -> Iterator[str]:
        yield from (name for name in self.members if name.startswith(start))

    def json(self, name: str) -> Any:
        """A member's JSON. ``UserError`` when it is damaged, missing or larger than ``LARGEST_MEMBER``."""
        if name not in self.members:
            raise UserError(f"{self.path}: {name}: is missing; copy the archive again")
        info = self.members[name]
        if info.file_size > LARGEST_MEMBER:
            raise UserError(f"{self.path}: {name}: is larger than {LARGEST_MEMBER >> 20} MB unpacked; leave it out")
        try:
            return parsed(self._bytes(info))
        except (OSError, EOFError, ValueError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile) as error:
            raise UserError(f"{self.path}: {name}: cannot be read ({error}); copy the archive again") from None

    def _bytes(self, info: zipfile.ZipInfo) -> bytes:
        if info.compress_type != ZSTANDARD:
            with zipfile.ZipFile(self.path) as file:
                return file.read(info)
        import pyarrow

        with open(self.path, "rb") as file:
            file.seek(info.header_offset)
            head = file.read(30)
            if head[:4] != b"PK\x03\x04":
                raise zipfile.BadZipFile("no local header where it should be")
            name_length, extra_length = struct.unpack("<HH", head[26:30])
            file.seek(name_length + extra_length, 1)
            packed = file.read(info.compress_size)
        if info.file_size == 0:
            return b""
        with pyarrow.CompressedInputStream(pyarrow.BufferReader(packed), "zstd") as stream:
            data = bytes(stream.read(info.file_size + 1))
        if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
            raise zipfile.BadZipFile("bad checksum")
        return data
