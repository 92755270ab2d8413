"""The job `transcode`: of every recording something to play, something to keep, something to see.

For each audio part `NAME` of the originals, all in one sealed object of the derived
compartment: `playback/NAME.opus`, `archive/NAME.flac` (lossless), `peaks/NAME.dat` (waveform).
A recording that cannot be decoded becomes a warning; the others go on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from vault.errors import BadInput
from vault.media import probe, wav
from vault.media.transcode import renditions
from vault.model import Kind, Part, Warn
from vault.operations.jobs import Bench
from vault.operations.writer import ObjectWriter

_HEAD_BYTES = 1 << 16
#: How readers describe samples without a header.
_SAMPLES = re.compile(r"audio/pcm;rate=(\d{1,6});channels=(\d{1,2})")


def transcode(bench: Bench) -> None:
    """Derive playback, archive and peaks of every recording in the session."""
    recordings = [p for p in bench.session.originals() if p.kind is Kind.AUDIO]
    with bench.object("renditions") as out:
        for done, part in enumerate(recordings):
            bench.progress("transcoding", done, len(recordings))
            names = {
                "opus": f"playback/{part.name}.opus",
                "flac": f"archive/{part.name}.flac",
                "peaks": f"peaks/{part.name}.dat",
            }
            try:
                _one(bench, out, part, names)
            except BadInput as error:
                for name in names.values():
                    out.packer.drop(name)
                out.warnings.append(Warn("not-transcoded", str(error), part.name))
    bench.progress("transcoding", len(recordings), len(recordings))


def _one(bench: Bench, out: ObjectWriter, part: Part, names: dict[str, str]) -> None:
    raw = _header_of_samples(part)
    head = raw or b"".join(bench.session.stream(part, 0, _HEAD_BYTES))
    container = probe.sniff(head)
    if container is None:
        raise BadInput("No audio format is recognised in this file.")
    out.begin(names["opus"], Kind.AUDIO, "audio/ogg; codecs=opus")
    out.begin(names["flac"], Kind.AUDIO, "audio/flac")
    out.begin(names["peaks"], Kind.PEAKS, "application/octet-stream")
    source: Iterator[bytes] = (bytes(block) for block in bench.session.stream(part))
    if raw is not None:
        source = chain([raw], source)
    made = renditions(source, container, lambda which, block: out.write(names[which], block))
    out.prepend(names["flac"], made.flac_header)
    out.write(names["peaks"], made.peaks)


def _header_of_samples(part: Part) -> bytes | None:
    """The WAV header that a part of plain 16-bit samples lacks; None for any other part."""
    found = _SAMPLES.fullmatch(part.media_type)
    if found is None:
        return None
    rate, channels = int(found[1]), int(found[2])
    if not (0 < rate <= wav.MAX_RATE and 0 < channels <= wav.MAX_CHANNELS):
        return None
    return wav.write_header(rate, channels, 16, part.size_bytes // (2 * channels))
