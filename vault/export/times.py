"""Times as people and players read them."""

from __future__ import annotations

_MS_NS = 1_000_000


def clock(offset_ns: int, point: str) -> str:
    """An offset as HH:MM:SS and milliseconds, cut off, never rounded up."""
    seconds, milliseconds = divmod(max(0, offset_ns) // _MS_NS, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{milliseconds:03d}"
