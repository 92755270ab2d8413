"""XML written by strangers: elements, attributes and text, and none of XML's dangers.

A document type is refused before a single entity can be declared, so there is nothing to expand
and nothing to fetch. Depth, elements and size have limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from vault.errors import BadInput

BYTES_LIMIT = 4 * 1024 * 1024
DEPTH_LIMIT = 50
ELEMENTS_LIMIT = 100_000


@dataclass(slots=True)
class Element:
    """An element; names are without their namespace, `text` is its own alone."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str) -> Iterator[Element]:
        """The children of that name."""
        return (child for child in self.children if child.tag == tag)

    def first(self, tag: str) -> str | None:
        """The text of the first child of that name, None if it is empty or not there."""
        return next((child.text.strip() for child in self.all(tag)), None) or None


def parse(data: bytes, name: str) -> Element:
    """The root element. Raises `BadInput` for what is not well-formed or has a document type."""
    if len(data) > BYTES_LIMIT:
        raise BadInput(f"The XML in {name!a} is larger than {BYTES_LIMIT >> 20} MiB.")
    builder = _Builder(name)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    parser.ExternalEntityRefHandler = builder.refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise BadInput(f"The XML in {name!a} is not well-formed.") from None
    if builder.root is None:
        raise BadInput(f"The XML in {name!a} is empty.")
    return builder.root


class _Builder:
    def __init__(self, name: str) -> None:
        self.root: Element | None = None
        self._name = name
        self._open: list[Element] = []
        self._texts: list[list[str]] = []
        self._count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > ELEMENTS_LIMIT or len(self._open) >= DEPTH_LIMIT:
            raise BadInput(f"The XML in {self._name!a} has too many elements, or too deep ones.")
        plain = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        element = Element(tag.rpartition(" ")[2], plain)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._texts.append([])

    def end(self, _: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def text(self, text: str) -> None:
        self._texts[-1].append(text)

    def refuse(self, *_: object) -> int:
        raise BadInput(f"The XML in {self._name!a} declares a document type or an entity.")
