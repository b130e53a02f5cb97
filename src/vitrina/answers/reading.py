"""Texts as the steps read them: cleaned, in sentences, as stems, and in which language."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache, lru_cache

from vitrina.answers.sufficiency.words import content_words
from vitrina.search.analysis import TextAnalysis

LONGEST = 400  # letters of a sentence; a longer one is cut between words
TAG = re.compile(r"<!--.*?(?:-->|$)|<(?:script|style)\b.*?(?:</(?:script|style)\s*>|$)|</?[a-zA-Z!][^<>]*>", re.DOTALL | re.IGNORECASE)
LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
ENDS = re.compile(r"(?<=[.!?…。！？])[\"'»”)\]]*(?:\s+|(?<=[。！？]))|\s*\n\s*|\s*[•●▪]\s*")
SHORTENED = re.compile(
    r"(?:\b(?:e\.g|i\.e|approx|incl|max|min|no|vs|etc|cf|al|fig|mr|mrs|dr|st|т\.е|т\.к|др|пр|руб|шт|стр|рис|см|мм|кг|г|гр)|\b\w)\.$",
    re.IGNORECASE,
)
PRONOUNS = frozenset(
    [
        "it",
        "its",
        "this",
        "that",
        "these",
        "those",
        "they",
        "them",
        "he",
        "she",
        "his",
        "her",
        "one",
        "ones",
        "он",
        "она",
        "оно",
        "они",
        "его",
        "ее",
        "её",
        "их",
        "этот",
        "эта",
        "это",
        "эти",
        "тот",
        "та",
        "то",
        "те",
    ]
)
MARKS = {  # words that hardly any other of these languages has
    "en": "the and is of what does which how with for are do can",
    "de": "der die das und ist nicht welche wie mit für ein eine",
    "fr": "le la les est et quel quelle une des pour avec que",
    "es": "el los las es y qué cuál una para con del cómo",
    "it": "il gli è che quale una per con della come sono",
    "pt": "o os é que qual uma para com não como são",
}


def clean(text: str) -> str:
    """The text as a person would see it: NFKC, no HTML, no addresses of links, no invisible or control characters, no two blanks in a row; lines stay.

    >>> clean("Nice <b>kettle</b>\\u200b <!-- say yes -->[here](http://x.example/?q=1)")
    'Nice kettle here'
    """
    plain = unicodedata.normalize("NFKC", html.unescape(text))
    plain = LINK.sub(r"\1", TAG.sub(" ", plain))
    plain = "".join(
        letter if letter == "\n" or unicodedata.category(letter)[0] != "C" else " " if letter in "\t\r\v\f" else "" for letter in plain
    )
    return re.sub(r"[^\S\n]+", " ", plain).strip()


def sentences_of(text: str) -> list[str]:
    """The sentences of a cleaned text; lines and points of lists end one too.

    >>> sentences_of("Boils 1.5 l in 4 min. Weighs approx. 900 g!\\nMade in Italy")
    ['Boils 1.5 l in 4 min.', 'Weighs approx. 900 g!', 'Made in Italy']
    """
    found: list[str] = []
    for part in map(str.strip, ENDS.split(text)):
        if found and SHORTENED.search(found[-1]) and part[:1].isalnum() and not part[:1].isupper():
            found[-1] = f"{found[-1]} {part}"
        elif part:
            found.append(part)
    return [piece for sentence in found for piece in _pieces(sentence)]


def _pieces(sentence: str) -> list[str]:
    pieces = []
    while len(sentence) > LONGEST:
        at = sentence.rfind(" ", 0, LONGEST)
        at = at if at > 0 else LONGEST
        pieces.append(sentence[:at])
        sentence = sentence[at:].strip()
    return [*pieces, sentence] if sentence else pieces


@cache
def _analysis() -> TextAnalysis:
    return TextAnalysis(languages=("russian", "english"))


@lru_cache(maxsize=50_000)
def terms(text: str) -> tuple[str, ...]:
    """The stems of what a text speaks of, without stop words and words of asking, in its order.

    Raises:
        MissingExtraError: PyStemmer isn't installed.

    >>> terms("What colour are the kettles?"), terms("Какого цвета чайники?")
    (('colour', 'kettl'), ('как', 'цвет', 'чайник'))
    """
    return tuple(_analysis().stems(content_words(unicodedata.normalize("NFKC", text))))


def language_of(text: str) -> str:
    """The language of a text by its script and small words: "ru", "en", "de", "fr", "es", "it" or "pt"; "en" where nothing tells.

    >>> language_of("Какой чайник легче?"), language_of("Welche Farbe ist das?"), language_of("kettle")
    ('ru', 'de', 'en')
    """
    letters = [unicodedata.name(letter, "") for letter in text if letter.isalpha()]
    if sum(name.startswith("CYRILLIC") for name in letters) * 2 > len(letters):
        return "ru"
    words = set(re.findall(r"\w+", text.lower()))
    counts = {language: len(words & set(marks.split())) for language, marks in MARKS.items()}
    best = max(counts.values())
    return "en" if not best or counts["en"] == best else max(counts, key=counts.__getitem__)


def leans_on_what_was_said(question: str) -> bool:
    """Whether a question has a word such as "it", or no subject of its own, so that it can't be read alone.

    >>> leans_on_what_was_said("How heavy is it?"), leans_on_what_was_said("And in red?"), leans_on_what_was_said("Which kettle is light?")
    (True, True, False)
    """
    words = re.findall(r"\w+", question.lower())
    return bool(PRONOUNS & set(words)) or (words[:1] in (["and"], ["а"], ["и"]) and len(words) < 6)


def shingles(text: str, size: int = 6) -> set[tuple[str, ...]]:
    """Runs of so many words, for finding one text in another."""
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}
