"""The nouns that decisions are made of: frozen values, no I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from policies.calendar import Period, end_of_minimum


class Element(StrEnum):
    """What a decision is made about: a kind of part of a session."""

    ORIGINAL_AUDIO = "original_audio"
    REDACTED_AUDIO = "redacted_audio"
    TRANSCRIPT = "transcript"
    REDACTED_TRANSCRIPT = "redacted_transcript"
    METADATA = "metadata"
    VOICEPRINT = "voiceprint"
    ANALYSIS = "analysis"


ELEMENTS = frozenset(Element)


class Action(StrEnum):
    """What is to be done with an element."""

    RETAIN = "RETAIN"
    REDACT = "REDACT"
    QUARANTINE = "QUARANTINE"
    REVIEW = "REVIEW"
    CONFLICT_OF_LAWS = "CONFLICT_OF_LAWS"
    DESTROY = "DESTROY"
    DISPOSE = "DISPOSE"


#: The actions that end in a destroyed key.
ENDINGS = frozenset({Action.DESTROY, Action.DISPOSE})


class Status(StrEnum):
    """How far a rule can be relied on: read in a source, not yet, or not lately."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    OVERDUE = "overdue"


class Kind(StrEnum):
    """What a rule does: bounds a life, bounds an answer, forbids, demands, or lets off."""

    MIN = "min"
    MAX = "max"
    DEADLINE = "deadline"
    PROHIBIT = "prohibit"
    REQUIRE = "require"
    EXEMPT = "exempt"


class Trigger(StrEnum):
    """The event from which a rule's period is counted, or on which the rule speaks."""

    STARTED = "started"
    ENDED = "ended"
    LAST_INTERACTION = "last-interaction"
    PURPOSE_SATISFIED = "purpose-satisfied"
    CLASS_END = "class-end"
    RECEIPT = "receipt"
    RESTORE = "restore"


class RequestType(StrEnum):
    """What a data subject may ask for."""

    ACCESS = "access"
    ERASURE = "erasure"
    PORTABILITY = "portability"
    RESTRICTION = "restriction"
    RECTIFICATION = "rectification"


class Step(StrEnum):
    """Which of a request's deadlines a rule states."""

    ANSWER = "answer"
    EXTENSION = "extension"
    ACKNOWLEDGEMENT = "acknowledgement"
    PAUSE = "pause"


class Consent(StrEnum):
    """What is known of the participants' consent to the recording."""

    UNKNOWN = "unknown"
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Share(StrEnum):
    """Whose data an element holds beside the requester's, and whether it can be told apart."""

    WHOLE = "whole"
    SEPARABLE = "separable"
    INSEPARABLE = "inseparable"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a sentence, and the rule and citation it rests on, if any."""

    text: str
    citation: str | None = None
    rule: str | None = None
    status: Status | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One cited sentence of law or of the house, in force from `effective_from` until before
    `effective_to`.

    `elements` is what it is about; empty, it speaks of documents and not of recordings.
    `jurisdiction` is where it holds (None: wherever its pack binds); `ground_jurisdiction` is whose
    law it is (None: the house's own rule, which gives way to law). `requests`, `step` and
    `business` (working days) belong to deadlines and to what is said of requests; `parties`
    (`one`, `all`, `mixed`) and `confidence` to the recording of calls.
    """

    id: str
    kind: Kind
    text: str
    citation: str
    status: Status
    effective_from: date
    reviewed_at: date
    effective_to: date | None = None
    period: Period | None = None
    trigger: Trigger = Trigger.STARTED
    elements: frozenset[Element] = frozenset()
    jurisdiction: str | None = None
    ground_jurisdiction: str | None = None
    requests: frozenset[RequestType] = frozenset()
    step: Step | None = None
    business: bool = False
    parties: str | None = None
    confidence: str | None = None


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """A named bundle of retention; `period` is None for what is kept without end.

    `review`: a person looks before anything of it is disposed of. `locked`: a later pack may
    only make it tighter, that is longer.
    """

    name: str
    period: Period | None
    review: bool = False
    locked: bool = False

    def expires_at(self, started_at: datetime) -> datetime | None:
        """When the period of a session that began at `started_at` is over, if ever."""
        return None if self.period is None else end_of_minimum(started_at, self.period)


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules and classes of one regime, in one zone.

    It binds sessions that name it as their regime or touch one of `jurisdictions` (`*`: all).
    `ground_jurisdiction` is the legal order its rights come from; None for rules of the house.
    `tag_classes` are pairs: what comes with that tag is kept under that class, unless another is
    named for it.
    """

    name: str
    version: str
    title: str
    zone: str
    jurisdictions: tuple[str, ...] = ()
    ground_jurisdiction: str | None = None
    rules: tuple[Rule, ...] = ()
    classes: tuple[RetentionClass, ...] = ()
    tag_classes: tuple[tuple[str, str], ...] = ()

    @property
    def deadlines(self) -> tuple[Rule, ...]:
        """The rules that say by when a request is answered."""
        return tuple(rule for rule in self.rules if rule.kind is Kind.DEADLINE)


@dataclass(frozen=True, slots=True)
class HoldFact:
    """A legal hold, active or proposed: both protect. `until` is the end of the grace after its
    release; None while it is not released.
    """

    id: str
    proposed: bool = False
    preserve_unredacted: bool = False
    preserve_until: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RequestFact:
    """A data subject's request about `elements` (None: all), open until `fulfilled`.

    `ground_jurisdiction` is the legal order of the right; None takes it from the regime's pack.
    A refused request is a fulfilled one.
    """

    id: str
    type: RequestType
    regime: str
    granted: bool = False
    elements: frozenset[Element] | None = None
    ground_jurisdiction: str | None = None
    received_at: datetime | None = None
    fulfilled: bool = False
    paused_days: int = 0
    extended: bool = False
    share: Share = Share.WHOLE

    def covers(self, element: Element) -> bool:
        """Whether this request is open and about `element`."""
        return not self.fulfilled and (self.elements is None or element in self.elements)


@dataclass(frozen=True, slots=True)
class Minimum:
    """A period that `element` must be kept from the session's start, whoever says so.

    `period` is ISO 8601 text; without `ground_jurisdiction` it is a rule of the house.
    """

    element: Element
    period: str
    ground_jurisdiction: str | None = None
    citation: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a session. Nothing here needs to be true or there: `decide` says REVIEW.

    `sensitive` names the elements in which a card code was heard and is not yet redacted,
    `backup_only` those of which only a back-up is left. `other_basis` is a legal basis beside
    consent that the DPO has recorded. Instants are aware.
    """

    started_at: datetime | None
    last_interaction_at: datetime | None = None
    ended_at: datetime | None = None
    purpose_satisfied_at: datetime | None = None
    jurisdictions: tuple[str, ...] = ()
    regimes: tuple[str, ...] = ()
    class_name: str | None = None
    elements: frozenset[Element] = ELEMENTS
    minimums: tuple[Minimum, ...] = ()
    consent: Consent = Consent.UNKNOWN
    other_basis: str | None = None
    holds: tuple[HoldFact, ...] = ()
    requests: tuple[RequestFact, ...] = ()
    sensitive: frozenset[Element] = frozenset()
    backup_only: frozenset[Element] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done with an element, and why.

    `not_before`: when it may be destroyed at the earliest, holds and requests aside.
    `due_by`: by when something must have happened, the earliest of a maximum and the answers due.
    `restricted`: it may only be stored. `blockers`: ids of what stands between it and its end.
    `reasons`: the one that decided first; never empty. `changes_at`: the first later instant at
    which the same facts decide otherwise (another action, or restricted instead of not), if any.
    """

    element: Element
    action: Action
    not_before: datetime | None
    due_by: datetime | None
    restricted: bool
    blockers: tuple[str, ...]
    reasons: tuple[Reason, ...]
    changes_at: datetime | None = None


#: The classes that exist without any policy pack.
CLASSES: dict[str, RetentionClass] = {
    c.name: c
    for c in (
        RetentionClass("short", Period(days=7)),
        RetentionClass("medium", Period(days=30)),
        RetentionClass("long", Period(days=365)),
        RetentionClass("healthcare", Period(days=2555)),
        RetentionClass("permanent", None),
    )
}

#: The regimes a deposit may name.
REGIMES = frozenset({"gdpr", "uk-gdpr", "ccpa", "hipaa", "pci-dss", "mifid", "sec-17a-4", "bipa"})
