"""Texts that are parsed already: CoNLL-U, the format of Universal Dependencies."""

from __future__ import annotations

from collections.abc import Sequence

from winnowry.operators.scoring.parsers.base import Parse, Sentence

_ID, _FORM, _UPOS, _XPOS, _HEAD, _DEPREL = 0, 1, 3, 4, 6, 7
_N_FIELDS = 10


class ConlluReader:
    """Reads CoNLL-U; needs no package and no model.

    A sentence ends at a blank line. Comments, ranges of a multiword token (``1-2``) and empty nodes (``1.1``) are
    passed over, so the syntactic words remain; their numbers must run 1, 2, 3. A text with another line is unreadable
    as a whole: half a parse would be a wrong measure. Whether heads form a tree is not judged here.

    Source: Universal Dependencies, CoNLL-U format (https://universaldependencies.org/format.html).
    """

    def parse(self, texts: Sequence[str]) -> list[Parse]:
        """Read n texts in CoNLL-U."""
        return [read_conllu(text) for text in texts]


def read_conllu(text: str) -> Parse:
    r"""Read one text in CoNLL-U.

    >>> cats = "1\tCats\tcat\tNOUN\tNNS\t_\t2\tnsubj\t_\t_\n2\tsleep\tsleep\tVERB\tVBP\t_\t0\troot\t_\t_\n"
    >>> read_conllu(cats).sentences[0].heads
    (2, 0)
    >>> read_conllu("not a parse").unreadable
    True
    """
    sentences: list[Sentence] = []
    rows: list[list[str]] = []
    for line in text.split("\n"):
        line = line.rstrip("\r")
        if not line.strip():
            if rows:
                sentences.append(_sentence(rows))
                rows = []
            continue
        if line.startswith("#"):
            continue
        fields = line.split("\t")
        number = fields[_ID]
        if len(fields) == _N_FIELDS and not number.isdecimal() and number.replace("-", "").replace(".", "").isdecimal():
            continue
        if len(fields) != _N_FIELDS or number != str(len(rows) + 1) or not _is_number(fields[_HEAD]):
            return Parse(unreadable=True)
        rows.append(fields)
    if rows:
        sentences.append(_sentence(rows))
    return Parse(sentences)


def _is_number(head: str) -> bool:
    return len(head) <= 9 and head.removeprefix("-").isascii() and head.removeprefix("-").isdecimal()


def _sentence(rows: list[list[str]]) -> Sentence:
    columns = list(zip(*rows, strict=True))
    return Sentence(
        forms=columns[_FORM],
        xpos=tuple("" if tag == "_" else tag for tag in columns[_XPOS]),
        upos=tuple("" if tag == "_" else tag for tag in columns[_UPOS]),
        heads=tuple(int(head) for head in columns[_HEAD]),
        deprels=columns[_DEPREL],
    )
