"""XML from strangers: no document types, so no entities; nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, NoReturn
from xml.parsers import expat

from lxml import etree

from printsys.safezip import ZipRefused

CHUNK = 1 << 18
NOT_OURS = "It holds XML that we do not open."


def parse(text: bytes) -> etree._Element:
    """ZipRefused for what is no XML, or has a document type."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(text.lstrip(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ZipRefused(NOT_OURS) from error
    if root.getroottree().docinfo.doctype:
        raise ZipRefused(NOT_OURS)
    return root


def walk(source: IO[bytes], begin: Callable[[str, dict[str, str]], None], end: Callable[[str], None]) -> None:
    """Calls back for each element, by its name without a prefix; nothing is kept, so a gigabyte needs no memory.

    Half the time of lxml's iterparse on a million small elements. What the callbacks cannot read (a missing attribute,
    a word for a number) is a ZipRefused, as is a document type.
    """
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = lambda name, attributes: begin(name.rpartition(":")[2], attributes)
    parser.EndElementHandler = lambda name: end(name.rpartition(":")[2])
    try:
        while chunk := source.read(CHUNK):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, KeyError, OverflowError) as error:
        raise ZipRefused(NOT_OURS) from error


def _refuse(*_doctype: object) -> NoReturn:
    raise ZipRefused(NOT_OURS)
