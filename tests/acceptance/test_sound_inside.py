"""Sound that no file of its own holds: inside a vCon or a log, packed, in pieces."""

from __future__ import annotations

import array
import base64
import gzip
import json
import wave
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests import promptkit
from tests.conftest import FIXTURES
from tests.homes import Home
from tests.recordings import RATE, noise
from tests.unit.test_formats_platform import ID, START, said, session, write
from tests.unit.test_formats_vcon import VCONS, base64url, document, needs_vcons, recording
from tests.unit.test_formats_vcon_envelope import UUID, signer
from vault import formats
from vault.errors import BadInput
from vault.formats import vcon_envelope
from vault.model import Json, PrivacyLevel
from vault.operations import jobs
from vault.operations.admission import Terms, admit

PHRASE = "Please cancel my gym membership."
PROMPTKIT = FIXTURES / "promptkit"
OTHER = FIXTURES / "other"


def turns(*times: tuple[float, float]) -> Json:
    """A transcript of the first dialog: the caller and the bot in turns."""
    said = [
        {"party": n % 2, "start": start, "end": end, "text": PHRASE}
        for n, (start, end) in enumerate(times)
    ]
    body = {"segments": said}
    return {
        "type": "transcript",
        "dialog": 0,
        "vendor": "x",
        "mediatype": "application/json",
        "encoding": "json",
        "body": json.dumps(body),
    }


def call(sound: bytes) -> bytes:
    """A vCon with one recording, in which two speak."""
    made = document(dialog=[recording(sound)], analysis=[turns((0.1, 0.2), (0.25, 0.4))])
    return json.dumps(made).encode()


def samples(file: Path) -> array.array[int]:
    with wave.open(str(file)) as opened:
        assert opened.getframerate() == RATE
        return array.array("h", opened.readframes(opened.getnframes()))


def parts(home: Home, session_id: str) -> dict[str, str]:
    shown = home.run("show", session_id).document
    assert shown["state"] == "ready"
    return {part["name"]: part["compartment"] for part in shown["parts"]}


def exported(home: Home, session_id: str, target: Path, *more: str | Path) -> Path:
    home.run("export", session_id, "--format", target.suffix[1:], "-o", target, *more)
    return target


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """The files of a key and of its certificate."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    key.write_bytes(signer()[0])
    certificate.write_bytes(signer()[1])
    return key, certificate


# --- inside a vCon -------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["plain", "signed", "encrypted"])
def test_sound_inside_a_vcon_is_transcoded_later_without_the_key_it_came_under(
    home: Home, tmp_path: Path, keys: tuple[Path, Path], form: str
) -> None:
    sound = noise(0.5)
    given = call(sound)
    if form != "plain":
        given = vcon_envelope.sign(given, UUID, *signer())
    if form == "encrypted":
        given = vcon_envelope.encrypt(given, UUID, signer()[1])
    place = tmp_path / "call.vcon"
    place.write_bytes(given)
    taken = home.run("deposit", place, "--decrypt-key", keys[0], "--no-wait").document
    (one,) = taken["sessions"]
    assert [original["name"] for original in one["originals"]] == ["call.vcon"]
    with home.room() as room:
        assert jobs.run(room, [one["id"]])
    found = parts(home, one["id"])
    assert found["dialog-0000.wav"] == found["playback/dialog-0000.wav.opus"] == "derived"
    assert {"archive/dialog-0000.wav.flac", "peaks/dialog-0000.wav.dat"} <= found.keys()
    home.run("fetch", one["id"], "--part", "dialog-0000.wav", "-o", tmp_path / "inside.wav")
    assert (tmp_path / "inside.wav").read_bytes() == sound
    home.run("fetch", one["id"], "--originals", "-o", tmp_path / "back")
    assert [p.read_bytes() for p in (tmp_path / "back").iterdir()] == [given]
    assert samples(exported(home, one["id"], tmp_path / "call.wav")) == samples(
        tmp_path / "inside.wav"
    )
    again = json.loads(exported(home, one["id"], tmp_path / "again.vcon").read_bytes())
    assert base64url(sound) in [dialog.get("body") for dialog in again["dialog"]]


def test_an_encrypted_vcon_without_its_key_has_no_sound(home: Home, tmp_path: Path) -> None:
    place = tmp_path / "call.vcon"
    place.write_bytes(vcon_envelope.encrypt(call(noise(0.1)), UUID, signer()[1]))
    (one,) = home.run("deposit", place).document["sessions"]
    assert list(parts(home, one["id"])) == ["call.vcon"]


def test_a_recording_of_several_turns_sounds_once_and_where_it_began(
    home: Home, tmp_path: Path
) -> None:
    sound = noise(0.5)
    later = recording(sound, start="2026-01-01T00:00:02Z")
    first: Json = {**document()["dialog"][0], "start": "2026-01-01T00:00:00Z"}  # type: ignore[dict-item, index]  # JSON that is known
    made = document(dialog=[later, first], analysis=[turns((0.1, 0.2), (0.25, 0.4))])
    place = tmp_path / "call.vcon"
    place.write_text(json.dumps(made))
    (one,) = home.run("deposit", place).document["sessions"]
    heard = samples(exported(home, one["id"], tmp_path / "call.wav"))
    (tmp_path / "sound.wav").write_bytes(sound)
    assert not any(heard[: 2 * RATE])
    assert heard[2 * RATE :] == samples(tmp_path / "sound.wav")


@pytest.mark.parametrize("level", PrivacyLevel)
def test_a_level_keeps_the_sound_inside_or_the_words_as_it_says(
    home: Home, tmp_path: Path, level: PrivacyLevel
) -> None:
    place = tmp_path / "call.vcon"
    place.write_bytes(call(noise(0.5)))
    kept = level is not PrivacyLevel.DISABLED
    answer = home.run("deposit", place, "--privacy-level", level, code=None)
    assert answer.code == (0 if kept else 4)
    if not kept:
        return
    (one,) = answer.document["sessions"]
    found, shown = parts(home, one["id"]), home.run("show", one["id"]).out
    sound = level in {PrivacyLevel.FULL, PrivacyLevel.AUDIO_ONLY}
    assert ("dialog-0000.wav" in found) == sound
    assert any(name.endswith((".opus", ".flac", ".dat")) for name in found) == sound
    assert ("call.vcon" in found) == (level is PrivacyLevel.FULL)
    assert (PHRASE in shown) == (level in {PrivacyLevel.FULL, PrivacyLevel.TRANSCRIPT_ONLY})
    if sound:
        assert len(samples(exported(home, one["id"], tmp_path / "call.wav"))) == RATE // 2


def test_an_encrypted_vcon_that_came_without_its_key_is_opened_by_a_deposit_with_it(
    home: Home, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    place = tmp_path / "call.vcon"
    place.write_bytes(vcon_envelope.encrypt(call(noise(0.1)), UUID, signer()[1]))
    with_key = (place, "--decrypt-key", keys[0])
    (closed,) = home.run("deposit", place).document["sessions"]
    (still,) = home.run("deposit", place).document["sessions"]
    (opened,) = home.run("deposit", *with_key).document["sessions"]
    (again,) = home.run("deposit", *with_key).document["sessions"]
    (after,) = home.run("deposit", place).document["sessions"]
    assert [one["already"] for one in (closed, still, opened, again, after)] == [
        *(False, True, False, True, True)
    ]
    assert closed["id"] == still["id"] != opened["id"] == again["id"] == after["id"]
    assert "encrypted" in {warning["code"] for warning in closed["warnings"]}
    assert "encrypted" not in {warning["code"] for warning in opened["warnings"]}
    assert PHRASE in home.run("show", opened["id"]).out
    assert "dialog-0000.wav" in parts(home, opened["id"])
    assert list(parts(home, closed["id"])) == ["call.vcon"]


@needs_vcons
def test_a_real_encrypted_vcon_is_heard(home: Home, tmp_path: Path) -> None:
    place = VCONS / "mapped/scenario_branded.encrypted.vcon"
    key = VCONS / "mapped/TEST_ONLY_recipient_key.pem"
    (one,) = home.run("deposit", place, "--decrypt-key", key).document["sessions"]
    assert "playback/dialog-0001.wav.opus" in parts(home, one["id"])
    assert exported(home, one["id"], tmp_path / "call.mp3").stat().st_size > 1000


# --- inside a vendor's log -----------------------------------------------------------------


@pytest.mark.skipif(not OTHER.is_dir(), reason="the real recordings are not beside this")
def test_the_sound_of_a_realtime_log_is_heard_measured_and_kept_without_its_words(
    home: Home, tmp_path: Path
) -> None:
    place = OTHER / "openai_realtime/events.jsonl"
    empty, heard = home, {}
    for level in ("full", "audio_only", "transcript_only"):
        home = empty.copy(tmp_path / f"home-{level}")  # the same bytes would be here already
        (one,) = home.run("deposit", place, "--privacy-level", level).document["sessions"]
        found, shown = parts(home, one["id"]), home.run("show", one["id"])
        assert ("business hours" in shown.out) == (level != "audio_only")
        if level == "transcript_only":
            assert not [name for name in found if "sound-" in name]
            continue
        assert found["sound-0003-agent.wav"] == "derived"
        assert {"playback/sound-0000-user.wav.opus", "peaks/sound-0005-agent.wav.dat"} <= set(found)
        assert ("events.jsonl" in found) == (level == "full")
        quality = home.run("analyse", one["id"]).document["quality"]
        assert quality["audio_seconds"] == 1.2
        target = exported(home, one["id"], tmp_path / f"{level}.wav")
        with wave.open(str(target)) as opened:
            assert opened.getframerate() == 24_000
            heard[level] = opened.readframes(opened.getnframes())
    assert heard["audio_only"] == heard["full"]
    turns = [1.996, 1.998, 4.001, 4.699, 5.551, 10.077]
    loud = [any(heard["full"][round((t + 0.05) * 24_000) * 2 :][:4800]) for t in turns]
    assert all(loud)
    assert not any(heard["full"][: round(1.996 * 24_000) * 2])


@pytest.mark.skipif(not OTHER.is_dir(), reason="the real recordings are not beside this")
@pytest.mark.parametrize("level", ["full", "audio_only"])
def test_the_sound_of_a_vendors_document_is_heard_and_kept_without_it(
    home: Home, tmp_path: Path, level: str
) -> None:
    place = OTHER / "elevenlabs/post_call_audio.json"
    (one,) = home.run("deposit", place, "--privacy-level", level).document["sessions"]
    assert "inline-audio" not in {warning["code"] for warning in one["warnings"]}
    found = parts(home, one["id"])
    assert found["full_audio.mp3"] == found["playback/full_audio.mp3.opus"] == "derived"
    assert (place.name in found) == (level == "full")
    given = base64.b64decode(json.loads(place.read_bytes())["data"]["full_audio"])
    home.run("fetch", one["id"], "--part", "full_audio.mp3", "-o", tmp_path / "inside.mp3")
    assert (tmp_path / "inside.mp3").read_bytes() == given
    with wave.open(str(exported(home, one["id"], tmp_path / "call.wav"))) as opened:
        assert opened.getnframes() > opened.getframerate()


# --- packed, or without a header -----------------------------------------------------------


@pytest.mark.parametrize("name", ["audio.wav.gz", "audio.mp3.gz", "audio.mp3"])
def test_packed_sound_and_bare_samples_are_transcoded_and_exported(
    home: Home, tmp_path: Path, name: str
) -> None:
    sound = noise(0.5)
    folder = session(tmp_path, said(START + 1))
    held = sound if ".wav" in name else sound[44:]
    write(folder, name, gzip.compress(held) if name.endswith(".gz") else held)
    (one,) = home.run("deposit", folder).document["sessions"]
    found = parts(home, one["id"])
    assert {f"playback/{ID}_{name}.opus", f"archive/{ID}_{name}.flac"} <= found.keys()
    (tmp_path / "sound.wav").write_bytes(sound)
    expected = samples(tmp_path / "sound.wav")
    assert samples(exported(home, one["id"], tmp_path / "call.wav")) == expected
    made = json.loads(exported(home, one["id"], tmp_path / "call.vcon").read_bytes())
    (body,) = [d["body"] for d in made["dialog"] if d["type"] == "recording" and "body" in d]
    assert body == base64url(sound)


def test_cut_packed_sound_plays_as_far_as_it_goes(home: Home, tmp_path: Path) -> None:
    folder = session(tmp_path, said(START + 1))
    write(folder, "audio.wav.gz", gzip.compress(noise(2.0))[:-9000])
    (one,) = home.run("deposit", folder).document["sessions"]
    assert "damaged-gzip" in {warning["code"] for warning in one["warnings"]}
    assert 0 < len(samples(exported(home, one["id"], tmp_path / "call.wav"))) < 2 * RATE


# --- the writers' options ------------------------------------------------------------------


def test_a_vcon_goes_out_signed_and_encrypted_and_comes_in_from_whom_it_should(
    home: Home, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    key, certificate = keys
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(signer("two")[1])
    plain = tmp_path / "call.vcon"
    plain.write_bytes(call(noise(0.1)))
    (one,) = home.run("deposit", plain).document["sessions"]
    sealing = ("--sign-with", key, "--certificate", certificate, "--recipient", certificate)
    sealed = exported(home, one["id"], tmp_path / "sealed.vcon", *sealing)
    assert b"parties" not in sealed.read_bytes()
    opening = ("--decrypt-key", key, "--trust-signer")
    home.run("deposit", sealed, *opening, stranger, code=7)
    home.run("deposit", plain, "--trust-signer", certificate, "--tag", "x", code=7)
    home.run("deposit", sealed, "--trust-signer", certificate, code=7)  # nobody can tell
    taken = home.run("deposit", sealed, *opening, stranger, "--trust-signer", certificate)
    (again,) = taken.document["sessions"]
    assert not {"untrusted-signer", "encrypted"} & {w["code"] for w in again["warnings"]}
    assert PHRASE in home.run("show", again["id"]).out


def test_what_cannot_be_signed_with_or_for_is_refused_with_nothing_written(
    home: Home, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    key, certificate = keys
    plain = tmp_path / "call.vcon"
    plain.write_bytes(call(noise(0.1)))
    (one,) = home.run("deposit", plain).document["sessions"]
    other, target = tmp_path / "other.pem", tmp_path / "out"
    other.write_bytes(signer("two")[1])
    for code, form, options in (
        (2, "vcon", ("--sign-with", key)),
        (2, "json", ("--recipient", certificate)),
        (2, "json", ("--provider", "x")),
        (2, "promptkit", ("--custom", "no pair")),
        (7, "vcon", ("--sign-with", key, "--certificate", other)),
        (7, "vcon", ("--sign-with", certificate, "--certificate", certificate)),
        (7, "vcon", ("--recipient", tmp_path / "absent.pem")),
        (7, "vcon", ("--recipient", plain)),
    ):
        answer = home.run("export", one["id"], "--format", form, "-o", target, *options, code=code)
        assert "BEGIN" not in answer.err
        assert not target.exists()


def test_a_promptkit_recording_says_what_it_is_told_to(home: Home, tmp_path: Path) -> None:
    plain = tmp_path / "call.vcon"
    plain.write_bytes(call(noise(0.1)))
    (one,) = home.run("deposit", plain).document["sessions"]
    told = ("--provider", "acme", "--model", "m-1", "--custom", "team=red", "--custom", "a=b=c")
    for form in ("promptkit", "promptkit-jsonl"):
        target = tmp_path / form
        home.run("export", one["id"], "--format", form, "-o", target, *told)
        text = target.read_text()
        first: dict[str, Any] = json.loads(text if form == "promptkit" else text.splitlines()[0])
        stated = first["metadata"]
        assert (stated["provider_name"], stated["model"]) == ("acme", "m-1")
        assert stated["custom"] == {"team": "red", "a": "b=c"}


# --- sound in pieces -----------------------------------------------------------------------


@pytest.mark.skipif(not PROMPTKIT.is_dir(), reason="the real recordings are not beside this")
@pytest.mark.parametrize("name", ["pk-dev-interruption", "pk-dev-inline"])
def test_audio_only_keeps_the_pieces_of_a_promptkit_call_and_none_of_its_words(
    home: Home, tmp_path: Path, name: str
) -> None:
    empty = home
    place = PROMPTKIT / name / f"{name}.recording.json"
    heard: dict[str, bytes] = {}
    words: list[str] = []
    for level in ("full", "audio_only", "metadata_only"):
        home = empty.copy(tmp_path / f"home-{level}")  # the same bytes would be here already
        (one,) = home.run("deposit", place, "--privacy-level", level).document["sessions"]
        shown = home.run("show", one["id"]).document
        texts = [segment["text"] for segment in shown["segments"] if segment["text"]]
        pieces = [event for event in shown["events"] if event["data"].get("payload")]
        assert bool(texts) == (level == "full")
        assert bool(pieces) == (level != "metadata_only")
        if level == "full":
            words = texts
        elif level == "audio_only":
            assert not [text for text in words if text in json.dumps(shown)]
        if level != "metadata_only":
            heard[level] = exported(home, one["id"], tmp_path / f"{level}.wav").read_bytes()
            home.run("export", one["id"], "--format", "promptkit", "-o", tmp_path / level)
            events = json.loads((tmp_path / level).read_text())["events"]
            assert len(events) == len(shown["events"])
    assert heard["audio_only"] == heard["full"]
    assert len(heard["full"]) > 10_000


def test_audio_only_keeps_the_sound_inside_a_promptkit_recording_and_none_of_its_words(
    home: Home, tmp_path: Path
) -> None:
    one, two = noise(0.5, seed=1)[44:], noise(0.25, seed=2)[44:]
    events = [
        promptkit.audio(1, 0, one, blob=False),
        promptkit.event(2, 5, "message.created", data={"Role": "user", "Content": PHRASE}),
        promptkit.audio(3, 500_000_000, two, blob=False),
        promptkit.audio(4, 750_000_000, one, blob=False),
    ]
    place = promptkit.recording(tmp_path / "call.recording.json", events)
    empty, heard = home, {}
    for level in ("full", "audio_only", "transcript_only"):
        home = empty.copy(tmp_path / f"home-{level}")
        (taken,) = home.run("deposit", place, "--privacy-level", level).document["sessions"]
        shown = home.run("show", taken["id"])
        assert (PHRASE in shown.out) == (level != "audio_only")
        pieces = [p for p in shown.document["parts"] if p["media_type"].startswith("audio/pcm")]
        assert len(pieces) == (3 if level == "audio_only" else 0)
        if level == "transcript_only":
            home.run("export", taken["id"], "--format", "wav", "-o", tmp_path / "no.wav", code=3)
            continue
        heard[level] = samples(exported(home, taken["id"], tmp_path / f"{level}.wav"))
    assert heard["audio_only"] == heard["full"] == array.array("h", one + two + one)


def test_sound_that_cannot_be_taken_out_is_said_to_be_left_out(home: Home, tmp_path: Path) -> None:
    event = promptkit.audio(1, 0, noise(0.1)[44:], blob=False)
    place = promptkit.recording(tmp_path / "call.recording.json", [event])
    inline = event["data"]["payload"]["inline_data"]
    odd = "".join(f"\\u{ord(letter):04x}" for letter in inline[:8]) + inline[8:]
    place.write_text(place.read_text().replace(inline, odd))
    (one,) = home.run("deposit", place, "--privacy-level", "audio_only").document["sessions"]
    told = {w["code"]: w["text"] for w in one["warnings"]}
    assert "unreadable-inline" in told
    assert told["left-out"] == (
        "Left out, and the sound inside it with it, because the privacy level is audio_only."
    )


# --- every reader --------------------------------------------------------------------------


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the real recordings are not beside this")
def test_no_reader_lets_through_what_a_level_keeps_out(home: Home) -> None:
    levels = (PrivacyLevel.AUDIO_ONLY, PrivacyLevel.METADATA_ONLY, PrivacyLevel.TRANSCRIPT_ONLY)
    spoken: set[str] = set()
    with home.room() as room:
        for place in formats.walk(FIXTURES):
            try:
                readings = formats.read(place)
            except BadInput:
                continue
            for reading, level in product(readings, levels):
                if reading.privacy_level is not PrivacyLevel.FULL:
                    continue
                kept = admit(room, place.path, reading, Terms(privacy_level=level))
                if level is PrivacyLevel.TRANSCRIPT_ONLY:
                    assert not list(kept.reading.recordings()), place.path
                    continue
                texts = [s.text for s in reading.timeline.segments if len(s.text or "") > 11]
                told = ascii((kept.metadata, kept.reading.timeline))
                assert not [text for text in texts if ascii(text)[1:-1] in told], place.path
                spoken |= {reading.format} if texts else set()
    assert spoken >= {"scenario", "voicemode", "promptkit", "vcon", "voice-agents-platform"}
