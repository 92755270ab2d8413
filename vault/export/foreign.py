"""Other systems' formats: a record handed to the writer that the format's own room has."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vault.errors import BadInput, NotFound
from vault.export import audio
from vault.export.record import Order, Record
from vault.formats.content import MEDIA_TYPES
from vault.formats.sound import PACKED, beginnings, sound
from vault.model import Kind, Original

if TYPE_CHECKING:
    from vault.formats.vcon_writer import Sound


def vcon(record: Record, order: Order) -> Iterator[bytes]:
    """A vCon with its sound inside where it fits, signed and encrypted as ordered."""
    from vault.formats import vcon_writer

    sounds: list[Sound] = []
    room = vcon_writer.SOUND_LIMIT_BYTES
    for one in _sounds(record, order, room):
        room -= one.size_bytes
        sounds.append(one)
        if room < 0:
            text = f"A vCon holds {vcon_writer.SOUND_LIMIT_BYTES >> 20} MiB of sound."
            order.left("sound-left-out", text, record)
            sounds = []
            break
    own = _uuid(record)
    plain = vcon_writer.write(
        record.session, uuid=own, created_at=record.deposited_at, sounds=sounds
    )
    yield plain if order.envelope is None else order.envelope.seal(plain, own)


def _sounds(record: Record, order: Order, limit: int) -> Iterator[Sound]:
    """The recordings that segments name; else the sound that came in pieces, or the longest."""
    from vault.formats.vcon_writer import Sound

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
    if pieces := audio.pieced(record, order):
        whole = _gathered("whole.wav", "audio/wav", audio.timeline(pieces, "wav"), limit)
    elif others := list(record.session.recordings()):
        whole = _decodable(max(others, key=lambda original: original.size_bytes), limit)
    else:
        return
    yield Sound(whole.name, whole.media_type, whole.size_bytes, whole.open)


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


def promptkit(record: Record, order: Order, *, lines: bool) -> Iterator[bytes]:
    """A PromptKit recording, as JSON or as JSON lines."""
    from vault.formats import promptkit_writer

    session = record.session
    named = replace(session, external_id=session.external_id or record.id)
    write = promptkit_writer.write_lines if lines else promptkit_writer.write_json
    return write(named, order.promptkit)


def voicemode(record: Record, order: Order) -> Iterator[bytes]:
    """The rows of a VoiceMode log: of exchanges, or of events where that is what came."""
    from vault.formats import voicemode_write

    session = record.session
    if session.format == "voicemode-events":
        own = session.external_id or record.id
        return voicemode_write.write_events(
            session.timeline, record.started_at, own, session.source
        )
    for warning in voicemode_write.left_out(session.timeline):
        order.left(warning.code, warning.text, record)
    if any(session.recordings()):
        order.left("sound-left-out", "A log names its sound and does not hold it.", record)
    own_id = session.external_id or ""
    return voicemode_write.write(
        session.timeline, record.started_at, own_id if own_id.startswith("conv_") else None
    )


def scenario(record: Record, order: Order) -> Iterator[tuple[str, Iterator[bytes]]]:
    """A scenario bundle, with a WAV for every segment that has a recording."""
    from vault.formats import scenario_write

    try:
        full = audio.full_wav(record, order)
    except NotFound:
        order.left("no-audio", "There is no audio, so there is no full.wav.", record)
        full = None
    return scenario_write.files(record.session, audio.as_wav, full, manifest=order.manifest)


promptkit_json = partial(promptkit, lines=False)
promptkit_jsonl = partial(promptkit, lines=True)


def _uuid(record: Record) -> str:
    """The vCon's own id where the session came as one, else the session's."""
    if record.session.format == "vcon":
        try:
            return str(uuid.UUID(record.session.external_id))
        except (TypeError, ValueError):
            pass
    return record.id
