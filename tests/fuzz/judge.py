"""The rule: an input is answered or refused in our own words, soon, and in little memory.

Whatever else happens is a finding. Findings are told apart by the line of ours at which they
arose, so that one bug is one finding however often it is met.
"""

from __future__ import annotations

import hashlib
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from vault.errors import StrongroomError

Door = Callable[[bytes], None]
SECONDS_LIMIT = 2.0
#: How much more memory one input may take than all before it did.
GROWTH_KIB_LIMIT = 128 * 1024
#: The first inputs load libraries, which is none of their doing.
_WARM_UP = 200
_ROOT = Path(__file__).resolve().parents[2]


class Judge:
    """Calls a door and writes down, once each, what should not have happened."""

    def __init__(self, door: Door, folder: Path) -> None:
        self._door = door
        self._folder = folder
        self._calls = 0
        self.found: dict[str, str] = {}

    def __call__(self, data: bytes) -> None:
        self._calls += 1
        peak, began = _peak_kib(), time.process_time()
        verdict = verdict_on(self._door, data)
        took = time.process_time() - began
        grew = _peak_kib() - peak
        if verdict is not None:
            self._write(*verdict, data)
        elif self._calls < _WARM_UP:
            return
        elif took > SECONDS_LIMIT:
            self._write(f"slow-{len(data).bit_length()}", f"{took:.1f} s", data)
        elif grew > GROWTH_KIB_LIMIT:
            self._write(f"memory-{len(data).bit_length()}", f"{grew >> 10} MiB", data)

    def _write(self, signature: str, text: str, data: bytes) -> None:
        if signature in self.found:
            return
        self.found[signature] = text
        name = hashlib.sha256(signature.encode()).hexdigest()[:12]
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / name).write_bytes(data)
        (self._folder / f"{name}.txt").write_text(f"{signature}\n\n{text}\n", errors="replace")
        sys.stderr.write(f"\nFINDING {signature} -> {self._folder / name}\n")


def verdict_on(door: Door, data: bytes) -> tuple[str, str] | None:
    """None for an answer or a refusal; else the signature of what happened, and its story."""
    try:
        door(data)
    except StrongroomError as error:
        try:
            str(error).encode()
        except UnicodeEncodeError as wrong:
            return _told(wrong, error)
    except Exception as error:  # noqa: BLE001  this is what is being looked for
        return _told(error, error)
    return None


def _told(error: Exception, where: Exception) -> tuple[str, str]:
    frames = traceback.extract_tb(where.__traceback__)
    ours = [f for f in frames if Path(f.filename).is_relative_to(_ROOT / "vault")]
    last = (ours or frames)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    check = frames[-1]
    if not ours or check.filename.startswith(str(_ROOT / "tests")):
        place += f" ({Path(check.filename).name}:{check.lineno})"
    return f"{type(error).__name__} at {place}", "".join(traceback.format_exception(error))


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
