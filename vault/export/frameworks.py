"""A framework's compliance report as a document: the figures that were counted, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from vault.export.pages import Block, Document, Facts, Section, Table, Text
from vault.export.sheets import Cell
from vault.model import Json

#: Every section by the name of its figures: its heading, and what is counted there.
_SECTIONS: Sequence[tuple[str, str, str]] = (
    ("sessions", "Sessions", "Sessions that began in this time and fall under the framework."),
    ("consents", "Consent", "What was recorded of the data subjects of these sessions."),
    ("requests", "Requests of data subjects", "Those received in this time, under this regime."),
    ("erasures", "Erasures", "Certified disposals; each has a certificate that verifies offline."),
    ("holds", "Legal holds", "Those that have one of these sessions as a member."),
    ("accesses", "Accesses", "As the ledger tells."),
    ("processing", "Processing records", "Which policy was applied, in which version."),
)
_ADVICE = "Counted from what this archive keeps. Nothing here is legal advice."


def document(figures: Mapping[str, Json], made_at: datetime) -> Document:
    """The pages of what `vault.operations.compliance.figures` counted. – is what is not known."""
    name = str(figures["regime"] or figures["framework"])
    title = f"Compliance: {name.upper() if name != 'custom' else str(figures['tag'])}"
    span = " to ".join(str(figures[key] or "–")[:10] for key in ("since", "until"))
    return Document(title, f"strongroom · {span}", made_at, _sections(figures))


def _sections(figures: Mapping[str, Json]) -> Iterator[Section]:
    for key, title, about in _SECTIONS:
        yield Section(title, [Text(about), *_blocks(figures[key])])
    broken = figures["violations"]
    rows = sorted(broken.items()) if isinstance(broken, dict) else []
    table = Table("violations", ("code", "count"), [(code, _cell(n)) for code, n in rows])
    yield Section("Violations", [table] if rows else [Text("None was found.")])
    unknown = figures["unknown"]
    said = [Text(str(one), note=True) for one in (unknown if isinstance(unknown, list) else [])]
    yield Section("What is not known", [*said, Text(_ADVICE, note=True)])


def _blocks(counted: Json) -> Iterator[Block]:
    """Numbers side by side, then a table for each count by name."""
    if not isinstance(counted, dict):
        yield Text("Not counted.", note=True)
        return
    single = {k: v for k, v in counted.items() if not isinstance(v, dict)}
    yield Facts([(name.replace("_", " ").capitalize(), _cell(v)) for name, v in single.items()])
    for name, counts in counted.items():
        if isinstance(counts, dict) and counts:
            what = name.removeprefix("by_").replace("_", " ")
            yield Table(what, (what, "count"), [(k, _cell(n)) for k, n in sorted(counts.items())])


def _cell(value: Json) -> Cell:
    return value if isinstance(value, str | int | float) else None
