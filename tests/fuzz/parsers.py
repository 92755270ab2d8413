"""The small doors: one parser each, with what it promises of what it gives."""

from __future__ import annotations

import io
import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import BinaryIO
from unittest import mock

from tests.fuzz import scratch
from vault.cli import choosing
from vault.errors import BadInput, IntegrityError
from vault.formats import gzipped, instants, jsontext, loglines, vcon_dates, xmltext
from vault.formats.fields import EPOCH_NS_LIMIT, NS_LIMIT, Fields, Notes
from vault.formats.source import Source
from vault.kms import keyring_file
from vault.kms.address import Address
from vault.ledger import note
from vault.media import ends, flac, probe, wav
from vault.model import Compartment, Json, Warn
from vault.seal import keys, pack, stream
from vault.settings import load, read_home

_KEY, _CONTEXT = bytes(range(32)), b"fuzz"
_PLACE = keys.Place("t", "b", 1, "s", "original")


def json_text(data: bytes) -> None:
    """JSON: what comes out is what the strict parser says, can be written, and read again."""
    value = _or_refusal(lambda: jsontext.parse(data, "input"))
    strict = _or_refusal(lambda: jsontext._strict(data.removeprefix(b"\xef\xbb\xbf"), "input"))
    assert repr(value) == repr(strict)
    if not isinstance(value, BadInput):
        again = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        assert jsontext.parse(again, "input") == value


def xml_text(data: bytes) -> None:
    """XML: a tree of limited depth."""
    waiting = [(xmltext.parse(data, "input"), 1)]
    while waiting:
        element, depth = waiting.pop()
        assert depth <= xmltext.DEPTH_LIMIT
        element.text.encode()
        waiting += [(child, depth + 1) for child in element.children]


def dates(data: bytes) -> None:
    """An instant as any source or any option writes it; what is read is written back the same."""
    text = data.decode(errors="replace")
    at = instants.parse(text)
    if at is not None:
        again = instants.write(at, instants.zone(text))
        assert instants.parse(again) == at
        instants.to_datetime(at)
    fields = Fields({"at": text}, "input", Notes())
    vcon = vcon_dates.instant(fields, "at")
    assert vcon is None or vcon >= 0
    found = fields.instant("at")
    assert found is None or found.year >= 1970
    given = choosing.instant("--from", text)
    assert given is None or given.tzinfo is not None


def numbers(data: bytes) -> None:
    """A field that should be a time, an index or an instant, and is any JSON value."""
    fields = Fields({"it": jsontext.parse(data, "input")}, "input", Notes())
    for unit_ns in (1, 1000, 10**6, 10**9):
        found = fields.ns("it", unit_ns=unit_ns)
        assert found is None or 0 <= found <= NS_LIMIT
        since = fields.epoch_ns("it", unit_ns=unit_ns)
        assert since is None or 0 <= since <= EPOCH_NS_LIMIT
    fields.index("it")
    fields.texts("it")
    fields.object("it").role("role")
    for _, item in fields.objects("it") or ():
        item.instant("at", "it")


def wav_header(data: bytes) -> None:
    """A WAVE header: nothing that is not there, and the same whether or not it can be sought in."""
    found = wav.read_header(io.BytesIO(data), len(data))
    if "odd-chunk" not in found.warnings:  # which takes a step back to see
        assert found == wav.read_header(_Pipe(data), len(data))
    assert 0 <= found.data_offset <= len(data)
    assert 0 <= found.data_bytes <= len(data)
    assert 0 <= found.duration_ns < 2**63
    assert found.frames >= 0


def flac_header(data: bytes) -> None:
    """A FLAC header: with its own length written into it, it is the same."""
    found = flac.read_header(data)
    assert flac.with_frames(data, found.frames) == data[: flac.HEADER_BYTES]


def ends_of_streams(data: bytes) -> None:
    """What compressed sound says of its own end."""
    probe.sniff(data)
    again: Callable[[], BinaryIO] = partial(io.BytesIO, data)
    end = ends.mp3_end(again)
    assert end is None or end >= 0
    ends.ogg_ends(again, len(data))


def gzip(data: bytes) -> None:
    """Gzip: never more than the limit, in blocks."""
    made = 0
    try:
        for block in gzipped.inflate(io.BytesIO(data), "input", 1 << 20):
            assert len(block) <= 1 << 16
            made += len(block)
    except gzipped.Damaged:
        pass  # its documented end
    assert made <= 1 << 20


def unpacked(data: bytes) -> None:
    """A packed file, read and sought forwards in steps of any size: the bytes that are in it."""
    steps, packed = data[:8], data[8:]
    with mock.patch.multiple(gzipped, MARK_BYTES=64, _BLOCK_BYTES=2500 + sum(steps)):
        whole = b"".join(_until_damaged(gzipped.inflate(io.BytesIO(packed), "input", 1 << 20)))
        marks: gzipped.Marks = []
        for _ in range(2):  # setting marks, and going by them
            with gzipped.Unpacked(io.BytesIO(packed), "input", 1 << 20, marks) as raw:
                _in_steps(raw, steps, whole)
    with suppress(zlib.error):
        one = zlib.decompressobj(wbits=31)
        assert whole.startswith(one.decompress(packed)) or not one.eof


def _in_steps(raw: gzipped.Unpacked, steps: bytes, whole: bytes) -> None:
    file = io.BufferedReader(raw, 64)
    at = 0
    for step in steps:
        at = min(at + step * step, len(whole)) if step & 1 else at
        assert file.seek(at) == at
        assert file.read(step) == whole[at : at + step]
        at = file.tell()
    assert file.read() == whole[at:]
    assert raw.tell() == len(whole)


def watched(data: bytes) -> None:
    """A file that somebody writes to while it is read: all that it was, or an error of ours."""
    path = scratch.write({"input": data}) / "input"
    found, changed = b"", False
    with Source(path).opener("input", len(data))() as file:
        for step in data[:8]:
            if step > 200:
                with path.open("r+b") as other:
                    other.truncate(len(data) - 1) if step & 1 else other.write(b"changed")
                os.utime(path, ns=(step, step))  # as a clock that goes on would have it
                changed = True
            found += file.read(step)
        with suppress(BadInput):
            found += file.read()
            assert found == data
            assert not changed


def manifest(data: bytes) -> None:
    """A pack's manifest: parts whose extents can be read, and written down again the same."""
    parts = pack.load(data, Compartment.ORIGINAL)
    for part in parts:
        assert part.size_bytes == sum(length for _, length in part.extents)
        assert all(offset >= 0 and length >= 0 for offset, length in part.extents)
    assert pack.load(pack.dump(parts), Compartment.ORIGINAL) == parts


def sealed(data: bytes) -> None:
    """A sealed object: both ways to open it agree, and neither gives a byte that is not sealed."""
    whole = _opened(lambda: stream.open_bytes(_KEY, _CONTEXT, data))
    by_range = _opened(lambda: _range(data).read(0, 1 << 30))
    assert whole == by_range
    if whole is not None:
        assert _range(data).read(3, 9) == whole[3:9]


def record(data: bytes) -> None:
    """A key's record."""
    assert len(keys.unwrap(_KEY, data, _PLACE)) == 32


def signed_note(data: bytes) -> None:
    """A signed note, its verifier key on the first line."""
    key, _, text = data.partition(b"\n")
    note.verify(text, key.decode(errors="replace"))


def home_file(data: bytes) -> None:
    """The home's own file, after rot or a hand that slipped."""
    place = scratch.write({"home.json": data})
    read_home(place)
    load(place)


def keyring(data: bytes) -> None:
    """The keyring's file; its digest is put right, so that what is behind it is reached."""
    with suppress(ValueError, RecursionError, AttributeError, TypeError, KeyError):
        document = json.loads(data)
        document.pop("sha256", None)
        data = json.dumps({**document, "sha256": keyring_file._digest(document)}).encode()
    path = scratch.write({"keyring": data}) / "keyring"
    path.chmod(0o600)
    keyring_file.read(path)


def address(data: bytes) -> None:
    """The address of a key service."""
    found = Address.parse(data.decode(errors="replace"))
    found.segments()
    found.only("module", "region")


def log(data: bytes) -> None:
    """A log that others append to: every whole line comes once, in order, and the last is told."""
    path = scratch.write({"log": b""}) / "log"
    pieces = data.split(b"\xff")
    waiting = iter(pieces)

    def more() -> bool:
        piece = next(waiting, None)
        if piece is not None:
            with path.open("ab") as file:
                file.write(piece)
        return piece is not None

    found = list(loglines.follow(lambda: io.FileIO(path), more))
    *whole, last = b"".join(pieces).split(b"\n")
    assert found[: len(whole)] == whole
    ended = found[len(whole) :]
    assert ended in ([], [last]) or [type(one) for one in ended] == [Warn]
    assert bool(ended) == bool(last.strip())
    with path.open("rb") as file:
        assert b"".join(line or b"" for _, line in loglines.lines(file)) == b"".join(pieces)


class _Pipe(io.BytesIO):
    """Bytes that cannot be stepped back in."""

    def seekable(self) -> bool:
        return False


def _or_refusal(parse: Callable[[], Json]) -> Json | BadInput:
    try:
        return parse()
    except BadInput as refusal:
        return refusal


def _until_damaged(blocks: Iterator[bytes]) -> Iterator[bytes]:
    with suppress(gzipped.Damaged):
        yield from blocks


def _opened(opening: Callable[[], bytes]) -> bytes | None:
    try:
        return opening()
    except IntegrityError:
        return None


def _range(data: bytes) -> stream.RangeReader:
    return stream.RangeReader(_KEY, _CONTEXT, lambda a, b: (data[a:b],), len(data))


def sealed_seeds() -> list[bytes]:
    """Objects of one chunk, of none and of two."""
    return [stream.seal_bytes(_KEY, _CONTEXT, bytes(n)) for n in (0, 10, 16384, 16400)]


def record_seeds() -> list[bytes]:
    """A good record."""
    return [keys.wrap(_KEY, bytes(16), bytes(32), _PLACE)]


def note_seeds() -> list[bytes]:
    """A note behind the key that verifies it."""
    key = note.SigningKey("fuzz.example/log", bytes(range(32)))
    return [key.verifier_key.encode() + b"\n" + key.sign("one\ntwo\n")]
