"""The command line answers as its contract says: documents, exit codes, who may do what."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests import recordings
from tests.homes import SCRIPT, Answer, Home, ended, made
from vault.model import Compartment

DEPOSITED = {
    *("path", "id", "external_id", "format", "state", "duration_ns"),
    *("warnings", "originals", "already"),
}
LISTED = {"id", "format", "state", "started_at", "ended_at", "duration_ns", "class"}
SHOWN = {
    *("id", "format", "started_at", "ended_at", "duration_ns", "participants", "segments"),
    *("events", "parts", "metrics", "elements", "holds", "consent", "warnings"),
}
SEGMENT = {
    *("index", "role", "speaker", "start_ns", "end_ns", "decoded_ns"),
    *("text", "truncated", "file"),
}
LATENCY = {
    *("count", "avg_seconds", "p50_seconds", "p95_seconds"),
    *("time_to_first_byte_seconds", "interrupt_response_seconds"),
}
ELEMENT = {"element", "class", "decision", "not_before", "due_by", "reasons"}
PHRASES = ("Where is my parcel", "On its way to the depot")


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder: its mode and its bytes."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            found[name] = (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
    return found


def deposited(answer: Answer) -> dict[str, Any]:
    """The one session of a deposit's answer."""
    (session,) = answer.document["sessions"]
    assert isinstance(session, dict)
    return session


# --- the home ------------------------------------------------------------------------------


def test_init_makes_a_home_that_is_its_owners_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home")
    answer = home.script("init")
    assert answer.document.keys() == {"home", "public_key"}
    assert answer.document["home"] == str(home.folder)
    _name, key_hash, key = answer.document["public_key"].split("+", 2)
    assert (len(bytes.fromhex(key_hash)), len(base64.b64decode(key))) == (4, 33)
    assert not answer.err
    for path in (home.folder, *home.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_init_of_an_existing_home_is_refused_and_changes_nothing(home: Home) -> None:
    home.run("list")
    before = tree(home.folder)
    answer = home.script("init", code=4)
    assert not answer.out
    assert answer.err
    assert tree(home.folder) == before


def test_where_no_home_is_nothing_is_found(tmp_path: Path) -> None:
    home = Home(tmp_path / "nowhere")
    assert "strongroom init" in home.script("list", code=3).err
    assert not home.folder.exists()


def test_home_is_chosen_by_option_before_the_environment(home: Home, tmp_path: Path) -> None:
    elsewhere = Home(tmp_path / "nowhere")
    assert elsewhere.script("list", "--home", home.folder).document == {"sessions": []}


# --- the documents -------------------------------------------------------------------------


def test_every_verb_answers_with_the_document_of_the_contract(home: Home, tmp_path: Path) -> None:
    source = recordings.bundle(tmp_path / "call", PHRASES)
    answer = home.run(
        *("deposit", source, "--subject", "Ann@Example.com", "--subject", "+1 415 555 2671"),
        *("--agent", "helpdesk", "--jurisdiction", "US-CA", "--regime", "ccpa", "--tag", "vip"),
        *("--external-id", "case-77", "--class", "medium"),
        *("--started-at", "2026-01-31T09:30:00+01:00"),
    )
    assert not answer.err
    assert answer.document.keys() == {"sessions", "refused"}
    session = deposited(answer)
    assert session.keys() >= DEPOSITED
    assert session["path"] == str(source)
    assert (session["external_id"], session["format"]) == ("case-77", "scenario")
    assert (session["state"], session["already"]) == ("ready", False)
    assert session["warnings"] == []
    assert {o["name"]: (o["bytes"], o["sha256"]) for o in session["originals"]} == {
        name: (len(content), hashlib.sha256(content).hexdigest())
        for name, content in recordings.files(source).items()
    }

    (listed,) = home.run("list", "--subject", "ann@example.COM").document["sessions"]
    assert listed.keys() >= LISTED
    assert listed["started_at"] == "2026-01-31T08:30:00+00:00"

    shown = home.run("show", session["id"]).document
    assert shown.keys() >= SHOWN
    assert all(segment.keys() >= SEGMENT for segment in shown["segments"])
    assert [segment["text"] for segment in shown["segments"]] == list(PHRASES)
    assert [segment["role"] for segment in shown["segments"]] == ["user", "agent"]
    assert all(e.keys() == {"seq", "type", "offset_ns", "data"} for e in shown["events"])
    part_keys = {"name", "kind", "compartment", "media_type", "bytes", "sha256"}
    assert all(part.keys() >= part_keys for part in shown["parts"])
    assert shown["metrics"]["latency"].keys() == LATENCY
    assert shown["metrics"]["latency"]["avg_seconds"] is None
    assert all(element.keys() >= ELEMENT for element in shown["elements"])
    assert {e["element"] for e in shown["elements"]} == {
        *("original_audio", "transcript", "metadata", "analysis"),
    }
    assert shown["class"] == "medium"

    folder = tmp_path / "back"
    files = home.run("fetch", session["id"], "--originals", "-o", folder).document["files"]
    assert files == session["originals"]
    assert recordings.files(folder) == recordings.files(source)
    part = next(p for p in shown["parts"] if p["name"].startswith("playback/"))
    fetched = home.run(
        *("fetch", session["id"], "--part", part["name"], "-o", tmp_path / "one.opus"),
        *("--reason", "a complaint"),
    )
    (file,) = fetched.document["files"]
    assert file.keys() == {"name", "bytes", "sha256"}
    assert (file["bytes"], file["sha256"]) == (part["bytes"], part["sha256"])
    assert hashlib.sha256((tmp_path / "one.opus").read_bytes()).hexdigest() == part["sha256"]

    exported = home.run("export", session["id"], "--format", "wav", "-o", tmp_path / "x.wav")
    assert exported.document.keys() >= {"files", "records", "warnings"}
    assert (tmp_path / "x.wav").read_bytes()[:4] == b"RIFF"


def test_filters_find_only_what_meets_all_of_them(home: Home, tmp_path: Path) -> None:
    one = recordings.recording(tmp_path / "one.wav", seed=1)
    other = recordings.recording(tmp_path / "other.wav", seed=2)
    first = deposited(
        home.run(
            *("deposit", one, "--no-wait", "--subject", "+49 30 901820", "--tag", "Red"),
            *("--agent", "Ada", "--jurisdiction", "DE", "--started-at", "2026-01-01T00:00:00Z"),
        )
    )
    assert first["state"] == "sealed"
    second = deposited(home.run("deposit", other, "--no-wait", "--tag", "red"))

    def found(*filters: str) -> set[str]:
        return {s["id"] for s in home.run("list", *filters).document["sessions"]}

    assert found("--tag", "red") == {first["id"], second["id"]}
    assert found("--tag", "red", "--subject", "+4930901820") == {first["id"]}
    assert found("--tag", "red", "--subject", "nobody") == set()
    assert found("--agent", "ada", "--jurisdiction", "DE", "--state", "sealed") == {first["id"]}
    assert found("--to", "2026-01-01T00:00:00Z") == set()
    assert found("--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T00:00:01Z") == {first["id"]}
    assert found("--limit", "1") == {second["id"]}


def test_verbs_on_the_archive_answer_with_the_document_of_the_contract(
    home: Home, tmp_path: Path
) -> None:
    home.run("deposit", recordings.recording(tmp_path / "a.wav"))
    status = home.run("keys", "status").document
    assert status.keys() >= {"generations", "records", "oldest_backup_horizon"}
    before = {g["bucket"]: g["generation"] for g in status["generations"]}
    rotated = home.run("keys", "rotate", "--root").document
    assert rotated["records"] == status["records"] == len(Compartment)
    after = home.run("keys", "status").document["generations"]
    active = {g["bucket"]: g["generation"] for g in after if g["state"] == "active"}
    assert active == {b: n if b == "tenant" else n + 1 for b, n in before.items()}
    assert len({g["root"] for g in after if g["root"] is not None}) == 1
    fixity = home.run("fixity", "--all").document
    assert fixity.keys() >= {"checked", "damaged", "missing"}
    assert (fixity["checked"], fixity["damaged"], fixity["missing"]) == (3, [], [])
    checks = {c["name"]: c for c in home.run("doctor").document["checks"]}
    assert all(c.keys() == {"name", "ok", "detail"} for c in checks.values())
    assert checks["store-reachable"]["ok"]
    assert checks["ffmpeg"]["ok"]
    warned = {name for name, check in checks.items() if not check["ok"]}
    assert any("passphrase" in name for name in warned)
    assert any("lock" in name for name in warned)


def test_json_may_stand_before_or_after_the_verb_and_is_alone_on_standard_output(
    home: Home, tmp_path: Path
) -> None:
    for arguments in (("--json", "list"), ("list", "--json")):
        assert json.loads(ended(home.start(*arguments)).out) == {"sessions": []}
    good = recordings.recording(tmp_path / "good.wav")
    answer = ended(home.start("deposit", good, tmp_path / "missing.wav", "--json"), 7)
    assert [r["path"] for r in answer.document["refused"]] == [str(tmp_path / "missing.wav")]
    assert "missing.wav" in answer.err
    spoken = ended(home.start("deposit", good, tmp_path / "missing.wav"), 7)
    assert "refused" in spoken.err
    assert "refused" not in spoken.out


# --- exit codes ----------------------------------------------------------------------------


MISUNDERSTOOD = (
    "deposit {file} --format betamax",
    "deposit {missing} --format betamax",
    "deposit {file} --privacy-level some",
    "deposit {file} --regime magna-carta",
    "deposit {file} --jurisdiction Atlantis",
    "deposit {file} --class forever",
    "deposit {file} --started-at yesterday",
    "deposit {file} --started-at 2026-01-01T00:00:00",
    "deposit {file} --started-at 9999-12-31T23:59:59Z",
    "deposit {file} --colour red",
    "deposit",
    "list --state lost",
    "list --format betamax",
    "list --limit 0",
    "replay {id} --at nan",
    "replay {id} --at 1e300",
    "exchanges --shortest 1e300",
    "schedule add s session_summary -o {out} --every inf",
    "schedule add s session_summary -o {out} --every 1e300",
    "schedule add s session_summary -o {out} --last-days nan",
    "schedule add s session_summary -o {out} --last-days 1e9",
    "list --from 0001-01-01T00:00:00+23:00",
    "export {id} --format betamax -o {out}",
    "export {id} --format wav --audio quadrophonic -o {out}",
    "fetch {id} -o {out}",
    "fetch {id} --originals --part a.wav -o {out}",
    "fetch {id} --part a.wav -o {folder}",
    "fetch {id} --part a.wav -o {missing}/out",
    "fetch {id} --originals -o {file}",
    "export {id} --format wav -o {folder}",
    "export {id} --format json -o {missing}/out",
    "export {id} --format scenario -o {file}",
    "actor add eve --role emperor",
    "actor add eve --role owner",
    "frobnicate",
)
UNKNOWN = "01900000-0000-7000-8000-000000000000"
NOT_THERE = (
    f"show {UNKNOWN}",
    "show no-id-at-all",
    f"fetch {UNKNOWN} --originals -o {{out}}",
    "fetch {id} --part no-such-part -o {out}",
    f"export {UNKNOWN} --format wav -o {{out}}",
    "list --actor no-such-actor",
)


@pytest.fixture(scope="module")
def one_session(_first_home: Home, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, str]:
    """A home with one session, and the session's id. Nothing here may change it."""
    folder = tmp_path_factory.mktemp("one")
    home = _first_home.copy(folder / "home")
    file = recordings.recording(folder / "a.wav", seed=1)
    return home, str(deposited(home.run("deposit", file))["id"])


@pytest.mark.parametrize(
    ("commands", "code"), [(MISUNDERSTOOD, 2), (NOT_THERE, 3)], ids=["misunderstood", "not there"]
)
def test_what_cannot_be_understood_ends_with_2_and_what_is_not_there_with_3(
    one_session: tuple[Home, str], tmp_path: Path, commands: tuple[str, ...], code: int
) -> None:
    home, session_id = one_session
    out = tmp_path / "out"
    file = recordings.recording(tmp_path / "file.wav", seed=9)
    names = {"file": file, "id": session_id, "out": out, "missing": tmp_path / "no"}
    names["folder"] = recordings.bundle(tmp_path / "call", ()).parent

    answers = {c: home.run(*c.format(**names).split(), code=None) for c in commands}
    assert {c: a.code for c, a in answers.items()} == dict.fromkeys(commands, code)
    assert [c for c, a in answers.items() if a.out or not a.err or "Traceback" in a.err] == []
    assert list(tmp_path.glob("*out*")) == []
    assert len(home.objects()) == 3


def test_damage_ends_with_5_and_nothing_is_written(home: Home, tmp_path: Path) -> None:
    session = deposited(home.run("deposit", recordings.recording(tmp_path / "a.wav"), "--no-wait"))
    (stored,) = home.objects()
    stored.chmod(0o600)
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(content)
    out = tmp_path / "out"
    for how in (("--originals",), ("--part", "a.wav")):
        answer = home.script("fetch", session["id"], *how, "-o", out, code=5)
        assert not answer.out
    home.run("export", session["id"], "--format", "wav", "-o", out, code=5)
    assert list(tmp_path.glob("*out*")) == []
    report = home.run("fixity", "--all", code=5).document
    assert (len(report["damaged"]), report["missing"]) == (1, [])
    stored.unlink()
    home.run("fetch", session["id"], "--originals", "-o", out, code=5)
    report = home.run("fixity", code=5).document
    assert (report["damaged"], len(report["missing"])) == ([], 1)
    assert list(tmp_path.glob("*out*")) == []


def test_a_back_end_that_is_away_ends_with_6(home: Home, tmp_path: Path) -> None:
    file = recordings.recording(tmp_path / "a.wav")
    (home.folder / "objects").rename(tmp_path / "unmounted")
    answer = home.script("deposit", file, code=6)
    assert answer.document["sessions"] == []
    assert [r["path"] for r in answer.document["refused"]] == [str(file)]
    assert home.run("doctor", code=6).document["checks"]
    (tmp_path / "unmounted").rename(home.folder / "objects")
    (home.folder / "catalogue.db").rename(tmp_path / "catalogue.db")
    home.run("list", code=6)
    (tmp_path / "catalogue.db").rename(home.folder / "catalogue.db")
    home.run("deposit", file)


@pytest.mark.parametrize(
    "content", [b"", b"not a recording", b"RIFF\x00\x00\x00\x00WAVE", b"\0" * 5000]
)
def test_bad_input_ends_with_7_and_nothing_is_stored(
    home: Home, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "bad.wav"
    file.write_bytes(content)
    answer = home.run("deposit", file, code=7)
    assert answer.document["sessions"] == []
    assert [r["path"] for r in answer.document["refused"]] == [str(file)]
    assert home.objects() == []


@pytest.mark.parametrize("name", ["../full.wav", "/etc/hostname", "segments/../../x.wav"])
def test_a_manifest_that_points_outside_ends_with_7(home: Home, tmp_path: Path, name: str) -> None:
    source = recordings.bundle(tmp_path / "call", PHRASES)
    manifest = json.loads((source / "manifest.json").read_text())
    manifest["segments"][0]["file"] = name
    (source / "manifest.json").write_text(json.dumps(manifest))
    assert home.run("deposit", source, code=7).document["sessions"] == []
    assert home.objects() == []


def test_links_and_pipes_in_a_bundle_end_with_7(home: Home, tmp_path: Path) -> None:
    secret = recordings.recording(tmp_path / "secret.wav")
    linked = recordings.bundle(tmp_path / "linked", PHRASES)
    (linked / "segments" / "02-user-9999ms.wav").symlink_to(secret)
    piped = recordings.bundle(tmp_path / "piped", PHRASES)
    os.mkfifo(piped / "segments" / "02-user-9999ms.wav")
    answer = home.script("deposit", linked, piped, "/dev/zero", code=7)
    assert answer.document["sessions"] == []
    assert len(answer.document["refused"]) == 3
    assert home.objects() == []


# --- media and privacy ---------------------------------------------------------------------


def test_mislabelled_media_is_kept_with_a_warning(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "speech.mp3"
    file.write_bytes(recordings.noise(0.3))
    session = deposited(home.run("deposit", file, "--subject", "x"))
    assert session["format"] == "wav"
    assert [w["code"] for w in session["warnings"]] == ["mislabelled-media"]
    assert session["originals"][0]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_missing_and_orphan_segment_files_are_warnings_one_each(home: Home, tmp_path: Path) -> None:
    source = recordings.bundle(tmp_path / "call", PHRASES)
    (source / "segments" / "00-user-0000ms.wav").unlink()
    recordings.recording(source / "segments" / "07-user-7000ms.wav", seed=70)
    session = deposited(home.run("deposit", source, "--subject", "x"))
    assert {(w["code"], w.get("file")) for w in session["warnings"]} == {
        ("missing-file", "segments/00-user-0000ms.wav"),
        ("orphan-file", "segments/07-user-7000ms.wav"),
    }
    assert "segments/07-user-7000ms.wav" in {o["name"] for o in session["originals"]}


def test_who_names_nobody_is_warned_that_consent_is_unknown(home: Home, tmp_path: Path) -> None:
    file = recordings.recording(tmp_path / "a.wav")
    session = deposited(home.run("deposit", file, "--no-wait"))
    assert [w["code"] for w in session["warnings"]] == ["consent-unknown"]
    strict = home.run("deposit", file, code=4, STRONGROOM_CONSENT="required")
    assert strict.document["sessions"] == []


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("CONSENT", "REQUIRED", "'optional' or 'required'"),
        ("DEFAULT_CLASS", "for ever", "permanent"),
        ("RECORDING_PRIVACY_LEVEL", "none", "audio_only"),
        ("RECORDING_CHANNELS", "two", "cannot be read"),
    ],
)
def test_a_setting_that_cannot_be_stops_everything(
    home: Home, tmp_path: Path, variable: str, value: str, told: str
) -> None:
    file = recordings.recording(tmp_path / "a.wav")
    home.extra[f"STRONGROOM_{variable}"] = value
    refused = home.run("deposit", file, code=2)
    assert f"STRONGROOM_{variable}" in refused.err
    assert told in refused.err
    assert home.objects() == []


def test_an_empty_setting_is_none(home: Home, tmp_path: Path) -> None:
    file = recordings.recording(tmp_path / "a.wav")
    home.extra |= {f"STRONGROOM_{n}": "" for n in ("BROKER_URL", "PASSPHRASE_FILE", "STORE_URL")}
    home.run("deposit", file, "--no-wait")
    assert home.objects()


@pytest.mark.parametrize("line", [("deposit", ""), ("list", "--home", ""), ("--home=", "list")])
def test_an_empty_path_is_not_the_folder_one_is_in(home: Home, line: tuple[str, ...]) -> None:
    assert "is empty" in home.run(*line, code=2).err


def test_a_filter_by_what_does_not_exist_is_no_empty_answer(home: Home) -> None:
    for line in (("--class", "foo"), ("--jurisdiction", "us-ca"), ("--state", "lost")):
        home.run("list", *line, code=2)
    home.run("list", "--class", "long", "--jurisdiction", "US-CA")


def test_an_answer_that_cannot_be_printed_is_told(home: Home) -> None:
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(
            [SCRIPT, "list", "--json"],
            env=home.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
        _, told = process.communicate(timeout=60)
    assert process.returncode == 6
    assert told == "strongroom: The answer cannot be written: No space left on device.\n"


def test_a_home_that_names_no_archive_is_damaged(home: Home) -> None:
    path = home.folder / "home.json"
    written = json.loads(path.read_bytes())
    del written["archive_id"]
    path.write_text(json.dumps(written), encoding="utf-8")
    assert "damaged" in home.run("list", code=6).err


@pytest.mark.parametrize(
    ("level", "audio", "transcript"),
    [
        ("full", True, True),
        ("audio_only", True, False),
        ("transcript_only", False, True),
        ("metadata_only", False, False),
    ],
)
def test_a_privacy_level_binds_the_originals_too(
    home: Home, tmp_path: Path, level: str, audio: bool, transcript: bool
) -> None:
    source = recordings.bundle(tmp_path / "call", PHRASES)
    arguments = ("deposit", source, "--subject", "x", "--privacy-level", level)
    session = deposited(home.run(*arguments))
    names = set(recordings.files(source))
    sounds = {name for name in names if name.endswith(".wav")}
    kept = {o["name"] for o in session["originals"]}
    assert kept == (sounds if audio else set()) | ({"manifest.json"} if transcript else set())
    assert {w["file"] for w in session["warnings"]} == names - kept
    shown = home.run("show", session["id"]).document
    assert len(shown["segments"]) == len(PHRASES)
    said = [s["text"] for s in shown["segments"]]
    assert said == (list(PHRASES) if transcript else [None, None])
    assert any(p["kind"] == "audio" for p in shown["parts"]) is audio
    out = tmp_path / "out"
    code = 0 if kept else 3
    home.run("fetch", session["id"], "--originals", "-o", out, code=code)
    assert out.exists() == bool(kept)
    assert deposited(home.run(*arguments))["already"] is True


def test_the_level_disabled_stores_nothing_and_is_refused(home: Home, tmp_path: Path) -> None:
    file = recordings.recording(tmp_path / "a.wav")
    answer = home.run("deposit", file, "--privacy-level", "disabled", code=4)
    assert answer.document["sessions"] == []
    assert [r.keys() >= {"path", "error"} for r in answer.document["refused"]] == [True]
    assert home.objects() == []
    assert home.run("list").document == {"sessions": []}


# --- roles ---------------------------------------------------------------------------------


def test_roles_may_do_what_the_contract_gives_them_and_no_more(home: Home, tmp_path: Path) -> None:
    added = home.run("actor", "add", "bot", "--role", "agent").document
    assert added.keys() == {"name", "role", "token"}
    assert (added["name"], added["role"]) == ("bot", "agent")
    everything = b"".join(p.read_bytes() for p in home.folder.rglob("*") if p.is_file())
    assert added["token"].encode() not in everything
    home.run("actor", "add", "bot", "--role", "agent", code=7)
    for role in ("auditor", "admin", "officer"):
        home.run("actor", "add", role, "--role", role)
    theirs = deposited(home.run("deposit", recordings.recording(tmp_path / "a.wav"), "--no-wait"))
    own_file = recordings.recording(tmp_path / "b.wav", seed=2)
    own = deposited(home.run("deposit", own_file, "--no-wait", "--actor", "bot"))
    out = tmp_path / "out"

    def may(actor: str, *arguments: str | Path, code: int = 0) -> Answer:
        return home.run(*arguments, "--actor", actor, code=code)

    assert [s["id"] for s in may("bot", "list").document["sessions"]] == [own["id"]]
    may("bot", "show", own["id"])
    may("bot", "show", theirs["id"], code=4)
    may("bot", "fetch", theirs["id"], "--originals", "-o", out, code=4)
    may("bot", "keys", "status", code=4)
    may("auditor", "fetch", own["id"], "--originals", "-o", out, code=4)
    may("auditor", "show", own["id"], code=4)
    may("auditor", "deposit", own_file, code=4)
    may("auditor", "fixity")
    for role in ("auditor", "admin", "officer"):
        may(role, "fixity", "--repair", code=4)
    home.run("fixity", "--repair")
    assert may("auditor", "list").document["sessions"] == []
    may("admin", "export", own["id"], "--format", "wav", "-o", out, code=4)
    may("admin", "keys", "rotate")
    assert not out.exists()
    may("officer", "fetch", own["id"], "--originals", "-o", out)
    may("officer", "keys", "rotate", code=4)


def test_an_agent_that_deposits_what_is_there_already_learns_nothing_about_it(
    home: Home, tmp_path: Path
) -> None:
    home.run("actor", "add", "bot", "--role", "agent")
    file = recordings.recording(tmp_path / "a.wav")
    terms = ("--external-id", "case-of-ann", "--no-wait")
    home.run("deposit", file, *terms)
    answer = home.run("deposit", file, "--no-wait", "--actor", "bot")
    assert deposited(answer)["already"] is True
    assert "case-of-ann" not in answer.out


# --- a home with a passphrase or a test clock ----------------------------------------------


def test_a_home_with_a_passphrase_opens_with_it_alone(tmp_path: Path) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery staple\n")
    wrong = tmp_path / "wrong"
    wrong.write_text("incorrect horse\n")
    home = Home(tmp_path / "home")
    empty = tmp_path / "empty"
    empty.touch()
    for none in (tmp_path / "missing", tmp_path, empty):
        assert "passphrase file" in home.run("init", "--passphrase-file", none, code=2).err
        assert not home.folder.exists()
    home.run("init", "--passphrase-file", passphrase, STRONGROOM_PASSPHRASE="of the environment")
    home.run("list", code=6)
    home.run("fixity", "--all", code=6)  # no session's key, but the root key to know who asks
    home.run("list", code=6, STRONGROOM_PASSPHRASE_FILE=str(wrong))
    home.run("list", STRONGROOM_PASSPHRASE_FILE=str(passphrase))


def test_a_keyring_is_put_under_a_first_passphrase_and_under_another(
    home: Home, tmp_path: Path
) -> None:
    home.run("actor", "add", "bot", "--role", "agent")
    session = deposited(home.run("deposit", recordings.recording(tmp_path / "a.wav"), "--no-wait"))
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("correct horse\n")
    second.write_text("battery staple\n")
    changing = ("keys", "passphrase", "--new-file")
    home.run(*changing, first, "--actor", "bot", code=4)
    empty = tmp_path / "empty"
    empty.touch()
    for wrong in (tmp_path / "missing", tmp_path, empty):
        assert "passphrase file" in home.run(*changing, wrong, code=2).err
    home.run("list")
    assert home.run(*changing, first).document == {"kms": "keyring://", "passphrase": "set"}
    assert "STRONGROOM_PASSPHRASE_FILE" in home.run("list", code=6).err
    home.run(*changing, second, code=6)
    same = home.run(*changing, first, code=2, STRONGROOM_PASSPHRASE_FILE=str(first))
    assert (same.out, "that passphrase already" in same.err) == ("", True)
    changed = home.run(*changing, second, STRONGROOM_PASSPHRASE_FILE=str(first)).document
    assert changed == {"kms": "keyring://", "passphrase": "changed"}
    home.run("list", code=6, STRONGROOM_PASSPHRASE_FILE=str(first))
    home.extra["STRONGROOM_PASSPHRASE_FILE"] = str(second)
    home.run("show", session["id"])
    assert not any(
        word in p.read_bytes()
        for p in home.folder.rglob("*")
        if p.is_file()
        for word in (b"correct horse", b"battery staple")
    )


def test_a_test_clock_tells_the_time_only_in_a_home_made_for_it(tmp_path: Path) -> None:
    now = "2031-05-06T07:08:09+00:00"
    file = recordings.recording(tmp_path / "a.wav")
    fake, real = Home(tmp_path / "fake"), made(tmp_path / "real")
    fake.run("init", "--test-clock", STRONGROOM_TEST_NOW=now)
    before = datetime.now(UTC)
    for home in (fake, real):
        home.run("deposit", file, STRONGROOM_TEST_NOW=now)
    after = datetime.now(UTC)

    def deposited_at(home: Home) -> datetime:
        (session,) = home.run("list").document["sessions"]
        return datetime.fromisoformat(session["deposited_at"])

    assert deposited_at(fake) == datetime.fromisoformat(now)
    assert before <= deposited_at(real) <= after
