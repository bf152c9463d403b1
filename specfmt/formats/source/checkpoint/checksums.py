"""The checksums of TensorFlow's checkpoints: masked CRC-32C.

A plain checksum of data that contain checksums would be weak; a masked one is rotated and shifted.
Source: `tsl/lib/hash/crc32c.h` (`Mask`), RFC 3720, section 12.1.
"""

from __future__ import annotations

from typing import Final

from specfmt.extras import require

DELTA: Final = 0xA282EAD8


def masked(value: int) -> int:
    """The masked form of a checksum, as files contain it."""
    return ((value >> 15 | value << 17) + DELTA) & 0xFFFFFFFF


def checksum(*parts: bytes) -> int:
    """The CRC-32C of bytes in several parts.

    Raises:
        SpecError: SF312 if google-crc32c is not installed.
    """
    require(["google_crc32c"], "to verify the checksums of a checkpoint")
    import google_crc32c

    value = 0
    for part in parts:
        value = google_crc32c.extend(value, part)
    return value


def verify(what: str, expected: int, *parts: bytes) -> None:
    """Compare bytes with their masked checksum.

    Args:
        what: What the bytes are, for the message.
        expected: The checksum in the file.
        parts: The bytes.

    Raises:
        ValueError: They differ.
    """
    if masked(checksum(*parts)) != expected:
        raise ValueError(f"the checksum of {what} is wrong")
