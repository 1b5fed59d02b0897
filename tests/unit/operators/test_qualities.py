"""Every operator that measures says as data whose quality a column is about, and which end is better."""

from __future__ import annotations

import pytest

from tests.operator_examples import example_of
from winnowry.operators.base import FittedOperator
from winnowry.operators.media.operator import MediaDerivation
from winnowry.operators.registry import operators

PEOPLE = {
    "image.measure": {
        "luma_mean": None, "luma_std": None, "entropy": None, "dark": None, "bright": None, "p5": None, "p95": None,
        "sharpness": None, "colour": None, "noise": "lower", "blockiness": "lower", "blur": "lower",
    },
    "image.piqe": {"piqe": "lower"},
    "audio.measure": {
        "lufs": None, "rms_dbfs": None, "peak_dbfs": None, "silence_ratio": None, "clip_ratio": "lower",
        "snr_db": "higher",
    },
    "video.facts": {"longest_step_s": "lower"},
    "video.measure": {
        "motion": None, "luma_mean": None, "dynamic_range": None, "black": "lower", "still": "lower",
    },
    "score.readability": {"readability_flesch": "higher", "readability_fog": "lower"},
    "score.formatting_noise": {"formatting_noise": "lower"},
    "score.typing_faults": {"typing_faults": "lower"},
}  # fmt: skip
MACHINE = {
    "image.measure": {"decode_error": "lower"},
    "image.stability": {"flipped_bits_jpeg": "lower", "flipped_bits_half": "lower"},
    "image.resolution": {"detail_share": "higher", "effective_min_side": "higher"},
    "audio.facts": {"decode_error": "lower"},
    "audio.measure": {"decode_error": "lower", "bandwidth_hz": "higher", "empty_channels": "lower"},
    "video.facts": {"decode_error": "lower", "uneven": "lower", "n_backward": "lower"},
    "video.measure": {"decode_error": "lower"},
    "speech.rate": {"chars_s": None},
    "speech.wer": {"wer": "lower"},
    "score.bits_per_byte": {"bits_per_byte": "lower"},
    "score.compression": {"zstd_ratio": None},
    "score.token_fertility": {"chars_per_token": "higher"},
    "score.distinct_ngrams": {"distinct_ngrams": "higher"},
    "score.knowledge_density": {"knowledge_density": "higher"},
    "text.gopher_repetition": {
        f"repetition_duplicate_{name}": "lower"
        for name in (
            "paragraph_ratio", "paragraph_char_ratio", "line_ratio", "line_char_ratio",
            *(f"{n}_gram_char_ratio" for n in range(5, 11)),
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("name", operators())
def test_an_operator_states_the_family_of_its_columns(name: str) -> None:
    if name.partition(".")[0] in ("image", "audio", "video", "speech"):
        pytest.importorskip("PIL")
        pytest.importorskip("soundfile")
        pytest.importorskip("av")
    stated = example_of(name).qualities()
    for family, expected in (("people", PEOPLE), ("machine", MACHINE)):
        assert {
            column: quality.better for column, quality in stated.items() if quality.family == family
        } == expected.get(name, {})


@pytest.mark.parametrize("name", operators())
def test_what_it_states_is_of_columns_that_it_writes_also_under_another_name(name: str) -> None:
    if name.partition(".")[0] in ("image", "audio", "video", "speech"):
        pytest.importorskip("PIL")
        pytest.importorskip("soundfile")
        pytest.importorskip("av")
    operator = example_of(name)
    assert set(operator.QUALITIES) <= set(operator.writes().names)
    if issubclass(type(operator), MediaDerivation):
        return  # it says what a record is, under no other name
    named = example_of(name, **{"as": "other"})
    if not isinstance(operator, FittedOperator):
        assert set(named.qualities()) <= set(named.writes().names)
    assert list(named.qualities().values()) == list(operator.qualities().values())
