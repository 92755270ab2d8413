"""The privacy level that a session was recorded under binds what is stored of it."""

from __future__ import annotations

from pathlib import Path

from tests.homes import Home
from tests.unit.test_formats_platform import ID, START, said, session, write
from tests.unit.test_formats_scenario import wav
from vault.model import PrivacyLevel


def test_the_level_of_the_recording_binds_the_deposit(home: Home, tmp_path: Path) -> None:
    phrase = "Please cancel my gym membership."
    for level in PrivacyLevel:
        folder = session(tmp_path / level.value, said(START + 1, text=phrase), privacy_level=level)
        write(folder, "audio.wav", wav(1))
    answer = home.run("deposit", tmp_path, "--subject", "someone", code=4).document
    (refused,) = answer["refused"]
    assert "/disabled/" in refused["path"]
    kept = {
        Path(one["path"]).parts[-3]: {o["name"].split("_")[2] for o in one["originals"]}
        for one in answer["sessions"]
    }
    described = {"metadata.json", "quality.json"}
    assert kept == {
        "full": {"audio.wav", "transcript.json"} | described,
        "audio_only": {"audio.wav"} | described,
        "transcript_only": {"transcript.json"} | described,
        "metadata_only": described,
    }
    for one in answer["sessions"]:
        shown = home.run("show", one["id"])
        under = Path(one["path"]).parts[-3]
        assert shown.document["privacy_level"] == under
        assert (phrase in shown.out) == (under in {"full", "transcript_only"})
    # Asking for more than the recording allows changes nothing.
    wider = home.run(
        "deposit", tmp_path / "metadata_only", "--privacy-level", "full", "--tag", "again"
    ).document
    assert {o["name"] for s in wider["sessions"] for o in s["originals"]} == {
        f"{ID}_{name}" for name in described
    }
