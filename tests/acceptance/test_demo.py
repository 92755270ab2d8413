"""The demo tells the truth and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

from tests.homes import Home, ended


def test_the_demo_seals_gives_back_refuses_and_cleans_up(tmp_path: Path) -> None:
    home = Home(tmp_path / "untouched")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    story = home.script("demo", TMPDIR=str(scratch))
    told = story.document
    assert len(told["sessions"]) >= 2
    assert {s["state"] for s in told["sessions"]} == {"ready"}
    assert told["sealed"]["phrases"] > 0
    assert told["sealed"]["phrases_in_clear"] == 0
    assert told["compared"]
    assert all(row["same"] for row in told["compared"])
    assert told["tampering_refused"] is True
    assert list(scratch.iterdir()) == []
    assert not home.folder.exists()


def test_the_demo_speaks_to_people_on_standard_output(tmp_path: Path) -> None:
    # Settings of whoever tries it must not matter, nor be touched.
    process = Home(tmp_path / "untouched").start(
        "demo", STRONGROOM_STORE_URL="s3://nowhere", STRONGROOM_CONSENT="required"
    )
    answer = ended(process)
    assert "refused" in answer.out
    assert "NOT NOTICED" not in answer.out
    assert "DIFFERENT" not in answer.out
    assert "strongroom init" in answer.out
