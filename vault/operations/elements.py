"""Which elements a session has, and in which compartments they lie.

A decision is made about an element, a key is destroyed for a compartment. One compartment may
carry several elements (the originals of a session lie in one sealed object): its key goes when the
last of them may go, and none of them has gone before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from policies.model import Element
from vault.model import Compartment, Kind

#: Of which element a part is.
_OF_PART = {
    (Compartment.ORIGINAL, Kind.AUDIO): Element.ORIGINAL_AUDIO,
    (Compartment.ORIGINAL, Kind.OTHER): Element.ORIGINAL_AUDIO,  # unknown bytes fare like sound
    (Compartment.ORIGINAL, Kind.TRANSCRIPT): Element.TRANSCRIPT,
    (Compartment.ORIGINAL, Kind.METADATA): Element.METADATA,
    (Compartment.DERIVED, Kind.AUDIO): Element.ORIGINAL_AUDIO,
    (Compartment.DERIVED, Kind.PEAKS): Element.ORIGINAL_AUDIO,
    (Compartment.DERIVED, Kind.TRANSCRIPT): Element.ANALYSIS,  # from before it had a key of its own
    (Compartment.ANALYSIS, Kind.TRANSCRIPT): Element.ANALYSIS,
}
#: What a compartment carries whatever parts it has.
_ALWAYS = {
    Compartment.DERIVED: Element.ORIGINAL_AUDIO,
    Compartment.ANALYSIS: Element.ANALYSIS,
    Compartment.TIMELINE: Element.TRANSCRIPT,
    Compartment.METADATA: Element.METADATA,
}

#: Which elements each compartment of a session carries.
Carried = Mapping[Compartment, frozenset[Element]]


def carried(parts: Iterable[tuple[Compartment, Kind]]) -> dict[Compartment, frozenset[Element]]:
    """What each compartment carries, given which parts there are."""
    found = {c: {e} for c, e in _ALWAYS.items()} | {Compartment.ORIGINAL: set[Element]()}
    for compartment, kind in parts:
        found[compartment].add(_OF_PART[compartment, kind])
    # Originals that were all left out by a privacy level are metadata still: that there were any.
    found[Compartment.ORIGINAL] = found[Compartment.ORIGINAL] or {Element.METADATA}
    return {c: frozenset(elements) for c, elements in found.items()}


def present(carried: Carried, compartments: Collection[Compartment]) -> frozenset[Element]:
    """The elements that are left while these compartments have their keys."""
    return frozenset(e for c in compartments for e in carried[c])


def ending(
    carried: Carried, compartments: Collection[Compartment], elements: Collection[Element]
) -> list[Compartment]:
    """Of these compartments, those of which every element is among `elements`."""
    return [c for c in compartments if carried[c] <= frozenset(elements)]


def free(
    carried: Carried, compartments: Collection[Compartment], wanted: Collection[Element]
) -> frozenset[Element]:
    """Of the `wanted` elements those that can go whole: nothing lies with them that stays."""
    going = frozenset(wanted)
    while bound := [c for c in compartments if carried[c] & going and not carried[c] <= going]:
        going = going.difference(*(carried[c] for c in bound))
    return going
