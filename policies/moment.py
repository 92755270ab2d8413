"""One element of a session at one instant: what binds it then, and in whose words it is said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from policies.jurisdiction import legal_order
from policies.model import (
    Action,
    Consent,
    Decision,
    Element,
    HoldFact,
    Kind,
    Reason,
    RequestFact,
    RequestType,
    Rule,
    Trigger,
)
from policies.resolve import Bound, Resolved, standing


@dataclass(frozen=True)
class Moment:
    """What holds for `element` at `at`. Everything is computed when first asked for."""

    session: Resolved
    element: Element
    at: datetime
    bounds: tuple[Bound, ...]
    requests: tuple[RequestFact, ...]  # the open ones about this element

    @classmethod
    def of(cls, session: Resolved, element: Element, at: datetime) -> Moment:
        """The element of a session at `at`, with the rules and requests that are about it."""
        bounds = tuple(b for b in session.bounds if element in b.elements)
        requests = tuple(r for r in session.facts.requests if r.covers(element))
        return cls(session, element, at, bounds, requests)

    def later(self, at: datetime) -> Moment:
        """The same at another instant."""
        return Moment(self.session, self.element, at, self.bounds, self.requests)

    @property
    def likeness(self) -> object:
        """Equal for elements of one session that nothing tells apart but their name."""
        facts = self.session.facts
        heard, stored = self.element in facts.sensitive, self.element in facts.backup_only
        return tuple(map(id, self.bounds)), tuple(map(id, self.requests)), heard, stored

    def _of(self, kind: Kind) -> list[Bound]:
        return [b for b in self.bounds if b.rule.kind is kind and b.in_force(self.at)]

    @cached_property
    def prohibitions(self) -> list[Bound]:
        """What may not be in the element, where it was heard."""
        return self._of(Kind.PROHIBIT) if self.element in self.session.facts.sensitive else []

    @cached_property
    def holds(self) -> list[HoldFact]:
        """The holds that protect now, proposed ones and those in their grace included."""
        return [h for h in self.session.facts.holds if h.until is None or self.at < h.until]

    def asked(self, *types: RequestType) -> list[RequestFact]:
        """The open requests of these types."""
        return [r for r in self.requests if r.type in types]

    @cached_property
    def erasures(self) -> list[RequestFact]:
        """The open requests to erase this element, granted or not."""
        return self.asked(RequestType.ERASURE)

    @cached_property
    def granted(self) -> list[RequestFact]:
        """The erasures that were granted."""
        return [r for r in self.erasures if r.granted]

    @cached_property
    def minimums(self) -> list[Bound]:
        """All minimums in force, those that are over included."""
        return self._of(Kind.MIN)

    @cached_property
    def unexpired(self) -> list[Bound]:
        """The minimums that still bind, the last to end first; what is law before what is not."""
        found = [b for b in self.minimums if self.at < b.ends_at]
        return sorted(found, key=lambda b: (b.rule.ground_jurisdiction is None, -_order(b)))

    @cached_property
    def lawful(self) -> list[Bound]:
        """The minimums that still bind and are law."""
        return [b for b in self.unexpired if b.rule.ground_jurisdiction is not None]

    @cached_property
    def maximums(self) -> list[Bound]:
        """All maximums in force, the first to end first."""
        return sorted(self._of(Kind.MAX), key=_order)

    @cached_property
    def outlived(self) -> list[Bound]:
        """The maximums that are over; what is law first."""
        over = [b for b in self.maximums if self.at >= b.ends_at]
        return sorted(over, key=lambda b: b.rule.ground_jurisdiction is None)

    @cached_property
    def class_over(self) -> bool:
        """Whether the period of the session's class has passed."""
        end = self.session.class_end
        return end is not None and self.at >= end

    @cached_property
    def unlocated(self) -> list[Bound]:
        """The bounds that seem over, but count from an event that nobody knows."""
        bounds = self.minimums + self.maximums
        return [b for b in bounds if not b.certain and self.at >= b.ends_at]

    @cached_property
    def limited(self) -> bool:
        """Whether a granted request for restriction is open."""
        return any(r.granted for r in self.asked(RequestType.RESTRICTION))

    @cached_property
    def unproven(self) -> Reason | None:
        """Why nobody may rely on this recording having been lawful, if so."""
        facts, rule = self.session.facts, self.session.recording
        if facts.other_basis is not None or facts.consent is Consent.GRANTED:
            return None
        if facts.consent in {Consent.REFUSED, Consent.WITHDRAWN}:
            return Reason(f"Consent was {facts.consent}, and no other legal basis is recorded.")
        if rule.rule is None or rule.parties != "all":
            return None
        return self.because(rule.rule, f"There is no proof of consent. {rule.rule.text}")

    @cached_property
    def unwanted(self) -> bool:
        """Whether something asks that the element be gone or lie unused: then it is only stored."""
        wish = bool(self.erasures) or self.limited or self.unproven is not None
        return wish or self.class_over or bool(self.outlived)

    @cached_property
    def due_by(self) -> datetime | None:
        """The first of the answers due and the maximums."""
        answers = (self.session.answers.get(r.id) for r in self.requests)
        ends = [a for a in answers if a is not None] + [b.ends_at for b in self.maximums]
        return min(ends, default=None)

    @cached_property
    def not_before(self) -> datetime | None:
        """The first instant at which rules and class allow its end, holds and requests aside."""
        law = [b.ends_at for b in self.minimums if _is_law(b)]
        house = [b.ends_at for b in self.minimums if not _is_law(b)]
        if self.erasures:
            return max(law if self.granted else law + house, default=None)
        own = [b.ends_at for b in self.maximums if not _is_law(b)]
        own += [] if self.session.class_end is None else [self.session.class_end]
        ends = [max([min(own), *house])] if own else []
        ends += [b.ends_at for b in self.maximums if _is_law(b)]
        return max([min(ends), *law] if ends else law + house, default=None)

    @cached_property
    def blockers(self) -> tuple[str, ...]:
        """The ids of all that stands now between the element and its end."""
        copies = self.asked(RequestType.ACCESS, RequestType.PORTABILITY)
        found = [h.id for h in self.holds] + [r.id for r in copies]
        return tuple(dict.fromkeys(found + [b.rule.id for b in self.unexpired]))

    def because(self, rule: Rule, text: str | None = None) -> Reason:
        """A reason that rests on `rule`."""
        return Reason(text or rule.text, rule.citation or None, rule.id, standing(rule, self.at))

    def cited(
        self, kind: Kind, *, request: RequestFact | None = None, trigger: Trigger | None = None
    ) -> Iterator[Reason]:
        """What the packs say of a request, by its regime, or on an event; in their own words."""
        packs = self.session.packs
        if request is not None:
            named = self.session.regimes.get(request.regime)
            packs = () if named is None else (named,)
        for pack in packs:
            for rule in pack.rules:
                if rule.kind is not kind or rule.trigger is not (trigger or Trigger.STARTED):
                    continue
                if request is None or request.type in rule.requests:
                    yield self.because(rule)

    def order_of(self, request: RequestFact) -> str | None:
        """The legal order that a request's right comes from, if it is known."""
        pack = self.session.regimes.get(request.regime)
        ground = request.ground_jurisdiction or (pack.ground_jurisdiction if pack else None)
        return None if ground is None else legal_order(ground)

    def decide(
        self,
        action: Action,
        reasons: Iterable[Reason],
        *,
        restricted: bool = False,
        due_by: datetime | None = None,
    ) -> Decision:
        """The decision for this element: `action`, with the dates and blockers of the moment."""
        dates = [d for d in (due_by, self.due_by) if d is not None]
        return Decision(
            element=self.element,
            action=action,
            not_before=self.not_before,
            due_by=min(dates, default=None),
            restricted=restricted,
            blockers=self.blockers,
            reasons=tuple(dict.fromkeys(reasons)),
        )


def _order(bound: Bound) -> float:
    return bound.ends_at.timestamp()


def _is_law(bound: Bound) -> bool:
    return bound.rule.ground_jurisdiction is not None
