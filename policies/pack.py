"""Policy packs: read, checked and written; data that others may have written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from importlib import resources
from types import MappingProxyType

from policies.calendar import zone
from policies.errors import PackError, PeriodError
from policies.fields import Fields
from policies.jurisdiction import within
from policies.model import (
    ELEMENTS,
    Element,
    Facts,
    Kind,
    Pack,
    RequestType,
    RetentionClass,
    Rule,
    Status,
    Step,
    Trigger,
)
from policies.text import parse

#: The events that a rule's minimum or maximum may be counted from.
EVENTS = frozenset(
    {Trigger.STARTED, Trigger.ENDED, Trigger.LAST_INTERACTION, Trigger.PURPOSE_SATISFIED}
)
PARTIES = frozenset({"one", "all", "mixed"})
CONFIDENCES = frozenset({"verified", "disputed", "mixed"})
#: The kinds of rules that are about elements of a session.
_BOUNDING = frozenset({Kind.MIN, Kind.MAX, Kind.PROHIBIT})


@lru_cache(maxsize=1)
def packaged() -> Mapping[str, Pack]:
    """The packs that come with strongroom, by name."""
    folder = resources.files("policies") / "packs"
    found = (load(f.read_bytes()) for f in folder.iterdir() if f.name.endswith(".yaml"))
    return MappingProxyType({pack.name: pack for pack in sorted(found, key=lambda p: p.name)})


def load(raw: bytes) -> Pack:
    """The pack in the bytes of a YAML or JSON file. Raises `PackError`."""
    return read(parse(raw))


def read(document: Mapping[str, object]) -> Pack:
    """The pack that `document` describes. Raises `PackError` with a sentence naming the field."""
    fields = Fields(document, "The pack", PackError)
    name = fields.name("name")
    fields.where = f"Pack {name}"
    ground = fields.place("ground_jurisdiction")
    pack = Pack(
        name=name,
        version=fields.text("version"),
        title=fields.text("title"),
        zone=_zone(fields),
        jurisdictions=fields.places("jurisdictions", everywhere=True),
        ground_jurisdiction=ground,
        rules=tuple(_rule(item, name, ground) for item in fields.items("rules")),
        classes=tuple(_class(item, name) for item in fields.items("classes")),
        tag_classes=fields.pairs("tag_classes"),
    )
    fields.end()
    _refuse_overlaps(pack)
    return pack


def document(pack: Pack) -> dict[str, object]:
    """The JSON form of `pack`, which `read` takes back unchanged."""
    return {
        "name": pack.name,
        "version": pack.version,
        "title": pack.title,
        "zone": pack.zone,
        "jurisdictions": list(pack.jurisdictions),
        "ground_jurisdiction": pack.ground_jurisdiction,
        "rules": [_written(rule) for rule in pack.rules],
        "classes": [_written(kept) for kept in pack.classes],
        "tag_classes": dict(pack.tag_classes),
    }


def applying(packs: Mapping[str, Pack], facts: Facts) -> tuple[Pack, ...]:
    """The packs that bind these facts: by regime, by jurisdiction, or by what was heard.

    A pack that prohibits binds as soon as what it prohibits was heard: a card code makes a
    recording a matter of PCI DSS, whether anyone named it or not.
    """
    return tuple(pack for pack in packs.values() if _binds(pack, facts))


def local_rules(pack: Pack, facts: Facts) -> tuple[Rule, ...]:
    """The pack's rules for the places of these facts; all of them where it has none for those."""
    local = tuple(
        rule
        for rule in pack.rules
        if rule.jurisdiction is None
        or any(within(place, rule.jurisdiction) for place in facts.jurisdictions)
    )
    return local if any(rule.jurisdiction for rule in local) else pack.rules


def _binds(pack: Pack, facts: Facts) -> bool:
    if pack.name in facts.regimes or "*" in pack.jurisdictions:
        return True
    if any(within(place, area) for area in pack.jurisdictions for place in facts.jurisdictions):
        return True
    return bool(facts.sensitive) and any(rule.kind is Kind.PROHIBIT for rule in pack.rules)


def _zone(fields: Fields) -> str:
    name = fields.text("zone")
    try:
        zone(name)
    except PeriodError as error:
        raise fields.refuse("is no time zone of the IANA database", "zone") from error
    return name


def _class(item: object, pack: str) -> RetentionClass:
    fields = Fields(item, f"Pack {pack}, a class", PackError)
    name = fields.name("name")
    fields.where = f"Pack {pack}, class {name}"
    if not fields.has("period"):
        raise fields.refuse("is missing (null keeps without end)", "period")
    kept = RetentionClass(
        name, fields.period("period"), fields.flag("review"), fields.flag("locked")
    )
    fields.end()
    return kept


def _rule(item: object, pack: str, ground: str | None) -> Rule:
    fields = Fields(item, f"Pack {pack}, a rule", PackError)
    identity = fields.name("id")
    fields.where = f"Pack {pack}, rule {identity}"
    if fields.has("elements"):
        elements: frozenset[Element] | None = fields.choices("elements", Element, ELEMENTS)
    else:
        elements = None
    rule = Rule(
        id=identity,
        kind=fields.choice("kind", Kind),
        text=fields.text("text"),
        citation=fields.text("citation"),
        status=fields.choice("status", Status),
        effective_from=fields.day("effective_from"),
        reviewed_at=fields.day("reviewed_at"),
        effective_to=fields.day_or_none("effective_to"),
        period=fields.period("period"),
        trigger=fields.choice("trigger", Trigger, Trigger.STARTED),
        elements=elements or frozenset(),
        jurisdiction=fields.place("jurisdiction"),
        ground_jurisdiction=fields.place("ground_jurisdiction") or ground,
        requests=fields.choices("requests", RequestType, frozenset()),
        step=fields.choice("step", Step) if fields.has("step") else None,
        business=fields.flag("business"),
        parties=_one_of(fields, "parties", PARTIES),
        confidence=_one_of(fields, "confidence", CONFIDENCES),
    )
    fields.end()
    _check(rule, fields, elements_named=elements is not None)
    return rule


def _one_of(fields: Fields, name: str, values: frozenset[str]) -> str | None:
    found = fields.text_or_none(name)
    if found is not None and found not in values:
        raise fields.refuse(f"is none of {', '.join(sorted(values))}", name)
    return found


def _check(rule: Rule, fields: Fields, *, elements_named: bool) -> None:
    """Refuses a rule whose fields do not make a rule of its kind."""
    bound = rule.kind in {Kind.MIN, Kind.MAX}
    if rule.effective_to is not None and rule.effective_to <= rule.effective_from:
        raise fields.refuse("is not later than effective_from", "effective_to")
    if rule.status is Status.OVERDUE:
        raise fields.refuse("is verified or unverified; overdue follows from reviewed_at", "status")
    if rule.period is None and (bound or rule.kind is Kind.DEADLINE):
        raise fields.refuse(f"is missing, and the rule is a {rule.kind}", "period")
    if not elements_named and (bound or rule.kind is Kind.PROHIBIT):
        raise fields.refuse("is missing (an empty list means documents only)", "elements")
    if bound and rule.trigger not in EVENTS:
        raise fields.refuse(f"is none of {', '.join(sorted(EVENTS))}", "trigger")
    if rule.kind is Kind.DEADLINE and (rule.step is None or not rule.requests):
        raise fields.refuse("is missing, and the rule is a deadline", "step or requests")
    if rule.business and (rule.period is None or rule.period.months or rule.period.seconds):
        raise fields.refuse("is not a number of days, and the rule counts working days", "period")
    if rule.business and rule.period is not None and rule.period.days > 366:
        raise fields.refuse("is longer than 366 working days", "period")


def _refuse_overlaps(pack: Pack) -> None:
    """Refuses two classes of one name, and two versions of a rule that are in force at once."""
    names = [kept.name for kept in pack.classes]
    if len(set(names)) < len(names):
        raise PackError(f"Pack {pack.name}: classes names one of them twice.")
    until: dict[str, date] = {}
    for rule in sorted(pack.rules, key=lambda r: (r.id, r.effective_from)):
        if rule.effective_from < until.get(rule.id, date.min):
            raise PackError(
                f"Pack {pack.name}, rule {rule.id}: effective_from overlaps an earlier version; "
                "give that one an effective_to."
            )
        until[rule.id] = rule.effective_to or date.max


def _written(thing: Rule | RetentionClass) -> dict[str, object]:
    """A value's fields as JSON; what is not stated is left out, but for a class's period."""
    fields = {name: _json(getattr(thing, name)) for name in thing.__slots__}
    told = {name: value for name, value in fields.items() if value not in (None, False, [])}
    if isinstance(thing, RetentionClass):
        return {**told, "period": fields["period"]}
    return {**told, "elements": fields["elements"]} if thing.kind in _BOUNDING else told


def _json(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    return value if value is None or isinstance(value, bool) else str(value)
