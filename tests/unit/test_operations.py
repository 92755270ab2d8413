"""The parts of operations that decide something without touching anything."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from policies.model import CLASSES
from vault.errors import BackendError, BadInput, NotFound, Refused, UsageError
from vault.model import Kind, PrivacyLevel, State
from vault.operations.actors import ROLES, may_read, permit
from vault.operations.admission import Terms
from vault.operations.keys import bucket_of
from vault.operations.spelling import normalise
from vault.settings import HOME_FILE, load, read_home


@pytest.mark.parametrize(
    ("class_name", "bucket"),
    [
        ("short", "short/2026-01"),
        ("medium", "medium/2026-02"),
        ("long", "long/2027-01"),
        ("permanent", "permanent"),
    ],
)
def test_a_bucket_is_named_for_its_class_and_the_month_it_ends(
    class_name: str, bucket: str
) -> None:
    assert bucket_of(CLASSES[class_name], datetime(2026, 1, 24, tzinfo=UTC)) == bucket


@pytest.mark.parametrize(
    ("given", "alike"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        ("  ann@example.com ", "ann@example.com"),
        ("+44 20 7946 0958", "+442079460958"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("STRASSE", "straße"),
        ("ﬁnn", "finn"),
        ("+nonsense", "+NONSENSE"),
    ],
)
def test_a_subject_is_found_however_it_is_spelled(given: str, alike: str) -> None:
    assert normalise("subject", given) == normalise("subject", alike)


def test_an_empty_subject_is_bad_input() -> None:
    with pytest.raises(BadInput):
        normalise("subject", " \u3000")


@pytest.mark.parametrize("level", list(PrivacyLevel))
def test_a_privacy_level_keeps_sound_and_words_only_if_it_says_so(level: PrivacyLevel) -> None:
    assert (Kind.AUDIO in level.keeps) is (level in ("full", "audio_only"))
    assert (Kind.TRANSCRIPT in level.keeps) is (level in ("full", "transcript_only"))
    # What nobody can look into may hold either.
    assert (Kind.OTHER in level.keeps) is (level == "full")


@pytest.mark.parametrize(
    "terms",
    [
        Terms(format="betamax"),
        Terms(class_name="forever"),
        Terms(regimes=["gdpr", "magna-carta"]),
        Terms(jurisdictions=["de"]),
        Terms(jurisdictions=["US-CALI"]),
        Terms(started_at=datetime(2026, 1, 1)),  # noqa: DTZ001  what is refused
        Terms(started_at=datetime(9999, 12, 31, tzinfo=UTC)),  # it would end past the calendar
        Terms(started_at=datetime(1969, 12, 31, tzinfo=UTC)),
    ],
)
def test_terms_that_mean_nothing_are_usage_errors(terms: Terms) -> None:
    with pytest.raises(UsageError):
        terms.check()


def test_terms_that_mean_something_are_taken() -> None:
    Terms(
        format="wav",
        class_name="permanent",
        regimes=["gdpr", "bipa"],
        jurisdictions=["DE", "US-CA", "GB-ENG"],
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
    ).check()


def acting(role: str) -> Any:
    return SimpleNamespace(actor=SimpleNamespace(id="me", role=role))


def test_only_those_who_may_read_read_and_an_agent_only_its_own() -> None:
    mine: Any = SimpleNamespace(deposited_by="me", state=State.READY)
    other: Any = SimpleNamespace(deposited_by="another", state=State.READY)
    readers = {role for role in ROLES if may_read(acting(role), other)}
    assert readers == {"owner", "officer", "dpo"}
    assert {role for role in ROLES if may_read(acting(role), mine)} == {*readers, "agent"}
    depositors = {role for role, acts in ROLES.items() if "deposit" in acts}
    assert depositors == {"owner", "agent"}
    for role in ROLES:
        with pytest.raises(Refused):
            permit(acting(role), "nothing that exists")


# --- settings ------------------------------------------------------------------------------


def test_settings_come_from_arguments_then_environment_then_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / HOME_FILE).write_text('{"settings": {"store_url": "file://a", "kms_url": "k://"}}')
    monkeypatch.setenv("STRONGROOM_HOME", "/nowhere")
    monkeypatch.setenv("STRONGROOM_STORE_URL", "s3://b")
    settings = load(tmp_path)
    assert (settings.folder, settings.store_url) == (tmp_path, "s3://b")
    assert settings.kms_url == "k://"
    assert settings.catalogue_url == "sqlite://"


def test_a_setting_that_cannot_be_is_named_and_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_REDELIVER_SECONDS", "hunter2")
    with pytest.raises(UsageError, match="STRONGROOM_REDELIVER_SECONDS") as refused:
        load()
    assert "hunter2" not in str(refused.value)


def test_a_passphrase_shows_in_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", "hunter2")
    assert "hunter2" not in repr(load(Path("/nowhere")))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_home_is_a_back_end_error_and_a_missing_one_not_found(
    tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(NotFound):
        read_home(tmp_path)
    (tmp_path / HOME_FILE).write_bytes(content)
    with pytest.raises(BackendError):
        read_home(tmp_path)
