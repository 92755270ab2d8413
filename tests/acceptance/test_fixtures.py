"""Every outside recording of the scenario kit goes in as measured, and comes back as it was."""

from __future__ import annotations

import json
import math
import subprocess
import wave
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from tests import recordings
from tests.homes import Home, made
from vault import formats
from vault.operations import fetch, retrieve, show
from vault.operations.export import Request, export
from vault.operations.records import Choice

NO_MANIFEST = "overlap_tools_no_manifest"


@dataclass(frozen=True)
class Archived:
    """All recordings in one archive: what was answered and shown, by the folder of each."""

    home: Home
    deposited: dict[Path, dict[str, Any]]
    shown: dict[Path, dict[str, Any]]

    def expected(self) -> dict[Path, dict[str, Any]]:
        """What each recording that was measured elsewhere has to show."""
        measured = {p: p / "expected.json" for p in self.deposited}
        return {p: json.loads(f.read_text()) for p, f in measured.items() if f.exists()}


@pytest.fixture(scope="module")
def archived(fixtures_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Archived:
    home = made(tmp_path_factory.mktemp("fixtures") / "home")
    answer = home.script("deposit", fixtures_folder / "scenario", "--subject", "someone")
    assert answer.document["refused"] == []
    deposited = {Path(s["path"]): s for s in answer.document["sessions"]}
    with home.room() as room:
        shown: dict[Path, dict[str, Any]] = {
            path: dict(show.session(retrieve.Opened(room, retrieve.session(room, s["id"]))))
            for path, s in deposited.items()
        }
    return Archived(home, deposited, shown)


def test_every_recording_went_in(archived: Archived, fixtures_folder: Path) -> None:
    bundles = {p.parent for p in (fixtures_folder / "scenario").rglob("full.wav")}
    assert archived.deposited.keys() == bundles
    assert len(archived.expected()) == len(bundles) - 1
    assert {s["format"] for s in archived.deposited.values()} == {"scenario"}
    assert {s["state"] for s in archived.deposited.values()} == {"ready"}
    for path, session in archived.deposited.items():
        assert {o["name"] for o in session["originals"]} == recordings.files(path).keys()


def test_counts_and_durations_are_those_measured_elsewhere(archived: Archived) -> None:
    for path, expected in archived.expected().items():
        shown = archived.shown[path]
        metrics = shown["metrics"]
        assert len(shown["segments"]) == metrics["segment_count"] == expected["segment_count"]
        nanoseconds = round(expected["manifest_duration_s"] * 1e9)
        assert archived.deposited[path]["duration_ns"] == shown["duration_ns"] == nanoseconds
        assert metrics["event_counts"] == expected["event_counts"], path
        assert len(shown["events"]) == sum(expected["event_counts"].values())
        for name, measured in (
            ("overlap_seconds", "overlap_s"),
            ("speech_coverage_seconds", "speech_coverage_s"),
            ("silence_seconds", "silence_s"),
        ):
            assert metrics[name] == pytest.approx(expected[measured], abs=1e-6), (path, name)
        assert metrics["role_seconds"] == pytest.approx(expected["role_time_s"], abs=1.5e-6)


def test_latencies_are_those_measured_elsewhere(archived: Archived) -> None:
    for path, expected in archived.expected().items():
        latency, measured = archived.shown[path]["metrics"]["latency"], expected["latency"]
        assert latency["count"] == measured["n"]
        for ours, theirs in (("avg", "avg"), ("p50", "p50"), ("p95", "p95")):
            assert latency[f"{ours}_seconds"] == pytest.approx(measured[theirs]), path
        # The kit in TypeScript takes the lower of two middles of the same times.
        times = (e["data"].get("latency") for e in archived.shown[path]["events"])
        found = sorted(time for time in times if time is not None and time >= 0)
        lower = found[(len(found) - 1) // 2] if found else None
        assert lower == pytest.approx(measured["p50_js_lower_median"]), path


def test_first_bytes_and_interruptions_were_answered_as_the_manifests_time_them(
    archived: Archived,
) -> None:
    interrupted = 0
    for path in archived.expected():
        events = json.loads((path / "manifest.json").read_text()).get("events", [])
        latency = archived.shown[path]["metrics"]["latency"]
        first = next((e["latency"] for e in events if e.get("latency", -1) >= 0), None)
        assert latency["time_to_first_byte_seconds"] == first, path
        waits = [
            next((b["time"] for b in events[n:] if b["type"] == "agent_stop_speaking"), math.inf)
            - a["time"]
            for n, a in enumerate(events)
            if a["type"] == "user_interrupt"
        ]
        shortest = min((w for w in waits if 0 <= w < math.inf), default=None)
        assert latency["interrupt_response_seconds"] == pytest.approx(shortest, abs=1e-6), path
        interrupted += shortest is not None
    assert interrupted >= 3


def test_every_field_of_every_segment_is_shown_and_a_cut_turn_as_cut(archived: Archived) -> None:
    cut = 0
    for path in archived.expected():
        stated = json.loads((path / "manifest.json").read_text())["segments"]
        for row, segment in zip(stated, archived.shown[path]["segments"], strict=True):
            assert (segment["index"], segment["role"]) == (row["idx"], row["role"])
            assert segment["file"] == f"segments/{Path(row['file']).name}"
            assert segment["text"] == row["transcript"]
            times = [segment["start_ns"], segment["end_ns"]]
            assert times == [nanoseconds(row["start_time"]), nanoseconds(row["end_time"])]
            assert segment["truncated"] is row.get("transcript_truncated", False)
            cut += segment["truncated"]
    assert cut == 3


def test_all_seven_types_of_event_are_shown_with_all_that_they_hold(archived: Archived) -> None:
    kinds = set()
    for path in archived.expected():
        stated = json.loads((path / "manifest.json").read_text()).get("events", [])
        found = [(e["offset_ns"], e["type"], e["data"]) for e in archived.shown[path]["events"]]
        assert found == [(nanoseconds(e.pop("time")), e.pop("type"), e) for e in stated], path
        kinds |= {kind for _, kind, _ in found}
    speaking = {f"{who}_{what}_speaking" for who in ("user", "agent") for what in ("start", "stop")}
    assert kinds == speaking | {"tool_call", "tool_result", "user_interrupt"}


def nanoseconds(seconds: float) -> int:
    """The same to the digit that was written."""
    return round(Decimal(repr(seconds)) * 10**9)


def test_warnings_are_those_found_elsewhere(archived: Archived) -> None:
    for path, expected in archived.expected().items():
        found: dict[str, list[str]] = {}
        for warning in archived.deposited[path]["warnings"]:
            found.setdefault(warning["code"], []).append(warning["file"])
        silent = found.pop("not-transcoded", [])
        assert silent == ([] if expected["full_wav_s"] else ["full.wav"])
        assert {code: sorted(names) for code, names in found.items()} == {
            code: sorted(names)
            for code, names in (
                ("missing-file", expected["missing_segment_files"]),
                ("orphan-file", expected["orphan_segment_files"]),
                ("audio-length-mismatch", [m["file"] for m in expected["audio_len_mismatch"]]),
            )
            if names
        }, path
        mismatches = {m["file"]: m["wav_s"] for m in expected["audio_len_mismatch"]}
        decoded = {s["file"]: s["decoded_ns"] for s in archived.shown[path]["segments"]}
        assert {name: decoded[name] / 1e9 for name in mismatches} == pytest.approx(mismatches)
        stated = {m["file"]: m["manifest_s"] for m in expected["audio_len_mismatch"]}
        lasted = {
            s["file"]: (s["end_ns"] - s["start_ns"]) / 1e9 for s in archived.shown[path]["segments"]
        }
        assert {name: lasted[name] for name in stated} == pytest.approx(stated, abs=1e-6)
        manifest = json.loads((path / "manifest.json").read_text())
        assert ("events" in manifest) == expected["has_events_key"], path


def test_without_a_manifest_the_file_names_tell_the_turns(archived: Archived) -> None:
    (path,) = (p for p in archived.shown if p.name == NO_MANIFEST)
    segments = archived.shown[path]["segments"]
    names = sorted(p.name for p in (path / "segments").iterdir())
    assert [s["file"] for s in segments] == [f"segments/{name}" for name in names]
    assert [s["role"] for s in segments] == [name.split("-")[1] for name in names]
    starts = [int(name.split("-")[2].removesuffix("ms.wav")) * 1_000_000 for name in names]
    assert [s["start_ns"] for s in segments] == starts


def test_every_recording_comes_back_byte_for_byte(archived: Archived, tmp_path: Path) -> None:
    with archived.home.room() as room:
        for number, (path, session) in enumerate(archived.deposited.items()):
            back = tmp_path / str(number)
            fetch.originals(room, session["id"], back)
            assert recordings.files(back) == recordings.files(path)
            rates = set()
            for turn in (back / "segments").glob("*.wav"):
                with wave.open(str(turn), "rb") as file:
                    rates.add(file.getframerate())
            expected = archived.expected().get(path)
            assert expected is None or sorted(rates) == expected["segment_rates"]
            with wave.open(str(back / "full.wav"), "rb") as file:
                length, rate = file.getnframes() / file.getframerate(), file.getframerate()
            stated = (
                None if expected is None else (expected["full_wav_s"], expected["full_wav_rate"])
            )
            assert stated is None or (length, rate) == pytest.approx(stated)


def test_every_recording_has_something_to_play_to_keep_and_to_see(archived: Archived) -> None:
    for path, expected in archived.expected().items():
        shown = archived.shown[path]
        made = {p["name"] for p in shown["parts"] if p["compartment"] == "derived"}
        found = [p["name"] for p in shown["parts"] if p["compartment"] == "analysis"]
        assert found == ["analysis/analysis.json"]
        sounds = {
            n for n in recordings.files(path) if n.endswith((".wav", ".mp3", ".ogg", ".flac"))
        }
        assert made == {
            rendition
            for name in (sounds if expected["full_wav_s"] else ())
            for rendition in (
                *(f"playback/{name}.opus", f"archive/{name}.flac", f"peaks/{name}.dat"),
            )
        }, path
        assert all(p["bytes"] for p in shown["parts"])


@pytest.mark.parametrize("container", ["wav", "mp3", "ogg", "flac"])
def test_an_export_decodes_and_lasts_as_long_as_the_conversation(
    archived: Archived, tmp_path: Path, container: str
) -> None:
    (path,) = (p for p in archived.shown if p.name == "overlap_tools")
    out = tmp_path / f"out.{container}"
    answer = archived.home.run(
        *("export", archived.deposited[path]["id"], "--format", container, "-o", out)
    )
    assert [f["bytes"] for f in answer.document["files"]] == [out.stat().st_size]
    segments = archived.shown[path]["segments"]
    end = max(s["start_ns"] + s["decoded_ns"] for s in segments) / 1e9
    assert decoded_seconds(out) == pytest.approx(end, abs=0.1)


@pytest.mark.parametrize("layout", ["stereo", "concat", "tracks"])
def test_each_layout_decodes(archived: Archived, tmp_path: Path, layout: str) -> None:
    (path,) = (p for p in archived.shown if p.name == "overlap_tools")
    out = tmp_path / "out"
    answer = archived.home.run(
        *("export", archived.deposited[path]["id"], "--format", "wav", "--audio", layout),
        *("-o", out),
    )
    written = [out / f["name"] for f in answer.document["files"]] if layout == "tracks" else [out]
    files = [file for file in written if file.name != "strongroom.json"]
    segments = archived.shown[path]["segments"]
    assert len(files) == (len({s["role"] for s in segments}) if layout == "tracks" else 1)
    lengths = [decoded_seconds(file) for file in files]
    if layout == "concat":
        assert lengths == [pytest.approx(sum(s["decoded_ns"] for s in segments) / 1e9, abs=0.01)]
    assert all(lengths)
    with wave.open(str(files[0]), "rb") as file:
        assert file.getnchannels() == (2 if layout == "stereo" else 1)


@pytest.mark.parametrize("manifest", [True, False])
def test_saving_a_recording_of_fewer_turns_over_one_of_more_leaves_no_orphan(
    archived: Archived, tmp_path: Path, manifest: bool
) -> None:
    more, fewer = (
        next(p for p in archived.shown if p.name == name)
        for name in ("many_segments", "overlap_tools")
    )
    out, wanted = tmp_path / "out", Request("scenario", manifest=manifest)
    with archived.home.room() as room:
        for path in (more, fewer):
            export(room, Choice([archived.deposited[path]["id"]]), wanted, out)
    came, found = recordings.files(fewer), recordings.files(out)
    sounds = {n: c for n, c in came.items() if n == "full.wav" or n.startswith("segments/")}
    assert found.items() >= sounds.items()
    assert found.keys() - sounds.keys() - {"manifest.json"} == {"strongroom.json"}
    assert ("manifest.json" in found) is manifest
    assert not manifest or json.loads(found["manifest.json"]) == json.loads(came["manifest.json"])
    (reading,) = formats.read(out)
    assert [w.code for w in reading.warnings if w.code in {"orphan-file", "missing-file"}] == []


def decoded_seconds(path: Path) -> float:
    """How long a file sounds, decoded by a program that is not ours."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    done = subprocess.run(
        [ffmpeg, "-v", "error", "-i", path, "-f", "s16le", "-ac", "1", "-ar", "8000", "-"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    assert not done.stderr
    return len(done.stdout) / 16000
