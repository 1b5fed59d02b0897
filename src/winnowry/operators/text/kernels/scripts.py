"""Letters by script."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.characters import decode
from winnowry.operators.text.kernels.compile import kernel

CODES = (
    "Zyyy", "Zzzz", "Latn", "Grek", "Cyrl", "Armn", "Hebr", "Arab", "Syrc", "Thaa", "Deva", "Beng", "Guru", "Gujr",
    "Orya", "Taml", "Telu", "Knda", "Mlym", "Sinh", "Thai", "Laoo", "Tibt", "Mymr", "Geor", "Ethi", "Khmr", "Mong",
    "Hani", "Hira", "Kana", "Bopo", "Hang", "Yiii", "Cans", "Cher", "Tfng", "Nkoo", "Olck", "Java",
)  # fmt: skip
"""ISO 15924 codes: Zyyy is no letter or one of several scripts, Zzzz a letter of a script not listed here."""
EAST_ASIAN = tuple(CODES.index(code) for code in ("Hani", "Hira", "Kana", "Bopo"))
"""Scripts that one language writes side by side: between them nothing switches."""

_NAMES = {
    "LATIN": "Latn", "GREEK": "Grek", "CYRILLIC": "Cyrl", "ARMENIAN": "Armn", "HEBREW": "Hebr", "ARABIC": "Arab",
    "SYRIAC": "Syrc", "THAANA": "Thaa", "DEVANAGARI": "Deva", "BENGALI": "Beng", "GURMUKHI": "Guru",
    "GUJARATI": "Gujr", "ORIYA": "Orya", "TAMIL": "Taml", "TELUGU": "Telu", "KANNADA": "Knda", "MALAYALAM": "Mlym",
    "SINHALA": "Sinh", "THAI": "Thai", "LAO": "Laoo", "TIBETAN": "Tibt", "MYANMAR": "Mymr", "GEORGIAN": "Geor",
    "ETHIOPIC": "Ethi", "KHMER": "Khmr", "MONGOLIAN": "Mong", "CJK": "Hani", "IDEOGRAPHIC": "Hani", "HIRAGANA": "Hira",
    "KATAKANA": "Kana", "HENTAIGANA": "Hira", "BOPOMOFO": "Bopo", "HANGUL": "Hang", "YI": "Yiii", "CANADIAN": "Cans",
    "CHEROKEE": "Cher", "TIFINAGH": "Tfng", "NKO": "Nkoo", "OL": "Olck",
    "JAVANESE": "Java",
}  # fmt: skip
_SEVERAL = frozenset(
    ("MODIFIER", "MATHEMATICAL", "MICRO", "SCRIPT", "DOUBLE-STRUCK", "BLACK-LETTER", "ALEF", "BET", "GIMEL", "DALET",
     "INFORMATION", "KATAKANA-HIRAGANA", "EULER", "VERTICAL", "MASU", "CARON", "VEDIC", "PLANCK")
)  # fmt: skip
_NAMED_OTHERWISE = {0xAA: "Latn", 0xBA: "Latn", 0x2071: "Latn", 0x207F: "Latn", 0x2132: "Latn", 0x214E: "Latn",
                    0x2183: "Latn", 0x2184: "Latn", 0x2126: "Grek", 0x212A: "Latn", 0x212B: "Latn", 0x303C: "Zyyy",
                    0x3006: "Zyyy", 0x374: "Zyyy", 0x640: "Zyyy", 0xA9CF: "Zyyy",
                    0x303B: "Hani", 0x16FE3: "Hani", 0xFF9E: "Zyyy", 0xFF9F: "Zyyy"}  # fmt: skip
_FORMS = ("FULLWIDTH", "HALFWIDTH", "SUBSCRIPT")


@cache
def scripts_by_character() -> npt.NDArray[np.uint8]:
    """Index in :data:`CODES` of every code point (uint8, 1,114,112 values), from the names in Python's database.

    Marks, digits, punctuation, symbols and modifier letters are ``Zyyy``: they go with any script.
    """
    table = np.zeros(0x110000, dtype=np.uint8)
    index = {code: number for number, code in enumerate(CODES)}
    for point in range(0x40000):
        character = chr(point)
        if unicodedata.category(character)[0] != "L":
            continue
        words = unicodedata.name(character, "UNNAMED").split()
        first = words[1] if words[0] in _FORMS else words[0]
        named = "Zyyy" if first in _SEVERAL else _NAMES.get(first, "Zzzz")
        table[point] = index[_NAMED_OTHERWISE.get(point, named)]
    return table


@kernel
def count_scripts(
    offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], scripts: npt.NDArray[np.uint8], n_scripts: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Letters of each script (int64 of shape (n, n_scripts)) and changes of script between letters (int64 of n).

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        scripts: script of each code point; 0 is none.
        n_scripts: how many there are.
    """
    n = offsets.size - 1
    counts = np.zeros((n, n_scripts), dtype=np.int64)
    switches = np.zeros(n, dtype=np.int64)
    for i in range(n):
        p = offsets[i]
        end = offsets[i + 1]
        last = np.int64(0)
        while p < end:
            point, width = decode(data, p, end)
            p += width
            script = np.int64(scripts[point])
            if script == 0:
                continue
            counts[i, script] += 1
            if 28 <= script <= 31:
                script = np.int64(28)
            if last != 0 and script != last:
                switches[i] += 1
            last = script
    return counts, switches
