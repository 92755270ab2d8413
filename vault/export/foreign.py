"""Other systems' formats: a record handed to the writer that the format's own room has."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from vault.errors import NotFound
from vault.export import audio
from vault.export.record import Order, Record
from vault.model import Kind


def vcon(record: Record, order: Order) -> Iterator[bytes]:
    """A vCon, unsigned, with its sound inside where it fits."""
    from vault.formats import vcon_writer

    named = {s.file: s for s in reversed(record.session.timeline.segments) if s.file is not None}
    recordings = [o for o in record.session.originals if o.kind is Kind.AUDIO]
    own = [o for o in recordings if o.name in named]
    whole = sorted(recordings, key=lambda o: -o.size_bytes)[:1]
    sounds = [
        vcon_writer.Sound(
            name=original.name,
            media_type=original.media_type,
            size_bytes=original.size_bytes,
            open=original.open,
            start_ns=named[original.name].start_ns if own else 0,
            decoded_ns=named[original.name].decoded_ns if own else None,
        )
        for original in own or whole
    ]
    if sum(sound.size_bytes for sound in sounds) > vcon_writer.SOUND_LIMIT_BYTES:
        text = f"A vCon holds {vcon_writer.SOUND_LIMIT_BYTES >> 20} MiB of sound; this has more."
        order.left("sound-left-out", text, record)
        sounds = []
    yield vcon_writer.write(
        record.session, uuid=_uuid(record), created_at=record.deposited_at, sounds=sounds
    )


def promptkit(record: Record, _order: Order, *, lines: bool) -> Iterator[bytes]:
    """A PromptKit recording, as JSON or as JSON lines."""
    from vault.formats import promptkit_writer

    session = record.session
    named = replace(session, external_id=session.external_id or record.id)
    write = promptkit_writer.write_lines if lines else promptkit_writer.write_json
    return write(named)


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
    if any(original.kind is Kind.AUDIO for original in session.originals):
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
