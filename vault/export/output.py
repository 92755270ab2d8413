"""Write files where a person asked for them: whole and verified, or not there at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from vault.errors import BackendError, IntegrityError, UsageError
from vault.ports import Buffer


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes become the file at `path` on a clean exit; else nothing changes.

    An existing file is replaced in one step, also where `path` is a link to it: the link stays.
    Nobody but the user can read the file. Raises `UsageError` where no file can be, or something
    else is: a folder, a device, a pipe, a link to one or to nothing. `BackendError` if it cannot
    be written.
    """
    real = Path(os.path.realpath(path))
    partial = _beside(real)
    try:
        _expect_place_for_file(path)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(descriptor)
        partial.replace(real)
    except OSError as error:
        raise BackendError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, owns: Callable[[str], bool] | None = None) -> Iterator[Path]:
    """A scratch folder beside `path` whose files move into `path` on a clean exit.

    Files that were in `path` before stay, but for those whose relative name `owns` says is of
    this kind of folder and that are not among the new ones: an earlier export leaves no orphan.
    Raises `UsageError` where no folder can be, or a file of it has no place there; nothing has
    moved then. `BackendError` if it cannot be written.
    """
    scratch = _beside(path.absolute())
    try:
        _expect_place_for_folder(path)
        scratch.mkdir(mode=0o700, parents=True)
        yield scratch
        if path.exists():
            _move_into(path, scratch, owns)
        else:
            scratch.replace(path)
    except OSError as error:
        raise BackendError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _beside(path: Path) -> Path:
    name = os.fsencode(path.name)[:100].decode(errors="ignore")  # what is added needs room
    return path.parent / f".{name}.{secrets.token_hex(6)}.part"


def _expect_place_for_file(path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name the file to write.")
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent}; make it first.")
    if os.path.lexists(path) and not _is_file(path):
        raise UsageError(f"{path} is neither a file nor a free name.")


def expect_room(folder: Path, scratch: Path) -> None:
    """Raises `UsageError` unless every file of `scratch` can move into `folder`, if that is there.

    To be asked before the first of several outputs moves: all of them do then, or none.
    """
    for name in _files_in(scratch):
        for above in (folder / parent for parent in reversed(name.parents)):
            if above != folder and above.is_symlink():
                raise UsageError(f"{above} is a link, and it is not followed.")
            if os.path.lexists(above) and not above.is_dir():
                raise UsageError(f"{above} is no folder, and {name} is to lie in it.")
        if (folder / name).is_dir():
            raise UsageError(f"{folder / name} is a folder, and a file of that name is to be made.")
        if os.path.lexists(folder / name) and not _is_file(folder / name):
            raise UsageError(f"{folder / name} is neither a file nor a free name.")


def _files_in(folder: Path) -> set[Path]:
    return {p.relative_to(folder) for p in folder.rglob("*") if p.is_file()}


def _is_file(path: Path) -> bool:
    """Whether it is a regular file, or a link to one that has a name of its own."""
    real = Path(os.path.realpath(path))
    return real.is_file() and real.samefile(path)


def _expect_place_for_folder(path: Path) -> None:
    standing = next(p for p in (path, *path.absolute().parents) if os.path.lexists(p))
    if not standing.is_dir():
        what = "a file" if _is_file(standing) else "neither a folder nor a free name"
        raise UsageError(f"{standing} is {what}; name a folder to write into.")


def _move_into(path: Path, scratch: Path, owns: Callable[[str], bool] | None) -> None:
    expect_room(path, scratch)
    new = _files_in(scratch)
    for name in new:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (scratch / name).replace(path / name)
    if owns is None:
        return
    for found in [p for p in path.rglob("*") if p.is_file() or p.is_symlink()]:
        name = found.relative_to(path)
        if name not in new and owns(name.as_posix()):
            found.unlink()


def inside(folder: Path, name: str) -> Path:
    """The path of a relative POSIX `name` in `folder`, its parents made; never outside of it."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or not pure.parts or ".." in pure.parts or "\0" in name:
        raise IntegrityError("A stored file name points outside of its session.")
    target = folder.joinpath(*pure.parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def write_all(stream: BinaryIO, blocks: Iterable[Buffer]) -> int:
    """Write every block; how many bytes that was."""
    return sum(stream.write(block) for block in blocks)
