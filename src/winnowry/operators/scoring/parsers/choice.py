"""Parsers by name."""

from __future__ import annotations

from typing import Literal

from winnowry.operators.scoring.parsers.base import Parser
from winnowry.operators.scoring.parsers.chinese_ltp import LtpChinese, ltp_version
from winnowry.operators.scoring.parsers.chinese_udpipe import UdpipeChinese, udpipe_version
from winnowry.operators.scoring.parsers.conllu import ConlluReader
from winnowry.operators.scoring.parsers.english_spacy import SpacyEnglish, spacy_version

ParserName = Literal["spacy", "udpipe", "ltp", "conllu"]

LANGUAGE_OF = {"spacy": "en", "udpipe": "zh", "ltp": "zh"}
"""The one language of each parser; ``conllu`` has any."""


def parser_of(name: ParserName, ltp_model: str) -> Parser:
    """The parser of a name; its model is loaded when it first parses."""
    match name:
        case "spacy":
            return SpacyEnglish()
        case "udpipe":
            return UdpipeChinese()
        case "ltp":
            return LtpChinese(ltp_model)
        case "conllu":
            return ConlluReader()


def parser_version(name: ParserName, ltp_model: str) -> str | None:
    """What identifies the results of a parser: versions and model hash; None where it is not installed."""
    match name:
        case "spacy":
            return spacy_version()
        case "udpipe":
            return udpipe_version()
        case "ltp":
            return ltp_version(ltp_model)
        case "conllu":
            return "conllu"
