"""XML from strangers: no document types, no entities, no network, no depth beyond what the parser itself allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from lxml import etree

from printsys.safezip import ZipRefused

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


def stream(source: IO[bytes], ends_of: tuple[str, ...]) -> Iterator[etree._Element]:
    """Each element of these local names as it is complete; it is emptied afterwards, so that memory stays flat."""
    tags = tuple("{*}" + name for name in ends_of)
    try:
        walk = etree.iterparse(
            source, events=("end",), tag=tags, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
        for _, element in walk:
            yield element
            element.clear(keep_tail=False)
            while element.getprevious() is not None:
                parent = element.getparent()
                if parent is None:
                    break
                del parent[0]
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ZipRefused(NOT_OURS) from error


def local(element: etree._Element) -> str:
    return str(etree.QName(element).localname)
