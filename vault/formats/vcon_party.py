"""Who takes part in a vCon, and which of them is the agent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vault.formats.fields import ROLES, Fields, Notes
from vault.model import Json, Participant

#: What else vCons call the two sides.
_ROLES = ROLES | {
    "client": "user",
    "patient": "user",
    "callee": "agent",
    "supervisor": "agent",
    "representative": "agent",
}


def participants(parties: Sequence[Fields], notes: Notes) -> tuple[Participant, ...]:
    """The parties in their order, each with a role and with all that is said of it in `data`.

    A role is told by `role`, `meta.role`, a `type` of bot, or a name that is such a word. Of two
    parties of which one is known the other is the other. Where nothing tells, the first, who by
    the draft began the conversation, is read as the user and a second as the agent, with the
    warning `assumed-role`; with more than two all are users.
    """
    roles = [_stated(party) for party in parties]
    if len(roles) == 2 and roles.count(None) == 1:
        other = "user" if "agent" in roles else "agent"
        roles = [role or other for role in roles]
    if None in roles:
        notes.add("assumed-role", "The parties do not say who is the agent; it is assumed.")
        pair = ("user", "agent") if len(roles) == 2 else ("user",) * len(roles)
        roles = [role or assumed for role, assumed in zip(roles, pair, strict=True)]
    return tuple(
        Participant(
            role or "user",
            party.text("name") or None,
            {key: value for key, value in party.value.items() if key != "name"},
        )
        for role, party in zip(roles, parties, strict=True)
    )


def _stated(party: Fields) -> str | None:
    """The role a party has by its own words, or None."""
    meta = party.value.get("meta")
    words = [party.value.get("role"), meta.get("role") if isinstance(meta, dict) else None]
    for word in [*words, party.value.get("name")]:
        if isinstance(word, str) and word.strip().lower() in _ROLES:
            return _ROLES[word.strip().lower()]
    return {"bot": "agent", "person": "user"}.get(str(party.value.get("type")))


def indices(*values: Json) -> tuple[int, ...]:
    """The indices in these values, each once; `[0, [1, 2]]` is flat, and what is none left out."""
    found: list[int] = []
    pending = [*reversed(values)]
    while pending:
        each = pending.pop()
        if isinstance(each, list):
            pending += reversed(each)
        elif type(each) is int and each >= 0:
            found.append(each)
    return tuple(dict.fromkeys(found))


class People:
    """The participants, to be found by their place, their name or their role."""

    def __init__(self, everyone: Sequence[Participant]) -> None:
        self.listed = dict(enumerate(everyone))
        named = [(person.name.lower(), person) for person in everyone if person.name]
        self._named = dict(reversed(named))
        counted = Counter(person.role for person in everyone)
        self._alone = {person.role: person for person in everyone if counted[person.role] == 1}
        self._called: dict[str, Participant] = {}
        self.names = frozenset(person.name for person in everyone if person.name)
        self.unlisted = 0

    def at(self, place: int | None) -> Participant:
        """Who stands at an index of the parties; where nobody does, somebody unknown, counted."""
        if place in self.listed:
            return self.listed[place]
        self.unlisted += place is not None
        return Participant("system")

    def called(self, label: str) -> Participant:
        """Whom a transcript means by a name, or by the word for a role that one of them has."""
        known = self._called.get(label)
        if known is None:
            role = ROLES.get(label.lower())
            found = self._named.get(label.lower()) or self._alone.get(role or "")
            known = self._called[label] = found or Participant(role or "system", label)
        return known


def identifiers(people: Sequence[Participant]) -> tuple[str, ...]:
    """How those who are not agents can be found again: telephone numbers and addresses."""
    found = [
        value.removeprefix("tel:").removeprefix("mailto:")
        for person in people
        if person.role == "user"
        for key in ("tel", "mailto", "email")
        if isinstance(value := person.data.get(key), str) and value
    ]
    return tuple(dict.fromkeys(found))
