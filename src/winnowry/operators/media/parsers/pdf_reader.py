"""A process that reads PDF files: pdfium may crash, hang or take all memory, and then costs one file.

It reads a file from its standard input and writes, for the file and for each page, a line of JSON and the bytes of the
page's picture to its standard output. Nothing it writes is code: who reads it need not trust it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any, BinaryIO

import pypdfium2.raw as pdfium

from winnowry.operators.media.parsers.pdf_glyphs import text_of_page
from winnowry.operators.media.parsers.pdf_objects import objects_of, utf16
from winnowry.operators.media.parsers.pdf_picture import PagePicture

MOST_PAGES = 10_000
"""Of a file; more are not read."""
_OPENING_S, _PAGE_S = 60, 1
"""Seconds of processor time for a file, and those that each page adds."""
_MEMORY_BYTES = 1 << 30
"""Beside the file itself, which is there twice."""
_COPYING = 16  # bit 5 of the permissions: copy text and graphics (ISO 32000-1, table 22)
_TITLE_CHARACTERS = 500
_HEADER_BYTES = 1024
_FAULTS = {
    pdfium.FPDF_ERR_PASSWORD: "encrypted: a password is needed",
    pdfium.FPDF_ERR_SECURITY: "encrypted: in a way that cannot be read",
}
_FORMS = {
    pdfium.FORMTYPE_ACRO_FORM: "acroform",
    pdfium.FORMTYPE_XFA_FULL: "xfa",
    pdfium.FORMTYPE_XFA_FOREGROUND: "xfa",
}


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing else may write between the answers
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    pdfium.FPDF_InitLibrary()
    files = sys.stdin.buffer
    while question := files.readline():
        wanted = json.loads(question)
        data = files.read(wanted["n_bytes"])
        _limit(_MEMORY_BYTES + 2 * len(data))
        if wanted["draw"] is None:
            _read(data, answers)
        else:
            _draw(data, wanted["draw"], wanted["side_px"], answers)


def _limit(memory_bytes: int) -> None:
    """Bound what the next file takes."""
    _allow(_OPENING_S)
    used = 0
    with contextlib.suppress(OSError):  # systems without it do not keep to this limit either
        used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory_bytes, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _allow(seconds: int) -> None:
    used = int(_used_s()) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _used_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _read(data: bytes, answers: BinaryIO) -> None:
    document = pdfium.FPDF_LoadMemDocument64(data, len(data), None)
    if not document:
        other = "truncated: it has no end" if _is_cut(data) else "damaged: no pages can be found in it"
        _answer(answers, {"fault": _FAULTS.get(pdfium.FPDF_GetLastError(), other)})
        return
    try:
        facts = _facts(document, data)
        _answer(answers, facts)
        for number in range(facts["n_pages"] if facts.get("fault") is None else 0):
            left = _OPENING_S + _PAGE_S * (number + 1)
            _allow(max(1, left - int(_used_s() - facts["begun"])))
            _answer(answers, *_page(document, number))
    finally:
        pdfium.FPDF_CloseDocument(document)


def _draw(data: bytes, numbers: list[int], side_px: int, answers: BinaryIO) -> None:
    """Answer with pictures of some pages."""
    document = pdfium.FPDF_LoadMemDocument64(data, len(data), None)
    _answer(answers, {"fault": None if document else "it cannot be read", "n_pages": len(numbers)})
    if not document:
        return
    try:
        for number in numbers:
            _allow(_OPENING_S)
            page = pdfium.FPDF_LoadPage(document, number)
            if not page:
                _answer(answers, {"fault": f"page {number + 1} cannot be read"})
                continue
            try:
                picture = PagePicture(page, side_px)
                _answer(answers, {"fault": None, "picture": (picture.width, picture.height)}, picture.rgb())
            finally:
                pdfium.FPDF_ClosePage(page)
    finally:
        pdfium.FPDF_CloseDocument(document)


def _facts(document: object, data: bytes) -> dict[str, Any]:
    n_pages = pdfium.FPDF_GetPageCount(document)
    revision = pdfium.FPDF_GetSecurityHandlerRevision(document)
    version = ctypes.c_int()
    has_version = pdfium.FPDF_GetFileVersion(document, version)
    repaired = not pdfium.FPDF_DocumentHasValidCrossReferenceTable(document)
    fault = None
    if n_pages > MOST_PAGES:
        fault = f"{n_pages} pages, more than {MOST_PAGES}"
    elif repaired and _is_cut(data):
        fault = "truncated: it has no end"
    elif n_pages == 0:
        fault = "damaged: it has no pages"
    return {
        "fault": fault,
        "n_pages": n_pages,
        "version": f"{version.value // 10}.{version.value % 10}" if has_version else None,
        "encrypted": revision >= 0,
        "copy_allowed": revision < 0 or bool(pdfium.FPDF_GetDocUserPermissions(document) & _COPYING),
        "repaired": repaired,
        "form": _FORMS.get(pdfium.FPDF_GetFormType(document)),
        **{name.lower(): _meta(document, name) for name in ("Title", "Author", "Creator", "Producer", "CreationDate")},
        "begun": _used_s(),
    }


def _is_cut(data: bytes) -> bool:
    """Whether a file whose table of objects is not where it should be lacks its end, and not only that table."""
    last = data[max(0, data.rfind(b" obj")) :]
    return b"startxref" not in last and b"%%EOF" not in last


def _meta(document: object, name: str) -> str | None:
    key = name.encode()
    length = pdfium.FPDF_GetMetaText(document, key, None, 0)
    text = utf16(lambda buffer, size: pdfium.FPDF_GetMetaText(document, key, buffer, size), length)
    return " ".join(text.replace("\0", "").split())[:_TITLE_CHARACTERS] or None


def _page(document: object, number: int) -> tuple[dict[str, Any], bytes]:
    page = pdfium.FPDF_LoadPage(document, number)
    if not page:
        return {"fault": f"page {number + 1} cannot be read"}, b""
    try:
        objects = objects_of(page)
        picture = PagePicture(page)
        text = text_of_page(page, objects, picture)
        return {
            "fault": None,
            "width": pdfium.FPDF_GetPageWidthF(page),
            "height": pdfium.FPDF_GetPageHeightF(page),
            "text": text.text,
            "hidden": text.hidden,
            "n_glyphs": text.n_glyphs,
            "n_unmapped": text.n_unmapped,
            "source": text.source,
            "n_images": len(objects.images),
            "image_share": objects.image_share(picture.box),
            "is_blank": not (objects.texts or objects.images or objects.n_others),
            "picture": (picture.width, picture.height),
        }, picture.rgb()
    except MemoryError:
        raise
    except Exception as error:  # of this page alone: what the reader of another one would raise is not known
        return {"fault": f"page {number + 1}: {type(error).__name__}: {error}"}, b""
    finally:
        pdfium.FPDF_ClosePage(page)


def _answer(answers: BinaryIO, values: dict[str, Any], content: bytes = b"") -> None:
    body = json.dumps(values).encode()
    answers.write(b"%d %d\n" % (len(body), len(content)))
    answers.write(body)
    answers.write(content)
    answers.flush()


if __name__ == "__main__":
    main()
