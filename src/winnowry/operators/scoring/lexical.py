"""Components of grammatical complexity without a tagger: counts of words by one compiled pass over the bytes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.operators.scoring.function_words import FUNCTION_WORDS


def lexical_components(texts: pa.Array, *, window: int = 0) -> npt.NDArray[np.float64]:
    """Measure texts by their words.

    A word is a run of letters and digits with at least one letter (an apostrophe may be inside; an ideograph is a
    word of its own). A sentence ends at ``. ! ?`` before a space and no lower-case letter, and at a line break unless
    the next line goes on in lower case. Texts mostly in another script have no ``pos_ent``: the function words are
    English.

    Args:
        texts: n strings (``pa.string()`` or ``pa.large_string()``); nulls allowed, invalid UTF-8 is passed over.
        window: 0, or entropies are means over consecutive windows of so many words; the rest behind whole windows is
            left out, a text shorter than one window is one.

    Returns:
        float64 (n, 4): con_ent (bits, over surface forms of content words), pos_ent (bits, over function words, lower
        case), sent_len (natural log of words a sentence), n_words. NaN: nothing to measure; all four for a null.

    Source: this project, after the components of Ying et al., EMNLP 2025 main 1121.

    >>> lexical_components(pa.array(["Cats chase cats. Dogs sleep."])).round(3).tolist()
    [[2.322, 0.0, 0.916, 5.0]]
    """
    from winnowry.operators.scoring.kernels.words import function_word_table, measure

    texts = texts.cast(pa.large_string())
    n = len(texts)
    measured = np.empty((n, 4), np.float64)
    if n == 0:
        return measured
    _, offset_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offset_buffer, np.int64)[texts.offset : texts.offset + n + 1]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.empty(0, np.uint8)
    known, numbers = function_word_table(FUNCTION_WORDS)
    measure(offsets, data, known, numbers, len(FUNCTION_WORDS), window, measured)
    if texts.null_count:
        measured[pc.is_null(texts).to_numpy(zero_copy_only=False)] = np.nan
    return measured
