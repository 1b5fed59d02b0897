"""Make two recordings and a manifest of six rows: python make_speech.py ROOT."""

import json
import sys
from pathlib import Path

import numpy
import soundfile

RATE = 16_000
SENTENCES = {
    "anna": ["The first sentence that Anna reads.", "A second one, after a pause.", "And here is the last of hers."],
    "bert": ["Bert reads something else.", "He speaks a little faster than she does.", "Then he stops."],
}


def spoken(seconds: float, pitch: float) -> numpy.ndarray:
    """A buzz that rises and falls as syllables do; no voice, but it is loud where one would be."""
    t = numpy.arange(round(seconds * RATE)) / RATE
    buzz = sum(numpy.sin(2 * numpy.pi * pitch * k * t) / k for k in range(1, 16))
    return 0.12 * buzz * (0.55 + 0.45 * numpy.sin(2 * numpy.pi * 4 * t))


landing = Path(sys.argv[1]) / "landing/speech"
(landing / "wavs").mkdir(parents=True, exist_ok=True)
rows = []
for number, (speaker, sentences) in enumerate(SENTENCES.items()):
    parts, at = [numpy.zeros(RATE)], 1.0
    for index, sentence in enumerate(sentences):
        seconds = 3.2 + 0.4 * index
        row = {"id": f"{speaker}-{index}", "audio_filepath": f"wavs/{speaker}.flac", "offset": at, "duration": seconds}
        rows.append({**row, "text": sentence, "speaker": speaker})
        parts += [spoken(seconds, 110 + 60 * number), numpy.zeros(RATE)]
        at += seconds + 1.0
    soundfile.write(landing / f"wavs/{speaker}.flac", numpy.concatenate(parts), RATE, subtype="PCM_16")
rows.append({**rows[0], "id": "anna-9", "offset": 60.0, "text": "There is no such minute in the recording."})
(landing / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
