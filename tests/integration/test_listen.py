"""A sealed recording is heard from an instant on."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests import recordings
from tests.homes import made
from vault.errors import UsageError
from vault.media.probe import probe
from vault.operations import jobs, retrieve
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.listen import listen

SECOND = 1_000_000_000


def test_a_rendition_plays_from_an_instant_to_its_end(tmp_path: Path) -> None:
    path = recordings.recording(tmp_path / "noise.wav", 30)
    with made(tmp_path / "home").room() as room:
        session = deposit(room, [path], Terms(), wait=False).sessions[0]
        jobs.run(room, [session.id])
        opened = retrieve.Opened(room, retrieve.session(room, session.id))
        original, playback = opened.part("noise.wav"), opened.part("playback/noise.wav.opus")
        whole = b"".join(opened.stream(playback))
        assert b"".join(listen(opened, playback, 0)) == whole
        heard = b"".join(listen(opened, playback, 20 * SECOND))
        assert whole.endswith(heard[-20_000:])
        facts = probe(lambda: io.BytesIO(heard), len(heard), "opus")
        assert 10 * SECOND <= facts.duration_ns <= 11.3 * SECOND
        with pytest.raises(UsageError):
            next(listen(opened, original, 0))
