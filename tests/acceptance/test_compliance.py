"""What is not as it should be, and what an archive can show for it, on real recordings."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_policy import (
    CALL,
    EVERY,
    IMPORTANT,
    LATER,
    METADATA,
    SOUND,
    WORDS,
    came,
    office,
    pack,
    put,
    swept,
)
from tests.homes import Home
from vault.operations.compliance import FRAMEWORKS

__all__ = ["came", "office"]  # fixtures of the same archive
#: Under which laws each recording is deposited.
LAWS = {
    CALL: ("--jurisdiction", "DE", "--regime", "gdpr", "--regime", "hipaa", "--class", "short"),
    SOUND: ("--jurisdiction", "GB", "--regime", "pci-dss"),
    IMPORTANT: ("--jurisdiction", "US-CA", "--tag", "sox"),
    WORDS: ("--jurisdiction", "US-IL", "--jurisdiction", "FR"),
    METADATA: (),
}


@pytest.fixture
def ids(office: Home, came: Path) -> dict[str, str]:
    return {name: put(office, came, name, terms=laws)[name] for name, laws in LAWS.items()}


def broken(home: Home, *line: str, **now: str) -> list[dict[str, Any]]:
    given: Any = now
    found: list[dict[str, Any]] = home.run("compliance", "violations", *line, **given).document[
        "violations"
    ]
    return found


def report(home: Home, *line: str) -> dict[str, Any]:
    return home.run("compliance", "report", *line).document


# --- violations ----------------------------------------------------------------------------


def test_a_recording_of_a_place_where_all_must_agree_is_a_violation_until_they_do(
    office: Home, ids: dict[str, str]
) -> None:
    found = {v["session"]: v for v in broken(office) if v["code"] == "consent-missing"}
    assert {ids[CALL], ids[IMPORTANT], ids[WORDS]} <= found.keys()
    assert ids[METADATA] not in found
    assert found[ids[CALL]]["citation"] == "StGB 201"
    assert "632" in found[ids[IMPORTANT]]["citation"]
    office.run("consent", "grant", "--subject", "user123", "--type", "recording")
    agreed = {v["session"] for v in broken(office) if v["code"] == "consent-missing"}
    assert agreed == found.keys() - {ids[CALL], ids[IMPORTANT]}


def test_what_a_maximum_wants_gone_is_a_violation_and_so_is_a_rule_that_nobody_verified(
    office: Home, came: Path, tmp_path: Path
) -> None:
    one = put(office, came, CALL)[CALL]
    rule = {"id": "no-words", "kind": "max", "period": "P5D", "elements": ["transcript"]}
    rule |= {"text": "No transcript is kept longer than five days.", "citation": "House rule 7"}
    rule |= {"status": "unverified", "effective_from": "2020-01-01", "reviewed_at": "2026-11-01"}
    office.run("policy", "activate", pack(tmp_path, rules=[rule], tag_classes={}))
    again = ("--actor", "dora", "policy", "activate", tmp_path / "pack.json")
    assert office.run(*again).document["state"] == "active"
    assert "overdue" not in {v["code"] for v in broken(office)}
    found = {v["code"]: v for v in broken(office, "--as-of", LATER)}
    assert (found["overdue"]["session"], found["overdue"]["citation"]) == (one, "House rule 7")
    assert found["rule-unverified"]["rule"] == "no-words"


def test_a_request_nobody_answered_is_a_violation_once_its_time_is_over(
    office: Home, ids: dict[str, str]
) -> None:
    line = ("--type", "access", "--subject", "user456", "--regime", "gdpr")
    request = office.run("requests", "open", *line).document["request"]
    assert "request-overdue" not in {v["code"] for v in broken(office)}
    late = [v for v in broken(office, "--as-of", "2027-03-01T00:00:00Z") if "request" in v]
    assert [(v["code"], v["request"]) for v in late] == [("request-overdue", request)]
    assert "12(3)" in late[0]["citation"]
    assert "request-overdue" not in report(office, "ccpa")["violations"]


# --- processing records --------------------------------------------------------------------


def test_every_real_recording_has_a_record_of_each_policy_that_binds_it(
    office: Home, ids: dict[str, str]
) -> None:
    records = office.run("compliance", "processing").document["processing"]
    applied: dict[str, set[str]] = {name: set() for name in ids}
    names = {session: name for name, session in ids.items()}
    for one in records:
        applied[names[one["session"]]].add(one["policy"])
    assert applied[CALL] >= {"gdpr", "hipaa", "default", "recording-consent"}
    assert applied[IMPORTANT] >= {"ccpa", "default"}
    assert {"gdpr", "ccpa", "hipaa", "pci-dss"}.isdisjoint(applied[METADATA])
    shown = office.run("show", ids[CALL]).document["processing"]
    own = [{k: v for k, v in r.items() if k not in {"session", "by"}} for r in records]
    assert all(one in own for one in shown)
    assert {one["class"] for one in shown} == {"short"}
    text = office.start("compliance", "processing", "--csv").communicate()[0]
    assert [row["session"] for row in csv.DictReader(io.StringIO(text))] == [
        one["session"] for one in records
    ]
    office.run("--actor", "abe", "compliance", "processing")
    office.run("--actor", "ada", "compliance", "processing", code=4)


# --- reports -------------------------------------------------------------------------------


def test_a_gdpr_report_counts_what_really_happened_to_real_recordings(
    office: Home, ids: dict[str, str]
) -> None:
    subject = ("--subject", "user123", "--type", "recording")
    office.run("consent", "grant", *subject, "--expires", "2026-11-25T00:00:00Z")
    office.run("consent", "grant", "--subject", "user456", "--type", "sharing")
    office.run("consent", "grant", "--subject", "nobody-here", "--type", "recording")
    asked = ("--type", "access", "--subject", "user456", "--regime", "gdpr")
    office.run("requests", "open", *asked)
    office.run("hold", "place", "--matter", "Doe", "--session", ids[WORDS])
    before = report(office, "gdpr")
    assert before["sessions"]["by_class"] == {"long": 1, "short": 1}
    assert before["sessions"]["by_jurisdiction"] == {"DE": 1, "FR": 1, "US-IL": 1}
    assert before["sessions"]["by_consent"] == {"granted": 1, "unknown": 1}
    assert before["consents"] == {"expired": 0, "granted": 2, "requested": 0, "withdrawn": 0}
    held = {"placed": 1, "released": 0, "standing": 1, "sessions_held": 1}
    assert before["holds"] == held
    requests = before["requests"]
    assert (requests["total"], requests["by_type"], requests["open"]) == (1, {"access": 1}, 1)
    assert before["erasures"]["certified"] == 0
    office.run("consent", "grant", *subject)
    assert len(swept(office, LATER)["certificates"]) == 1
    office.extra["STRONGROOM_TEST_NOW"] = LATER
    after = report(office, "gdpr")
    assert (after["erasures"]["certified"], after["erasures"]["by_cause"]) == (1, {"plan": 1})
    assert after["sessions"]["by_state"]["erased"] == 1
    assert after["sessions"]["total"] == 2
    assert report(office, "ccpa")["erasures"]["certified"] == 0
    assert report(office, "gdpr", "--until", "2026-11-01T00:00:00Z")["sessions"]["total"] == 0
    since = report(office, "gdpr", "--since", "2026-11-24T00:00:00Z")
    assert (since["sessions"]["total"], since["erasures"]["certified"]) == (0, 1)


def test_each_framework_counts_its_own_and_says_what_it_does_not_know(
    office: Home, ids: dict[str, str]
) -> None:
    choice = {"custom": ("--tag", "important")}
    found = {name: report(office, name, *choice.get(name, ())) for name in FRAMEWORKS}
    assert {name: one["sessions"]["total"] for name, one in found.items()} == {
        "gdpr": 2,
        "ccpa": 1,
        "hipaa": 1,
        "pci-dss": 1,
        "sox": 1,
        "custom": 1,
    }
    asked = {name for name, one in found.items() if one["requests"] is None}
    assert asked == {"pci-dss", "sox", "custom"}
    for name in asked:
        assert any("request" in text for text in found[name]["unknown"])
    told = found["gdpr"]["accesses"]
    silent = [name for name, count in told.items() if count is None]
    assert all(any(name in text for text in found["gdpr"]["unknown"]) for name in silent)
    assert report(office, "custom", "--regime", "uk-gdpr")["sessions"]["by_jurisdiction"] == {
        "GB": 1
    }
    for line in (("iso",), ("custom",), ("gdpr", "--tag", "x"), ("custom", "--regime", "none")):
        office.run("compliance", "report", *line, code=2)
    office.run("--actor", "ada", "compliance", "report", "gdpr", code=4)


def test_who_took_something_out_is_counted_under_the_framework_of_what_they_took(
    office: Home, ids: dict[str, str], tmp_path: Path
) -> None:
    office.run("fetch", ids[CALL], "--originals", "-o", tmp_path / "back")
    line = ("export", ids[CALL], ids[WORDS], ids[IMPORTANT], "--format", "json")
    office.run(*line, "-o", tmp_path / "out.json")
    assert report(office, "gdpr")["accesses"] == {"opened": 1, "exported": 2}
    assert report(office, "ccpa")["accesses"] == {"opened": 0, "exported": 1}


@pytest.mark.parametrize("ending", ["json", "html", "pdf", "docx", "txt", "csv", "xlsx"])
def test_a_report_is_written_in_every_format(
    office: Home, came: Path, tmp_path: Path, ending: str
) -> None:
    put(office, came, *EVERY[:2], terms=("--jurisdiction", "DE"))
    file = tmp_path / f"out.{ending}"
    (entry,) = office.run("compliance", "report", "gdpr", "-o", file).document["files"]
    content = file.read_bytes()
    assert (entry["bytes"], entry["name"]) == (len(content), str(file))
    if ending == "json":
        assert json.loads(content)["sessions"]["total"] == 2
    elif ending in {"docx", "xlsx"}:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
    elif ending == "pdf":
        assert content.startswith(b"%PDF-1.")
    else:
        assert b"consent-missing" in content
        assert b"What is not known" in content
