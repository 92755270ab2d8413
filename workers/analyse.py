"""The job `analyse`: the seven analyses of a session, kept as one sealed part.

`analysis/analysis.json` is what `vault.operations.analysis` gives back. A recording that cannot
be decoded is named in it as unheard.
"""

from __future__ import annotations

import json

from vault.model import Kind
from vault.operations.analysis import PART, compartment, compute
from vault.operations.attempt import Bench


def analyse(bench: Bench) -> None:
    """Listen to the session, analyse it, keep the results."""
    found = compute(bench.session, progress=bench.progress)
    with bench.object("analysis", compartment(bench.session)) as out:
        out.begin(PART, Kind.TRANSCRIPT, "application/json")
        out.write(PART, json.dumps(found, separators=(",", ":")).encode())
