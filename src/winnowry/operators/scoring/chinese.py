"""Chinese text for grammatical complexity: sentences, and words with their tags."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.operators.buffers import as_text
from winnowry.operators.scoring.kernels import columns
from winnowry.operators.scoring.parsers.base import Parse
from winnowry.operators.scoring.parsers.chinese_words import sentences, tagged_words
from winnowry.operators.scoring.plain_text import decoded
from winnowry.operators.scoring.trees import flatten, parsed_components


def chinese_tagged_components(texts: pa.Array, *, window: int = 0) -> npt.NDArray[np.float64]:
    """Measure Chinese texts by the tags of their words, without a parser.

    Args:
        texts: n strings; nulls allowed.
        window: 0, or entropies are means over windows of so many words.

    Returns:
        float64 (n, 4): con_ent and pos_ent in bits, sent_len (natural log of words a sentence, sentences as of
        :func:`sentences`), n_words (with a letter); NaN as in the lexical tier.

    Raises:
        UsageError: the extra ``chinese`` is not installed.
    """
    known = [text or "" for text in decoded(as_text(texts))]
    parses = [Parse(words=tagged_words(text, "rjieba")) for text in known]
    parsed, _ = parsed_components(flatten(parses, "jieba"), window=window)
    measured = np.full((len(known), 4), np.nan)
    n_words = parsed[:, columns.PARSED_N_WORDS]
    worded = n_words > 0
    n_sentences = np.array([max(1, len(sentences(text))) for text in known], np.float64)
    measured[:, columns.CON_ENT] = parsed[:, columns.PARSED_CON_ENT]
    measured[:, columns.POS_ENT] = parsed[:, columns.PARSED_POS_ENT]
    measured[worded, columns.SENT_LEN] = np.log(n_words[worded] / n_sentences[worded])
    measured[:, columns.N_WORDS] = n_words
    measured[np.array([not text.is_valid for text in texts], np.bool_)] = np.nan
    return measured
