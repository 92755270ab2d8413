"""The job `transcode`, beside ffmpeg alone making the same outputs of the same file."""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg

from tests.benchmarks import inputs
from tests.benchmarks.measure import Row, at_least, in_turn, ratios, seconds
from vault import bootstrap, samples
from vault.media.probe import Shape
from vault.media.transcode import _outputs
from vault.operations import jobs
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.room import Room
from vault.settings import load

SECONDS = 5 * 60
ROUNDS = 7


def rows() -> Iterator[Row]:
    """Five minutes of speech: playback, archive and waveform."""
    with inputs.scratch() as folder:
        paths = [folder / f"speech-{number}.wav" for number in range(ROUNDS)]
        shapes = [speech(path, number) for number, path in enumerate(paths)]
        settings = load(folder / "home")
        bootstrap.init(settings)
        with bootstrap.open_room(settings) as room:
            waiting = iter(deposit(room, paths, Terms(), wait=False).sessions)
            sides = {
                "theirs": lambda: seconds(lambda: _alone(paths[0], shapes[0], folder)),
                "ours": lambda: seconds(lambda: _job(room, next(waiting).id)),
            }
            found = in_turn(ROUNDS, sides)
    speeds = {name: SECONDS / sorted(taken)[ROUNDS // 2] for name, taken in found.items()}
    text = f"{speeds['ours']:.0f} × real time, ffmpeg alone {speeds['theirs']:.0f} ×"
    what = "job `transcode` from sealed to sealed / ffmpeg alone, the same outputs"
    yield at_least(what, ratios(found["theirs"], found["ours"]), 0.9, text)


def _job(room: Room, session_id: str) -> None:
    jobs.run(room, [session_id])


def _alone(path: Path, shape: Shape, folder: Path) -> None:
    """ffmpeg with the options that the job gives it, and files for what is kept."""
    opus, flac, samples_ = (output.options for output in _outputs(shape))
    command = [str(imageio_ffmpeg.get_ffmpeg_exe()), "-nostdin", "-loglevel", "error", "-y"]
    command += ["-i", str(path)]
    for options, name in ((opus, "out.opus"), (flac, "out.flac"), (samples_, "/dev/null")):
        command += [*options, str(folder / name)]
    subprocess.run(command, check=True)


def speech(path: Path, number: int = 0, length_seconds: int = SECONDS) -> Shape:
    """The packaged sample speech over and over; `number` makes the file one of its own."""
    with wave.open(str(samples.folder() / "pharmacy-refill" / "full.wav")) as spoken:
        rate, channels = spoken.getframerate(), spoken.getnchannels()
        sound = spoken.readframes(spoken.getnframes())
    wanted = length_seconds * rate * channels * 2
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((sound * (wanted // len(sound) + 1))[: wanted - 2 * number])
    return Shape("pcm_s16le", rate, channels)
