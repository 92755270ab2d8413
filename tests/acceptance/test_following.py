"""A growing log is followed; what came encrypted is opened with its key."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

from tests.homes import Home, ended

ROW = {"version": 4, "conversation_id": "conv_20260101_120000_abc123", "type": "stt"}


def row(number: int) -> str:
    at = f"2026-01-01T12:00:{number:02d}+00:00"
    return json.dumps({**ROW, "timestamp": at, "text": f"row {number}"}) + "\n"


def test_rows_that_are_there_and_rows_that_come_are_followed(home: Home, tmp_path: Path) -> None:
    log = tmp_path / "exchanges_2026-01-01.jsonl"
    log.write_text(row(1) + row(2))
    once = ended(home.start("--json", "tail", log, "--once"))
    assert [json.loads(line)["text"] for line in once.out.splitlines()] == ["row 1", "row 2"]

    following = home.start("--json", "tail", log, "--new")
    assert following.stdout is not None
    lines: Queue[str] = Queue()
    Thread(target=_pour, args=(following.stdout, lines)).start()
    try:
        with log.open("a") as stream:
            for number in range(3, 50):  # until it has begun to look
                stream.write(row(number))
                stream.flush()
                with contextlib.suppress(Empty):
                    seen = json.loads(lines.get(timeout=2))["text"]
                    break
            assert seen.startswith("row ")
            half = row(58)
            stream.write(half[:20])
            stream.flush()
            time.sleep(0.8)
            stream.write(half[20:] + row(59))
        while seen != "row 58":
            seen = json.loads(lines.get(timeout=60))["text"]
        assert json.loads(lines.get(timeout=60))["text"] == "row 59"
    finally:
        following.kill()
        following.wait()


def test_a_real_log_that_was_cut_gives_all_rows_but_one_and_says_so(
    home: Home, fixtures_folder: Path
) -> None:
    (log,) = (fixtures_folder / "voicemode" / "malformed").iterdir()
    rows = [line for line in log.read_bytes().splitlines() if line.strip()]
    once = ended(home.start("--json", "tail", log, "--once"))
    assert len(once.out.splitlines()) == len(rows) - 1
    assert once.err == "warning: The log ends in the middle of a line.\n"


def _pour(stream: Iterable[str], lines: Queue[str]) -> None:
    for line in stream:
        lines.put(line)


def test_a_log_that_is_not_there_is_bad_input(home: Home, tmp_path: Path) -> None:
    assert home.run("tail", tmp_path / "nothing.jsonl", "--once", code=7).out == ""


def test_an_encrypted_vcon_is_kept_without_its_key_and_understood_with_it(
    home: Home, fixtures_folder: Path
) -> None:
    mapped = fixtures_folder / "vcon" / "mapped"
    sealed = mapped / "scenario_branded.encrypted.vcon"
    unopened = home.run("deposit", sealed, "--no-wait").document["sessions"][0]
    assert "encrypted" in {w["code"] for w in unopened["warnings"]}
    assert home.run("show", unopened["id"]).document["segments"] == []
    home.run("deposit", sealed, "--decrypt-key", mapped / "signer_cert.pem", code=7)


def test_its_key_opens_an_encrypted_vcon(home: Home, fixtures_folder: Path) -> None:
    mapped = fixtures_folder / "vcon" / "mapped"
    sealed, key = mapped / "scenario_branded.encrypted.vcon", mapped / "TEST_ONLY_recipient_key.pem"
    opened = home.run("deposit", sealed, "--decrypt-key", key, "--no-wait").document["sessions"][0]
    shown = home.run("show", opened["id"]).document
    assert any(segment["text"] for segment in shown["segments"])
