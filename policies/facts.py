"""Facts read from a JSON document, as `policy explain --facts` takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.errors import FactsError
from policies.fields import Fields
from policies.model import (
    ELEMENTS,
    Consent,
    Element,
    Facts,
    HoldFact,
    Minimum,
    RequestFact,
    RequestType,
    Share,
)


def facts_of(document: Mapping[str, object]) -> Facts:
    """The facts in `document`. Raises `FactsError` with a sentence naming the field.

    What is not there is not known; no `elements` means all. A minimum's period is checked by
    the decision: one that cannot be read asks for a person. Holds are ids, or objects
    `{id, state | proposed, preserve_unredacted, preserve_until, until}`; a released one is passed
    over. Requests are `{type, regime, id, granted, elements, ground_jurisdiction, received_at,
    fulfilled, paused_days, extended, share}`. `sensitive` and `backup_only` are lists of elements.
    """
    fields = Fields(document, "The facts", FactsError)
    facts = Facts(
        started_at=fields.instant("started_at"),
        last_interaction_at=fields.instant("last_interaction_at"),
        ended_at=fields.instant("ended_at"),
        purpose_satisfied_at=fields.instant("purpose_satisfied_at"),
        jurisdictions=fields.places("jurisdictions"),
        regimes=fields.names("regimes"),
        class_name=fields.text_or_none("class"),
        elements=fields.choices("elements", Element, ELEMENTS),
        minimums=tuple(_minimum(item) for item in fields.items("minimums")),
        consent=fields.choice("consent", Consent, Consent.UNKNOWN),
        other_basis=fields.text_or_none("other_basis"),
        holds=tuple(_holds(fields)),
        requests=tuple(_request(i, item) for i, item in enumerate(fields.items("requests"), 1)),
        sensitive=fields.choices("sensitive", Element, frozenset()),
        backup_only=fields.choices("backup_only", Element, frozenset()),
    )
    fields.end()
    return facts


def _minimum(item: object) -> Minimum:
    fields = Fields(item, "A minimum", FactsError)
    minimum = Minimum(
        fields.choice("element", Element),
        fields.text("period"),
        fields.place("ground_jurisdiction"),
        fields.text_or_none("citation"),
    )
    fields.end()
    return minimum


#: The states of a hold, and whether one in that state is still only proposed.
_STATES = {"proposed": True, "active": False, "awaiting-approval": False, "released": None}


def _holds(facts: Fields) -> Iterator[HoldFact]:
    for number, item in enumerate(facts.items("holds"), 1):
        if isinstance(item, str):
            item = {"id": item}  # noqa: PLW2901 - the short way to write it
        fields = Fields(item, f"Hold {number}", FactsError)
        state = fields.text_or_none("state") or "active"
        if state not in _STATES:
            raise fields.refuse(f"is none of {', '.join(_STATES)}", "state")
        hold = HoldFact(
            id=fields.text_or_none("id") or f"hold-{number}",
            proposed=fields.flag("proposed") or bool(_STATES[state]),
            preserve_unredacted=fields.flag("preserve_unredacted"),
            preserve_until=fields.instant("preserve_until"),
            until=fields.instant("until"),
        )
        fields.end()
        if state != "released" or hold.until is not None:
            yield hold


def _request(number: int, item: object) -> RequestFact:
    fields = Fields(item, f"Request {number}", FactsError)
    request = RequestFact(
        id=fields.text_or_none("id") or f"request-{number}",
        type=fields.choice("type", RequestType),
        regime=fields.name("regime"),
        granted=fields.flag("granted"),
        elements=fields.choices("elements", Element, ELEMENTS) if fields.has("elements") else None,
        ground_jurisdiction=fields.place("ground_jurisdiction"),
        received_at=fields.instant("received_at"),
        fulfilled=fields.flag("fulfilled"),
        paused_days=fields.count("paused_days", 3650),
        extended=fields.flag("extended"),
        share=fields.choice("share", Share, Share.WHOLE),
    )
    fields.end()
    return request
