# Written by `python -m winnowry.api.operator_stub`.
from winnowry.operators.chat.refusal import RefusalMarks as _RefusalMarks
from winnowry.operators.chat.split import GroupSplit as _GroupSplit
from winnowry.operators.chat.structure import Structure as _Structure
from winnowry.operators.chat.tokens import ChatRender as _ChatRender
from winnowry.operators.chat.tokens import ChatTokens as _ChatTokens
from winnowry.operators.dedup.content import ContentDuplicates as _ContentDuplicates
from winnowry.operators.dedup.decontaminate import Decontaminate as _Decontaminate
from winnowry.operators.dedup.exact import ExactDuplicates as _ExactDuplicates
from winnowry.operators.dedup.image import ImageDuplicates as _ImageDuplicates
from winnowry.operators.dedup.minhash import MinHash as _MinHash
from winnowry.operators.dedup.prompt import PromptDuplicates as _PromptDuplicates
from winnowry.operators.dedup.prompt import PromptNearDuplicates as _PromptNearDuplicates
from winnowry.operators.dedup.repeats import RepeatedLines as _RepeatedLines
from winnowry.operators.dedup.repeats import RepeatedParagraphs as _RepeatedParagraphs
from winnowry.operators.labels.agreement import LabelAgreement as _LabelAgreement
from winnowry.operators.labels.convention import LabelConvention as _LabelConvention
from winnowry.operators.labels.geometry import LabelGeometry as _LabelGeometry
from winnowry.operators.labels.masks import LabelMasks as _LabelMasks
from winnowry.operators.labels.poses import LabelPoses as _LabelPoses
from winnowry.operators.labels.projection import LabelProjection as _LabelProjection
from winnowry.operators.labels.state import LabelState as _LabelState
from winnowry.operators.labels.tracks import LabelTracks as _LabelTracks
from winnowry.operators.labels.typical_size import LabelTypicalSize as _LabelTypicalSize
from winnowry.operators.media.audio_facts import AudioFacts as _AudioFacts
from winnowry.operators.media.audio_measure import AudioMeasure as _AudioMeasure
from winnowry.operators.media.document_facts import DocumentFacts as _DocumentFacts
from winnowry.operators.media.document_pages import DocumentPages as _DocumentPages
from winnowry.operators.media.image import ImageDecode as _ImageDecode
from winnowry.operators.media.interleaved import InterleavedImages as _InterleavedImages
from winnowry.operators.media.measure import ImageMeasure as _ImageMeasure
from winnowry.operators.media.piqe import ImagePiqe as _ImagePiqe
from winnowry.operators.media.resolution import ImageResolution as _ImageResolution
from winnowry.operators.media.speech_rate import SpeechRate as _SpeechRate
from winnowry.operators.media.speech_segments import SpeechSegments as _SpeechSegments
from winnowry.operators.media.stability import ImageStability as _ImageStability
from winnowry.operators.media.video_facts import VideoFacts as _VideoFacts
from winnowry.operators.media.video_measure import VideoMeasure as _VideoMeasure
from winnowry.operators.media.video_shots import VideoShots as _VideoShots
from winnowry.operators.media.word_errors import WordErrorRate as _WordErrorRate
from winnowry.operators.motion.limits import MotionLimits as _MotionLimits
from winnowry.operators.motion.motion import MotionMeasure as _MotionMeasure
from winnowry.operators.motion.structure import MotionStructure as _MotionStructure
from winnowry.operators.pairs.check import PairCheck as _PairCheck
from winnowry.operators.pairs.length import PairLength as _PairLength
from winnowry.operators.reasoning.final import CotFinal as _CotFinal
from winnowry.operators.reasoning.final import Verifiable as _Verifiable
from winnowry.operators.reasoning.pass_rate import PassRate as _PassRate
from winnowry.operators.reasoning.steps import CotSteps as _CotSteps
from winnowry.operators.rubric.praise import Praise as _Praise
from winnowry.operators.rubric.programs import Programs as _Programs
from winnowry.operators.rubric.reward import Reward as _Reward
from winnowry.operators.scoring.bits_per_byte import BitsPerByte as _BitsPerByte
from winnowry.operators.scoring.column import Column as _Column
from winnowry.operators.scoring.compression import Compression as _Compression
from winnowry.operators.scoring.distinct_ngrams import DistinctNgrams as _DistinctNgrams
from winnowry.operators.scoring.dsir import Dsir as _Dsir
from winnowry.operators.scoring.formatting_noise import FormattingNoise as _FormattingNoise
from winnowry.operators.scoring.grammatical_complexity import GrammaticalComplexity as _GrammaticalComplexity
from winnowry.operators.scoring.knowledge_density import KnowledgeDensity as _KnowledgeDensity
from winnowry.operators.scoring.readability import Readability as _Readability
from winnowry.operators.scoring.token_count import TokenCount as _TokenCount
from winnowry.operators.scoring.token_fertility import TokenFertility as _TokenFertility
from winnowry.operators.scoring.typing_faults import TypingFaults as _TypingFaults
from winnowry.operators.text.c4 import C4 as _C4
from winnowry.operators.text.c4_paragraph import C4Paragraph as _C4Paragraph
from winnowry.operators.text.characters import Characters as _Characters
from winnowry.operators.text.chinese import Chinese as _Chinese
from winnowry.operators.text.chunks import Chunks as _Chunks
from winnowry.operators.text.classifier import Classifier as _Classifier
from winnowry.operators.text.extract_html import ExtractHtml as _ExtractHtml
from winnowry.operators.text.extract_markdown import ExtractMarkdown as _ExtractMarkdown
from winnowry.operators.text.fineweb import FineWeb as _FineWeb
from winnowry.operators.text.gopher_quality import GopherQuality as _GopherQuality
from winnowry.operators.text.gopher_repetition import GopherRepetition as _GopherRepetition
from winnowry.operators.text.language import Language as _Language
from winnowry.operators.text.length import Length as _Length
from winnowry.operators.text.lines import Lines as _Lines
from winnowry.operators.text.normalize_unicode import NormalizeUnicode as _NormalizeUnicode
from winnowry.operators.text.pii import Pii as _Pii
from winnowry.operators.text.repair_encoding import RepairEncoding as _RepairEncoding
from winnowry.operators.text.scripts import Scripts as _Scripts
from winnowry.operators.text.string_filters import StringFilters as _StringFilters
from winnowry.operators.text.url_filter import UrlFilter as _UrlFilter
from winnowry.operators.text.word_lists import WordLists as _WordLists

class audio:
    facts = _AudioFacts
    measure = _AudioMeasure

class chat:
    refusal = _RefusalMarks
    render = _ChatRender
    structure = _Structure
    tokens = _ChatTokens

class cot:
    final = _CotFinal
    steps = _CotSteps

class dedup:
    content = _ContentDuplicates
    exact = _ExactDuplicates
    image = _ImageDuplicates
    lines = _RepeatedLines
    minhash = _MinHash
    paragraphs = _RepeatedParagraphs
    prompt = _PromptDuplicates
    prompt_minhash = _PromptNearDuplicates

class document:
    facts = _DocumentFacts
    pages = _DocumentPages

class group:
    split = _GroupSplit

class image:
    decode = _ImageDecode
    measure = _ImageMeasure
    piqe = _ImagePiqe
    resolution = _ImageResolution
    stability = _ImageStability

class interleaved:
    images = _InterleavedImages

class labels:
    agreement = _LabelAgreement
    convention = _LabelConvention
    geometry = _LabelGeometry
    masks = _LabelMasks
    poses = _LabelPoses
    projection = _LabelProjection
    state = _LabelState
    tracks = _LabelTracks
    typical_size = _LabelTypicalSize

class mocap:
    limits = _MotionLimits
    motion = _MotionMeasure
    structure = _MotionStructure

class pairs:
    check = _PairCheck
    length = _PairLength

class rl:
    pass_rate = _PassRate
    verifiable = _Verifiable

class rubric:
    praise = _Praise
    programs = _Programs
    reward = _Reward

class score:
    bits_per_byte = _BitsPerByte
    column = _Column
    compression = _Compression
    distinct_ngrams = _DistinctNgrams
    dsir = _Dsir
    formatting_noise = _FormattingNoise
    grammatical_complexity = _GrammaticalComplexity
    knowledge_density = _KnowledgeDensity
    readability = _Readability
    token_count = _TokenCount
    token_fertility = _TokenFertility
    typing_faults = _TypingFaults

class speech:
    rate = _SpeechRate
    segments = _SpeechSegments
    wer = _WordErrorRate

class text:
    c4 = _C4
    c4_paragraph = _C4Paragraph
    characters = _Characters
    chinese = _Chinese
    chunks = _Chunks
    classifier = _Classifier
    decontaminate = _Decontaminate
    extract_html = _ExtractHtml
    extract_markdown = _ExtractMarkdown
    fineweb = _FineWeb
    gopher_quality = _GopherQuality
    gopher_repetition = _GopherRepetition
    language = _Language
    length = _Length
    lines = _Lines
    normalize_unicode = _NormalizeUnicode
    pii = _Pii
    repair_encoding = _RepairEncoding
    scripts = _Scripts
    string_filters = _StringFilters
    url_filter = _UrlFilter
    word_lists = _WordLists

class video:
    facts = _VideoFacts
    measure = _VideoMeasure
    shots = _VideoShots
