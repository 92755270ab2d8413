"""Mutations that keep JSON being JSON: bytes changed blindly seldom get past a parser.

Half of the time a value inside a document is replaced, removed, doubled, renamed or exchanged
for one from elsewhere in it; the other half is libFuzzer's own. What is packed is unpacked first
and packed again.
"""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Callable
from typing import Any

from tests.fuzz.scratch import pack, unpack

_SINGLE = """
    user agent system assistant bot human ../x /dev/zero segments/00-user-0000ms.wav a.wav x.json
    full.wav file://s/00.pcm 2026-05-07T10:16:25Z 2026-05-07T10:16:25.123456789+05:30
    9999-12-31T23:59:59-23:59 9999-12-31T23:59:59Z 0001-01-01T00:00:00Z 2026-W01-1 2026-05-07
    sha256: sha512- base64url base64 json none audio/wav audio/pcm text/plain transcript recording
    \ud800 \u0000 \u202e =1+1 --> tts stt 00:00:01.000 PT1S NaN 1e999 -0 0.4.0 0.0.1 full
    disabled metadata_only conv_20260110_101010_abcdef tool.call.started message.created
    AAAA AAAAAA== AAA UklGRiQAAABXQVZF pcm16 g711_ulaw audio/pcmu audio/pcm post_call_audio
    response.output_audio.delta input_audio_buffer.append conversation.item.truncated item_1
"""
WORDS = (*_SINGLE.split(), "Thu, 07 May 2026 10:16:25 -0700", "<v Agent>", "\n\n", " ")
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 0.5, -0.0, 1e-9, 1e300, 1.7e308, 2**31, 2**53 + 1, 2**63 - 1),
    *(2**63, 2**64, -(2**63), 10**19, 253_402_300_800, 1_770_000_000, 1_770_000_000_000, 10**40),
    *("", " ", [], {}, [[]], [{}], {"": None}, [None], *WORDS),
)
_PLACES_LIMIT = 2000
_PACKED, _UNPACKED_LIMIT = b"\x1f\x8b\x08", 1 << 18


def mutate(data: bytes, limit: int, seed: int, blindly: Callable[[bytes, int], bytes]) -> bytes:
    """Another input made of this one, of at most `limit` bytes; `blindly` is libFuzzer's way."""
    chance = random.Random(seed)
    if chance.random() < 0.5:
        return blindly(data, limit)
    made = _of_files(data, chance) if data.startswith(b"%%% ") else _of_text(data, chance)
    return made if made is not None and len(made) <= limit else blindly(data, limit)


def _of_files(data: bytes, chance: random.Random) -> bytes | None:
    files = unpack(data)
    order = sorted(files, key=lambda _: chance.random())
    for name in order:
        made = _of_text(files[name], chance)
        if made is not None:
            break
    else:
        return None
    files[name] = made
    clean = {n.encode(errors="replace").decode(): each for n, each in files.items()}
    return pack(clean)


def _of_text(data: bytes, chance: random.Random) -> bytes | None:
    """A JSON document, or one line of JSON lines, with something in it changed; packed or not."""
    if data.startswith(_PACKED):
        made = _of_text(_unpacked(data), chance)
        return None if made is None else gzip.compress(made, 1, mtime=0)
    found = _parsed(data)
    if found is not None:
        return _written(_changed(found, chance))
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    found = _parsed(lines[at])
    if found is None:
        return None
    if chance.random() < 0.2:
        lines.insert(chance.randrange(len(lines) + 1), lines[at])
    else:
        lines[at] = _written(_changed(found, chance))
    return b"\n".join(lines)


def _unpacked(data: bytes) -> bytes:
    """The first member, or as much of it as can be had."""
    try:
        made = zlib.decompressobj(wbits=31).decompress(data, _UNPACKED_LIMIT)
    except zlib.error:
        return b""
    return b"" if made.startswith(_PACKED) else made


def _parsed(data: bytes) -> list[Any] | dict[str, Any] | None:
    if data[:1] not in {b"{", b"["}:
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list | dict) else None


def _written(value: Any) -> bytes:
    return json.dumps(value).encode()


def _changed(document: Any, chance: random.Random) -> Any:
    places: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting and len(places) < _PLACES_LIMIT:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            places.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    if not places:
        return chance.choice([[{}], {"": {}}])
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        _change(*chance.choice(places), places, chance)
    return document


def _change(holder: Any, key: Any, places: list[tuple[Any, Any]], chance: random.Random) -> None:
    """One change in place; a place that an earlier change took away is left as it is."""
    if not (key in holder if isinstance(holder, dict) else key < len(holder)):
        return
    what = chance.randrange(8)
    if what == 0:
        del holder[key]
    elif what == 1 and isinstance(holder, list):
        holder.insert(key, holder[key])
    elif what == 1:
        holder[str(chance.choice(WORDS))] = holder.pop(key)
    elif what == 2:
        other, at = chance.choice(places)
        near = at in other if isinstance(other, dict) else at < len(other)
        holder[key] = json.loads(json.dumps(other[at])) if near else None
    elif what == 3 and isinstance(holder[key], int | float):
        holder[key] = _number(holder[key], chance)
    elif what == 4 and isinstance(holder[key], str):
        text = holder[key]
        at = chance.randrange(len(text) + 1)
        holder[key] = text[:at] + str(chance.choice(WORDS)) + text[at + chance.randrange(4) :]
    else:
        holder[key] = json.loads(json.dumps(chance.choice(VALUES)))


def _number(value: float, chance: random.Random) -> float:
    try:
        return chance.choice((-value, value + 1, value - 1, value * 1000, value * 10**9, value / 7))
    except OverflowError:
        return 0
