"""The event files that TensorBoard reads: numbers by name and step. Written here in full, so that nothing is needed.

A file is a sequence of records, each the length of its data (8 bytes, little-endian), a checksum of the length, the
data, and a checksum of the data; the data is an ``Event`` message in the wire format of protocol buffers
(``tensorboard/compat/proto/event.proto``, ``summary.proto``). The checksum is CRC-32C (Castagnoli), rotated and offset
as in TensorFlow's ``record_writer.cc``.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from nas_ctx.files.writing import unlinked


class EventFile:
    """A new event file; what was reported before for ``step`` and later ones, by a run that got further, is dropped.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = EventFile(Path(folder) / "events.out.tfevents.0", step=0)
    ...     file.add(1, {"loss": 0.5})
    ...     file.close()
    ...     file.path.stat().st_size
    113
    """

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        self._file: BinaryIO = open(path, "wb", opener=unlinked)  # noqa: SIM115 (closed by `close`)
        self._event(_text(3, "brain.Event:2"))
        self._event(_whole(2, step) + _message(7, _whole(1, 1)))  # a session starts

    def add(self, step: int, numbers: Mapping[str, float]) -> None:
        """Report ``numbers`` of a step."""
        values = (
            _message(1, _text(1, name) + struct.pack("<Bf", 2 << 3 | 5, value)) for name, value in numbers.items()
        )
        self._event(_whole(2, step) + _message(5, b"".join(values)))

    def flush(self) -> None:
        """Hand all that was added to the system, where TensorBoard sees it."""
        self._file.flush()

    def close(self) -> None:
        """Flush and close the file."""
        self._file.close()

    def _event(self, content: bytes) -> None:
        data = struct.pack("<Bd", 1 << 3 | 1, time.time()) + content
        length = struct.pack("<Q", len(data))
        self._file.write(length + _checksum(length) + data + _checksum(data))


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def _whole(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _row(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_TABLE = [_row(byte) for byte in range(256)]


def _checksum(data: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
