"""What a recording is, by its own bytes: never by its name, never by its word alone.

Plain WAVE is read here. Everything else goes through one pass of ffmpeg's demuxer, which
reads every packet and decodes only the first: that tells the coding, and how much sound is
really there to compare with what the header declares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO

from vault.media import ends, wav
from vault.media.ffmpeg import AUDIO, Output, media, run
from vault.media.process import Limits
from vault.media.refusals import refuse
from vault.media.sources import Source

#: How many bytes of a file's beginning `sniff` wants.
SNIFF_BYTES = 512
#: Less sound than declared by more than this is a truncation, not a coder's delay.
SLACK_NS = 250_000_000
#: A longer recording is a lie of its time stamps.
LONGEST_NS = 90 * 86_400 * 1_000_000_000
TRUNCATED, OVER_DECLARED, EMPTY = "truncated-audio", "over-declared-audio", "empty-audio"
_DECLARED = re.compile(rb"^  Duration: (\d+):(\d\d):(\d\d)\.(\d\d)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """`codec` by ffmpeg's name; `warnings` of truncated-audio, over-declared-audio, empty-audio."""

    container: str
    codec: str
    rate: int
    channels: int
    duration_ns: int
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """The coding of a sound track and its frames, as the first decoded packet shows them."""

    codec: str
    rate: int
    channels: int


def sniff(head: bytes) -> str | None:
    """The container that begins with `head` (`SNIFF_BYTES` are enough), None if it is no audio.

    An ID3 tag is taken for MP3. Raw AAC (ADTS) is not MP3 and not taken.
    """
    if head[:4] == b"OggS":
        return "opus" if b"OpusHead" in head[:128] else "ogg"
    for container, recognised in (
        ("wav", head[:4] in {b"RIFF", b"RF64", b"BW64"} and head[8:12] == b"WAVE"),
        ("flac", head[:4] == b"fLaC"),
        ("m4a", head[4:8] == b"ftyp"),
        ("webm", head[:4] == b"\x1a\x45\xdf\xa3" and (b"webm" in head or b"matroska" in head)),
        ("mp3", head[:3] == b"ID3" or _mpeg_frame(head)),
    ):
        if recognised:
            return container
    return None


def _mpeg_frame(head: bytes) -> bool:
    """Whether an MPEG audio frame of layer III begins here (ISO/IEC 11172-3, 2.4.1.3).

    ADTS has the same first 11 or 12 bits and layer 0.
    """
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    return version != 1 and layer == 1 and 0 < head[2] >> 4 < 15 and head[2] >> 2 & 3 != 3


def probe(
    open_source: Callable[[], BinaryIO],
    size_bytes: int,
    container: str,
    limits: Limits | None = None,
) -> AudioFacts:
    """The facts of a recording of `size_bytes` bytes; `open_source` gives it from its beginning.

    A file with a descriptor is handed to ffmpeg as such. A WAVE file with a header and not
    one sample is taken, with a warning. Raises `BadInput`: empty, no sound track, or nothing
    in it can be decoded.
    """
    if size_bytes == 0:
        raise refuse("empty")
    if container == "wav":
        with open_source() as file:
            header = wav.read_header(file, size_bytes)
        if header.codec:
            return _of_wav(header, header.codec)
    with open_source() as file:
        found = _Survey()
        for index, block in run(media(file, container), _SURVEY, limits, found.hear):
            found.take(index, block)
    shape = found.shape()
    duration_ns = found.measured_ns()
    if duration_ns > LONGEST_NS:
        raise refuse("undecodable")
    cut = False
    declared = found.declared_ns()
    if container == "mp3":
        end = ends.mp3_end(open_source)
        cut = end is not None and end > size_bytes
        # Without a count of its frames the declared duration of an MP3 is a guess.
        if end is not None and declared and abs(declared - duration_ns) < SLACK_NS:
            duration_ns = declared
    elif container in {"ogg", "opus"}:
        cut = not ends.ogg_ends(open_source, size_bytes)
    elif declared is not None:
        cut = declared > duration_ns + SLACK_NS
    return AudioFacts(
        container,
        shape.codec,
        shape.rate,
        shape.channels,
        duration_ns,
        (TRUNCATED,) if cut else (),
    )


def shape_of(source: Source, container: str, limits: Limits | None = None) -> Shape:
    """How the sound in `source` is coded, from its beginning alone; raises `BadInput`."""
    found = _Survey()
    with_one_packet = (Output((*_COPY, "-frames:a", "1", "-f", "framecrc")), _SURVEY[1])
    for index, block in run(media(source, container), with_one_packet, limits):
        found.take(index, block)
    return found.shape()


_COPY = ("-map", "0:a:0", "-c:a", "copy")
#: Every packet as one line of text, and the first frame decoded.
_SURVEY = (
    Output((*_COPY, "-f", "framecrc")),
    Output((*AUDIO, "-frames:a", "1", "-c:a", "pcm_s16le", "-f", "wav")),
)


@dataclass(slots=True)
class _Survey:
    """Reads what ffmpeg's `framecrc` muxer writes: `# key: value`, then a line a packet."""

    codec: str = ""
    tick: tuple[int, int] = (1, 1)
    end: int = 0
    first_frame: bytearray = field(default_factory=bytearray)
    heard: bytearray = field(default_factory=bytearray)
    _line: bytes = b""

    def take(self, index: int, block: bytes) -> None:
        if index == 1:
            self.first_frame += block[: 4096 - len(self.first_frame)]
            return
        *lines, self._line = (self._line + block).split(b"\n")
        for line in lines:
            if line.startswith(b"#codec_id 0:"):
                self.codec = line[12:].strip().decode()
            elif line.startswith(b"#tb 0:"):
                over, under = line[6:].split(b"/")
                self.tick = int(over), int(under)
            elif line.startswith(b"0,"):
                _, _, begin, length, *_ = line.split(b",", 4)
                self.end = max(self.end, int(begin) + int(length))

    def hear(self, block: bytes) -> None:
        self.heard += block[: 262_144 - len(self.heard)]

    def shape(self) -> Shape:
        """Raises `BadInput` where no frame was decoded."""
        if not self.codec or len(self.first_frame) <= 44:
            raise refuse("undecodable")
        frame = bytes(self.first_frame)
        header = wav.read_header(BytesIO(frame), len(frame))
        return Shape(self.codec, header.rate, header.channels)

    def measured_ns(self) -> int:
        return self.end * 1_000_000_000 * self.tick[0] // self.tick[1]

    def declared_ns(self) -> int | None:
        """The header's own word. It is text, so a tag could forge it: it is never believed
        beyond what was measured.
        """
        if not (found := _DECLARED.search(bytes(self.heard))):
            return None
        hours, minutes, seconds, hundredths = map(int, found.groups())
        return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000_000 + hundredths * 10_000_000


def _of_wav(header: wav.WavHeader, codec: str) -> AudioFacts:
    warnings = [
        code
        for told, code in (("truncated", TRUNCATED), ("over-declared", OVER_DECLARED))
        if told in header.warnings
    ]
    if not header.frames:
        warnings.append(EMPTY)
    return AudioFacts(
        "wav", codec, header.rate, header.channels, header.duration_ns, tuple(warnings)
    )
