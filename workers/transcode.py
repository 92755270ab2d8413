"""The job `transcode`: of every recording something to play, something to keep, something to see.

For each recording `NAME` that came with the session, all in one sealed object of the derived
compartment: `playback/NAME.opus`, `archive/NAME.flac` (lossless), `peaks/NAME.dat` (waveform).
A recording that cannot be decoded becomes a warning; the others go on.
"""

from __future__ import annotations

from vault.errors import BadInput
from vault.formats.sound import sound
from vault.media.transcode import renditions
from vault.model import Kind, Part, Warn
from vault.operations.attempt import Bench
from vault.operations.writer import ObjectWriter


def transcode(bench: Bench) -> None:
    """Derive playback, archive and peaks of every recording in the session."""
    recordings = bench.session.recordings()
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
    found = sound(bench.session.original(part))
    out.begin(names["opus"], Kind.AUDIO, "audio/ogg; codecs=opus")
    out.begin(names["flac"], Kind.AUDIO, "audio/flac")
    out.begin(names["peaks"], Kind.PEAKS, "application/octet-stream")
    made = renditions(
        found.open(), found.container, lambda which, block: out.write(names[which], block)
    )
    out.prepend(names["flac"], made.flac_header)
    out.write(names["peaks"], made.peaks)
