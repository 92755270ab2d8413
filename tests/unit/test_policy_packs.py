"""Packs: what comes with strongroom is complete, and what others wrote is read with suspicion."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from policies.calendar import Period
from policies.classes import class_named, loosened
from policies.decide import decide
from policies.errors import FactsError, PackError
from policies.facts import facts_of
from policies.model import REGIMES, Element, Facts, Kind, RetentionClass
from policies.pack import applying, document, load, packaged, read

RULE = {
    "id": "house-voice",
    "kind": "max",
    "text": "Voiceprints are kept for a week.",
    "citation": "House rule 7",
    "status": "verified",
    "effective_from": "2020-01-01",
    "reviewed_at": "2026-11-01",
    "period": "P7D",
    "elements": ["voiceprint"],
}


def written(**fields: object) -> dict[str, Any]:
    whole = {"name": "house", "version": "1", "title": "House", "zone": "UTC", "rules": [RULE]}
    return {**whole, **fields}


def test_every_regime_that_a_deposit_may_name_has_a_pack() -> None:
    assert set(packaged()) >= REGIMES | {"sox", "recording-consent", "default"}


@pytest.mark.parametrize("name", sorted(packaged()))
def test_a_packaged_pack_is_cited_reviewed_and_reads_back_from_its_json(name: str) -> None:
    pack = packaged()[name]
    assert all(r.citation and r.text.endswith(".") for r in pack.rules)
    through_json = json.loads(json.dumps(document(pack)))
    assert read(through_json) == pack
    assert load(json.dumps(document(pack)).encode()) == pack


def test_hipaas_six_years_cover_no_recording() -> None:
    rule = next(r for r in packaged()["hipaa"].rules if r.kind is Kind.MIN)
    assert (str(rule.period), rule.elements) == ("P6Y", frozenset())


def _rule(**fields: object) -> dict[str, Any]:
    return written(rules=[{**RULE, **fields}])


def _without(*names: str) -> dict[str, Any]:
    return written(rules=[{k: v for k, v in RULE.items() if k not in names}])


@pytest.mark.parametrize(
    ("pack", "names"),
    [
        (_without("citation"), "citation"),
        (_rule(citation=" "), "citation"),
        (_without("reviewed_at"), "reviewed_at"),
        (_without("effective_from"), "effective_from"),
        (_without("period"), "period"),
        (_without("elements"), "elements"),
        (_without("status"), "status"),
        (_rule(status="overdue"), "status"),
        (_rule(period="1 year"), "period"),
        (_rule(period=7), "period"),
        (_rule(elements=["audio"]), "elements"),
        (_rule(kind="deadline"), "step"),
        (_rule(trigger="receipt"), "trigger"),
        (_rule(effective_to="2019-01-01"), "effective_to"),
        (_rule(effective_from="yesterday"), "effective_from"),
        (_rule(colour="red"), "colour"),
        (_rule(jurisdiction="California"), "jurisdiction"),
        (_rule(text="\x1b[2Jgone"), "text"),
        (_rule(text="x" * 1001), "text"),
        (_rule(business=True, period="P1M"), "period"),
        (written(rules=[RULE, {**RULE, "effective_from": "2025-01-01"}]), "effective_from"),
        (written(classes=[{"name": "a", "period": "P1D"}] * 2), "classes"),
        (written(classes=[{"name": "a"}]), "period"),
        (written(classes=[{"name": "a", "period": "P1D", "locked": "yes"}]), "locked"),
        (written(zone="Middle/Earth"), "zone"),
        (written(zone="../../etc/passwd"), "zone"),
        (written(name="../house"), "name"),
        (written(name=None), "name"),
        (written(jurisdictions=["*", "eu"]), "jurisdictions"),
        (written(rules="none"), "rules"),
        (written(rules=["none"]), "rule"),
        (written(extra=1), "extra"),
    ],
)
def test_a_pack_that_cannot_be_used_is_refused_and_the_field_is_named(
    pack: dict[str, Any], names: str
) -> None:
    with pytest.raises(PackError, match=names) as refusal:
        read(pack)
    assert str(refusal.value).endswith(".")
    assert str(refusal.value).isprintable()


def test_versions_of_a_rule_may_follow_each_other() -> None:
    old = {**RULE, "effective_to": "2025-01-01"}
    new = {**RULE, "effective_from": "2025-01-01", "period": "P3D"}
    assert len(read(written(rules=[old, new])).rules) == 2


@pytest.mark.parametrize(
    "raw",
    [
        b"a: &x [1]\nb: *x\n",
        b"a: &x 1\n",
        b"!!python/object/apply:os.system ['true']\n",
        b"name: !!str house\n",
        b"name: a\nname: b\n",
        b'{"name": "a", "name": "b"}',
        b"? [a]\n: b\n",
        b"name: a\n---\nname: b\n",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"- a\n",
        b"",
        b"\xff\xfe",
        b"name: [",
        b"{" + b" " * 300_000,
        b"<<: {name: a}\n",
        b'{"name": "\\ud800"}',
    ],
)
def test_a_clever_or_broken_file_is_no_pack(raw: bytes) -> None:
    with pytest.raises(PackError):
        load(raw)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"title: &x [1]\nzone: *x\n", "anchors"),
        (b"title: &x text\n", "anchors"),
        (b"title: !!str text\n", "tags"),
        (b"title: a\ntitle: b\n", "twice"),
        (b'{"title": "a", "title": "b"}', "twice"),
        (b"rules: " + b"[" * 20 + b"]" * 20, "deeply"),
        (b"x" * 300_000, "larger"),
    ],
)
def test_a_clever_file_is_told_what_is_not_taken(raw: bytes, why: str) -> None:
    with pytest.raises(PackError, match=why):
        load(raw)


def test_in_yaml_text_stays_text() -> None:
    lines = ["name: house", "version: 1.10", "title: yes", "zone: UTC", "jurisdictions: [NO, DE]"]
    pack = load("\n".join(lines).encode())
    assert (pack.version, pack.title, pack.jurisdictions) == ("1.10", "yes", ("NO", "DE"))


def test_a_pack_of_the_users_decides_with_the_others() -> None:
    given = facts_of(
        {"started_at": "2026-11-01", "class": "long", "elements": ["voiceprint", "transcript"]}
    )
    packs = {**packaged(), "house": read(written(jurisdictions=["*"]))}
    found = decide(Element.VOICEPRINT, given, packs, datetime(2026, 11, 9, tzinfo=UTC))
    assert (found.action, found.reasons[0].citation) == ("DESTROY", "House rule 7")


def test_a_rule_binds_from_its_first_day_to_before_its_last() -> None:
    given = facts_of({"started_at": "2024-12-01", "class": "permanent"})
    rule = {**RULE, "effective_from": "2025-01-01", "effective_to": "2025-02-01"}
    pack = read(written(zone="America/Los_Angeles", jurisdictions=["*"], rules=[rule]))
    packs = {"house": pack}

    def action(text: str) -> tuple[str, datetime | None]:
        found = decide(Element.VOICEPRINT, given, packs, datetime.fromisoformat(text))
        return found.action, found.changes_at

    first, last = "2025-01-01T08:00:00+00:00", "2025-02-01T08:00:00+00:00"
    assert action("2025-01-01T07:59:59+00:00") == ("RETAIN", datetime.fromisoformat(first))
    assert action(first) == ("DESTROY", datetime.fromisoformat(last))
    assert action(last) == ("RETAIN", None)


def test_packs_bind_by_regime_by_place_and_by_what_was_heard() -> None:
    def bound(**fields: object) -> set[str]:
        return {pack.name for pack in applying(packaged(), Facts(None, **fields))}  # type: ignore[arg-type]  # whatever the case gives

    always = {"default", "recording-consent"}
    assert bound() == always
    assert bound(regimes=("hipaa",)) == {*always, "hipaa"}
    assert bound(jurisdictions=("FR",)) == {*always, "gdpr"}
    assert bound(jurisdictions=("US-CA", "GB")) == {*always, "ccpa", "uk-gdpr"}
    assert bound(jurisdictions=("US-DE",)) == always
    assert bound(sensitive=frozenset({Element.METADATA})) == {*always, "pci-dss"}


def _with(*classes: RetentionClass) -> dict[str, Any]:
    return {"house": replace(read(written()), classes=classes)}


def test_a_locked_class_only_gets_tighter() -> None:
    locked = RetentionClass("mail", Period(72), locked=True)
    before = _with(locked)
    assert loosened(before, before) == ()
    assert loosened(before, _with(replace(locked, period=Period(84)))) == ()
    assert loosened(before, _with(replace(locked, period=None))) == ()
    for looser in (replace(locked, period=Period(60)), replace(locked, locked=False)):
        assert loosened(before, _with(looser)) == ("mail",)
    assert loosened(before, {}) == ("mail",)
    later = {**before, "later": replace(before["house"], name="later", classes=(looser,))}
    assert class_named("mail", later) == locked


# Facts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("started_at", "yesterday", "started_at"),
        ("started_at", "2026-01-01T10:00:00", "started_at"),
        ("started_at", 1767225600, "started_at"),
        ("jurisdictions", "EU", "jurisdictions"),
        ("jurisdictions", ["Europe"], "jurisdictions"),
        ("elements", ["sound"], "elements"),
        ("consent", "maybe", "consent"),
        ("holds", [{"id": "H", "state": "forgotten"}], "Hold 1: state"),
        ("holds", "H", "holds"),
        ("requests", [{"type": "erasure"}], "Request 1: regime"),
        ("requests", [{"type": "forgetting", "regime": "gdpr"}], "Request 1: type"),
        ("requests", [{"type": "erasure", "regime": "gdpr", "granted": "yes"}], "granted"),
        ("requests", [{"type": "erasure", "regime": "gdpr", "paused_days": -1}], "paused_days"),
        ("minimums", [{"element": "transcript"}], "A minimum: period"),
        ("colour", "red", "colour"),
    ],
)
def test_facts_that_cannot_be_used_are_refused_and_the_field_is_named(
    name: str, value: object, named: str
) -> None:
    with pytest.raises(FactsError, match=named):
        facts_of({"started_at": "2026-01-01T00:00:00Z", name: value})


def test_facts_that_are_not_there_are_not_known() -> None:
    found = facts_of({})
    assert found == Facts(started_at=None)
    assert facts_of({"holds": ["H"], "class": "long"}).holds[0].id == "H"
