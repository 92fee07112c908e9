"""Unpacking of heatshrink, the LZSS that binary G-code may use for its metadata.

One bit says whether a literal byte follows, or a distance (window bits) and a length (lookahead bits), each less one.
https://github.com/atomicobject/heatshrink. In Python, since a stranger's metadata is small and C reads past ends.
"""

from __future__ import annotations


class _Bits:
    def __init__(self, packed: bytes) -> None:
        self._packed, self._at = packed, 0

    def take(self, count: int) -> int | None:
        """The next bits as a number, highest first; None at the end."""
        end = self._at + count
        if end > 8 * len(self._packed):
            return None
        first, last = self._at >> 3, (end + 7) >> 3
        window = int.from_bytes(self._packed[first:last], "big") >> (8 * last - end)
        self._at = end
        return window & ((1 << count) - 1)


def unpack(packed: bytes, window_bits: int, lookahead_bits: int, limit: int) -> bytes:
    """At most `limit` bytes. ValueError where a distance leads before the beginning."""
    bits, out = _Bits(packed), bytearray()
    while len(out) < limit:
        literal = bits.take(1)
        if literal is None:
            break
        if literal:
            byte = bits.take(8)
            if byte is None:
                break
            out.append(byte)
            continue
        distance, length = bits.take(window_bits), bits.take(lookahead_bits)
        if distance is None or length is None:
            break
        if distance + 1 > len(out):
            raise ValueError("a distance that leads before the beginning")
        for _ in range(length + 1):
            out.append(out[-distance - 1])
    return bytes(out[:limit])
