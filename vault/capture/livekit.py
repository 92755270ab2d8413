"""LiveKit into a capture. Its library is not needed: frames and events are taken as they are.

    capture.start()
    async for event in rtc.AudioStream(track): ...      # or, in one line:
    await follow(capture, "user", rtc.AudioStream(track))
    session.on("user_input_transcribed", lambda event: transcribed(capture, event))

Source: `AudioFrame`, `AudioFrameEvent` and `UserInputTranscribedEvent` of LiveKit's Python kits.
"""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Protocol

from vault.capture.capture import Capture


class Frame(Protocol):
    """Interleaved 16-bit samples in the machine's byte order, which is little-endian."""

    @property
    def data(self) -> memoryview | bytes | bytearray: ...
    @property
    def sample_rate(self) -> int: ...
    @property
    def num_channels(self) -> int: ...


class Framed(Protocol):
    """What an audio stream gives."""

    @property
    def frame(self) -> Frame: ...


class Transcribed(Protocol):
    """What a session tells when somebody's words were recognised."""

    @property
    def transcript(self) -> str: ...
    @property
    def is_final(self) -> bool: ...


def heard(capture: Capture, role: str, frame: Frame, *, speaker: str | None = None) -> bool:
    """Take one frame; whether it was kept."""
    return capture.audio(
        role,
        bytes(frame.data),
        speaker=speaker,
        rate=frame.sample_rate,
        channels=frame.num_channels,
    )


async def follow(
    capture: Capture,
    role: str,
    stream: AsyncIterable[Framed] | AsyncIterable[Frame],
    *,
    speaker: str | None = None,
) -> int:
    """Take every frame of a stream until it ends; how many were kept."""
    kept = 0
    async for item in stream:
        frame: Frame = item.frame if hasattr(item, "frame") else item
        kept += heard(capture, role, frame, speaker=speaker)
    return kept


def transcribed(
    capture: Capture, event: Transcribed, role: str = "user", *, speaker: str | None = None
) -> bool:
    """Take what was recognised; words that are not final are told and not kept."""
    language = getattr(event, "language", None)
    return capture.transcript(
        role,
        event.transcript,
        speaker=speaker,
        is_final=event.is_final,
        language=str(language) if language else None,
    )
