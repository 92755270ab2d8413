"""A session as a vCon: as it came where it came as one, else made of what is known of it."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vault.errors import BadInput, NotFound
from vault.export import audio, takes
from vault.export.record import Order, Record, blocks
from vault.formats.content import MEDIA_TYPES
from vault.formats.fields import Notes
from vault.formats.sound import PACKED, beginnings, sound
from vault.formats.source import JSON_BYTES_LIMIT
from vault.model import Json, Kind, Original, Reading
from vault.replay.annotations import newest

if TYPE_CHECKING:
    from vault.formats.vcon_speech import Sound


def vcon(record: Record, order: Order) -> Iterator[bytes]:
    """A vCon, with its sound inside where it fits, signed and encrypted as ordered.

    One that came as a vCon has all that came. One that came encrypted and that nobody could read
    goes out as it is; raises `BadInput` where it should be signed or encrypted once more.
    """
    session = record.session
    if session.format == "vcon" and any(w.code == "encrypted" for w in session.warnings):
        yield from _sealed(record, order)
        return
    own = _uuid(record)
    plain = _as_it_came(record, order, own) or _made(record, order, own)
    if order.envelope is None:
        yield plain
        return
    sealed = order.envelope.seal(plain, own)
    if len(sealed) > JSON_BYTES_LIMIT:
        raise BadInput(f"In its envelope the vCon would be over {JSON_BYTES_LIMIT >> 20} MiB.")
    yield sealed


def _sealed(record: Record, order: Order) -> Iterator[bytes]:
    if order.envelope is not None or not order.verbatim:
        raise BadInput("This vCon is encrypted, and without its key nothing can be done to it.")
    if not record.session.originals:
        raise NotFound("This vCon came encrypted, and its privacy level kept nothing of it.")
    order.left("still-encrypted", "It came encrypted without its key and is passed on.", record)
    yield from blocks(record.session.originals[0])


def _as_it_came(record: Record, order: Order, own: str) -> bytes | None:
    """The vCon that came, with what the archive says now; None where it cannot be had."""
    from vault.formats import vcon, vcon_writer

    session = record.session
    if session.format != "vcon":
        return None
    for original in session.originals if order.verbatim else ():
        document, enveloped = vcon.contents(original.open)
        if document is None:
            continue
        if enveloped:
            text = "The signature that it came with: it does not hold for what is written anew."
            order.left("signature-left-out", text, record)
        before = _before(document, original)
        try:
            return vcon_writer.rewrite(
                document, before, session, uuid=own, created_at=record.deposited_at
            )
        except BadInput:  # it breaks the schema where nothing can be moved
            continue
    text = "It is made anew of what was read from it: the vCon that came cannot be had, or mended."
    order.left("left-out", text, record)
    return None


def _before(document: dict[str, Json], original: Original) -> Reading:
    """What was read from it, with only those annotations that hold."""
    from vault.formats import vcon

    found = vcon.understood("vcon", document, original.name, original, Notes())
    timeline = found.timeline
    return replace(found, timeline=replace(timeline, annotations=newest(timeline.annotations)))


def _made(record: Record, order: Order, own: str) -> bytes:
    from vault.formats import vcon_writer

    return vcon_writer.write(
        record.session,
        uuid=own,
        created_at=record.deposited_at,
        sounds=_fitting(record, order, vcon_writer.SOUND_LIMIT_BYTES),
    )


def _fitting(record: Record, order: Order, room: int) -> Sequence[Sound]:
    """All its sound, or none of it where that is more than there is room for (bytes)."""
    limit, sounds = room, []
    for one in _sounds(record, order, limit):
        room -= one.size_bytes
        if room < 0:
            text = f"A vCon holds {limit >> 20} MiB of sound, and here is more: it has none."
            order.left("sound-left-out", text, record)
            return []
        sounds.append(one)
    return sounds


def _sounds(record: Record, order: Order, limit: int) -> Iterator[Sound]:
    """The recordings that segments name; else the sound that came in pieces, or the longest."""
    from vault.formats.vcon_speech import Sound

    segments = record.session.timeline.segments
    named = {s.file: s for s in reversed(segments) if s.file is not None}
    recordings = [o for o in record.session.recordings() if o.name in named]
    for original in recordings:
        found, one = _decodable(original, limit), named[original.name]
        start_ns = beginnings(segments)[original.name]
        shape = (found.name, found.media_type, found.size_bytes, found.open)
        yield Sound(*shape, start_ns, one.decoded_ns)
    if recordings:
        return
    if pieces := takes.pieced(record, order):
        whole = _gathered("whole.wav", "audio/wav", audio.timeline(pieces, "wav"), limit)
    elif others := list(record.session.recordings()):
        whole = _decodable(max(others, key=lambda original: original.size_bytes), limit)
    else:
        return
    sides = () if pieces else audio.sides(whole)
    yield Sound(whole.name, whole.media_type, whole.size_bytes, whole.open, channels=sides)


def _decodable(original: Original, limit: int) -> Original:
    """A recording that others can play: unpacked, and samples under a header of their own."""
    if ";rate=" not in original.media_type and original.media_type != PACKED:
        return original
    try:
        found = sound(original)
        return _gathered(original.name, MEDIA_TYPES[found.container], found.open(), limit)
    except BadInput:
        return original


def _gathered(name: str, media_type: str, blocks: Iterator[bytes], limit: int) -> Original:
    """These blocks as a file in memory; of more than `limit` bytes only that there are more."""
    data = bytearray()
    for block in blocks:
        data += block
        if len(data) > limit:
            break
    return Original(name, Kind.AUDIO, media_type, len(data), partial(io.BytesIO, data))


def _uuid(record: Record) -> str:
    """The vCon's own id where the session came as one, else the session's."""
    if record.session.format == "vcon":
        try:
            return str(uuid.UUID(record.session.external_id))
        except (TypeError, ValueError):
            pass
    return record.id
