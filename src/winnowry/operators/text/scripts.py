"""``text.scripts``: which scripts a text is written in, and how often it changes between them."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from winnowry.operators.buffers import column, ratio, utf8_buffers
from winnowry.operators.text.heuristic import Heuristic, Limits

_FEWEST_KANA = 0.05


class Scripts(Heuristic):
    """Tell the script of most letters, its share, and how often the script changes from one letter to the next.

    Letters are Unicode general categories L*, without modifier letters and those that several scripts share; marks,
    digits and punctuation go with any script. Han characters, Kana and Bopomofo are one script for the changes, and
    where at least a twentieth of the Han characters and Kana are Kana, they are ``Jpan`` together.

    Writes (null for a null text), prefixed by ``as`` and ``_`` where that is set:

    * ``script`` (string): ISO 15924 code, e.g. Latn, Hani, Jpan, Cyrl; ``Zzzz`` for rare scripts together, ``Zyyy`` for
      a text without letters; of equal shares the first in the alphabet.
    * ``script_ratio`` (float64, 0 to 1): share of the letters in that script; 0.0 without letters. 1 less this is the
      Code-Mixing Index over letters.
    * ``n_scripts`` (int64): scripts with at least one letter.
    * ``script_switch_ratio`` (float64, 0 to 1): changes of script between neighbouring letters ÷ such neighbours; 0.0
      for fewer than two letters. High where languages alternate, or look-alike letters hide words (``pаypаl``).

    Source: Unicode Standard Annex #24 (scripts); Das and Gambäck 2014 (Code-Mixing Index); Pratapa et al. 2018
    (switch-point fraction), both over letters here instead of words.
    """

    LIMITS: ClassVar[Limits] = (
        ("keep", "script", "in"),
        ("min_script_ratio", "script_ratio", ">="),
        ("max_script_switch_ratio", "script_switch_ratio", "<="),
    )

    op: Literal["text.scripts"] = "text.scripts"
    keep: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="ISO 15924 codes of scripts to keep, e.g. [Latn, Hani]; all unless set."
    )
    min_script_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Smallest share of the script of most letters to keep, 0 to 1; off unless set. Source of the idea: "
        "the writing-system filter of NLLB (Costa-jussà et al. 2022, section 5), which asks for most letters.",
    )
    max_script_switch_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest share of changes of script between neighbouring letters to keep, 0 to 1; off unless set. "
        "Source of the idea: switch-point fraction (Pratapa et al. 2018).",
    )

    def writes(self) -> pa.Schema:
        """``script``, ``script_ratio``, ``n_scripts``, ``script_switch_ratio``."""
        types = {
            "script": pa.string(), "script_ratio": pa.float64(), "n_scripts": pa.int64(),
            "script_switch_ratio": pa.float64(),
        }  # fmt: skip
        return pa.schema([pa.field(self._name(name), type_) for name, type_ in types.items()])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts."""
        from winnowry.operators.text.kernels.scripts import CODES, count_scripts, scripts_by_character

        text = utf8_buffers(batch.column("text"))
        counts, switches = count_scripts(text.offsets, text.data, scripts_by_character(), len(CODES))
        n_scripts = (counts > 0).sum(axis=1)
        codes, counts = _with_japanese(CODES, counts)
        best = counts.argmax(axis=1) if len(counts) else np.zeros(0, dtype=np.int64)
        letters = counts.sum(axis=1)
        most = counts[np.arange(len(best)), best]
        names = np.where(letters > 0, codes[best], "Zyyy")
        return pa.record_batch(
            [
                pa.array(names.tolist(), pa.string(), mask=~text.valid),
                column(ratio(most, letters), text.valid),
                column(n_scripts, text.valid),
                column(ratio(switches, np.maximum(letters - 1, 0)), text.valid),
            ],
            schema=self.writes(),
        )


def _with_japanese(
    codes: tuple[str, ...], counts: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.int64]]:
    """Han and Kana as Jpan where Kana are many; columns in the order of the codes."""
    names = [*codes, "Jpan"]
    counts = np.concatenate([counts, np.zeros((len(counts), 1), dtype=np.int64)], axis=1)
    han, kana = [names.index("Hani")], [names.index("Hira"), names.index("Kana")]
    n_kana = counts[:, kana].sum(axis=1)
    together = n_kana + counts[:, han].sum(axis=1)
    japanese = (n_kana > 0) & (n_kana >= _FEWEST_KANA * together)
    counts[japanese, names.index("Jpan")] = together[japanese]
    for number in (*han, *kana):
        counts[japanese, number] = 0
    order = np.argsort(names)
    return np.array(names)[order], counts[:, order]
