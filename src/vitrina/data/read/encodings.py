"""Bytes that are not UTF-8: which encodings they may be in, shown by the words that each one gives."""

from __future__ import annotations

import codecs
import itertools
import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from vitrina.base.errors import ParameterError

MARKS = (  # at the beginning of a file; the longer ones first
    (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8"),
)  # fmt: skip
WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
KNOWN = (
    "cp1251", "koi8-r", "cp866", "cp1252", "cp1250", "cp1253", "cp1255", "cp1256", "shift_jis", "euc_jp", "gbk", "big5", "euc_kr",
    "cp850", "mac_cyrillic", "cp1254", "latin-1",
)  # fmt: skip
FOREIGN = re.compile(rb"[\x40-\xff]*[\x80-\xff][\x40-\xff]*")  # splits at bytes that are no second half of a letter in any of these
WORDS, SHOWN, LENGTH = 300, 3, 16  # words to judge by; words and letters of each to show
FREQUENT = (  # letters of Russian, Greek, Hebrew and Arabic, the frequent ones first
    "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё", "αοειτνσρκπμηυλάίδέγόωχύφςβθώήζξψ", "יוהלאתרבמשנחםדקעפטןכגסזצךףץ",
    "اليمنرتبوكهعسفدقحجصشطةأخضغثزذظىإءئؤآ",
)  # fmt: skip
RANK = {letter: place / len(alphabet) for alphabet in FREQUENT for place, letter in enumerate(alphabet)}
TONOS = set("άέήίόύώΆΈΉΊΌΎΏ")
ICELANDIC = set("þðýÞÐÝ")  # where Turkish has ş, ğ, ı
PLAIN_SIGNS = set("\u2018\u2019\u201c\u201d\u00ab\u00bb\u2013\u2014\u2026\u2116\u20ac\u00a0\u00a3\u00b0\u00ae\u2122")


class Candidate(NamedTuple):
    """An encoding, and the words of the file in it."""

    encoding: str
    words: tuple[str, ...]


def checked(encoding: str) -> str:
    """The name as Python knows it, in its plain form.

    Raises:
        ParameterError: there is no such encoding of text.
    """
    try:
        found = codecs.lookup(encoding)
        "".encode(encoding)
    except (LookupError, ValueError, TypeError):
        near = get_close_matches(str(encoding).lower(), ("utf-8", *WIDE, *KNOWN), n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else "Usual ones: 'utf-8', 'utf-16', 'cp1251', 'cp1252', 'gbk'."
        raise ParameterError(f"There is no encoding {encoding!r}. {hint}") from None
    return "utf-8" if found.name == "utf-8-sig" else found.name


def marked(head: bytes) -> str | None:
    """The encoding that a byte order mark names."""
    return next((name for mark, name in MARKS if head.startswith(mark)), None)


def wide(head: bytes) -> str | None:
    """UTF-16 without a mark: every other byte is zero where the letters are ASCII."""
    zeros = (head[0::2].count(0), head[1::2].count(0))
    if max(zeros) < len(head) // 8 or 4 * min(zeros) >= max(zeros):
        return None
    return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"


def foreign_words(blocks: Iterable[bytes]) -> tuple[list[bytes], list[str]]:
    """Distinct words with bytes beyond ASCII: those that are no UTF-8, and those that are; of a file's first ones."""
    wrong: dict[bytes, None] = {}
    right: dict[str, None] = {}
    rest = b""
    for block in blocks:
        text = rest + block
        cut = text.rfind(b"\n") + 1 or len(text)
        rest = text[cut:]
        _sort_words(text[:cut], wrong, right)
        if len(wrong) >= WORDS:
            break
    else:
        _sort_words(rest, wrong, right)
    return list(wrong), list(right)


def _sort_words(block: bytes, wrong: dict[bytes, None], right: dict[str, None]) -> None:
    for word in FOREIGN.findall(block):
        try:
            text = word.decode("utf-8")
        except UnicodeDecodeError:
            wrong[word] = None
        else:
            if len(right) < WORDS:
                right[text] = None


def likelier_utf8(head: bytes, given: str) -> bool:
    """Whether text that can be UTF-8 is that, though it was said to be in another encoding: its words look no better in that one."""
    _, right = foreign_words([head[: head.rfind(b"\n") + 1 or len(head)]])
    try:
        others = [word.encode().decode(given) for word in right]
    except UnicodeDecodeError:
        return True
    return sum(map(_likeness, right)) >= sum(map(_likeness, others))


def candidates(words: Iterable[bytes]) -> list[Candidate]:
    """Encodings in which all of these words are text, the likeliest first; those that give the same words are named once."""
    words, found = list(words), dict[tuple[str, ...], tuple[float, str]]()
    for encoding in KNOWN:
        try:
            decoded = tuple(word.decode(encoding) for word in words)
        except UnicodeDecodeError:
            continue
        if decoded not in found:
            found[decoded] = (sum(map(_likeness, decoded)) / max(len(decoded), 1), encoding)
    ranked = sorted(((score, Candidate(encoding, decoded)) for decoded, (score, encoding) in found.items()), key=lambda c: -c[0])
    best = ranked[0][0] if ranked else 0.0
    return [candidate for score, candidate in ranked if score >= best / 3][:4]


def _likeness(word: str) -> float:
    """How much a word looks like one that people write, from 0 to 1; judged by the letters beyond ASCII."""
    odd = [letter for letter in word if ord(letter) > 127]
    if not odd:
        return 0.0
    score = sum(map(_letter, odd)) / len(odd)
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in word if letter.isalpha()}
    mixed = len(scripts - {"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "CJK"}) > 1 or {"HANGUL", "CJK"} <= scripts
    turns = sum(a.islower() and b.isupper() for a, b in itertools.pairwise(word))
    accents = "LATIN" in scripts and len(odd) > len(word) / 2 and len(word) > 1  # a word of accents alone
    bare = "GREEK" in scripts and len(word) > 2 and word[1:].islower() and not TONOS & set(word)  # Greek words have an accent
    return score * 0.3 ** (mixed + accents + bare) * 0.4 ** min(turns, 3)


def _letter(letter: str) -> float:
    """How usual one letter is."""
    if letter in PLAIN_SIGNS:
        return 0.6
    if letter.lower() in RANK:
        return (0.95 if letter.isupper() else 1.0) * (1 - 0.8 * RANK[letter.lower()])
    if letter in ICELANDIC:
        return 0.4
    if not letter.isalpha() or "\uff61" <= letter <= "\uff9f":  # half-width kana: what other encodings turn into
        return 0.05
    script = unicodedata.name(letter, "?").split()[0]
    usual = {"HIRAGANA": 0.62, "KATAKANA": 0.62, "HANGUL": 0.62, "GREEK": 0.1}.get(script, 0.4)
    if script == "CJK":
        usual = 0.6 if _common(letter) else 0.1
    if script == "LATIN":
        usual = 0.8 if letter <= "\u017f" or letter in "ƠơƯưȘșȚț" or letter >= "\u1e00" else 0.2
    return usual


def _common(sign: str) -> bool:
    """Whether a Chinese sign is among the 3,755 frequent ones of GB 2312, or the 5,401 of Big5."""
    try:
        return 0xB0 <= sign.encode("gb2312")[0] <= 0xD7
    except UnicodeEncodeError:
        pass
    try:
        return sign.encode("big5")[0] <= 0xC6
    except UnicodeEncodeError:
        return False


def sentence(label: str, where: str, blocks: Iterable[bytes], guess: str | None = None) -> str:
    """What to say of text that isn't UTF-8: the same words in each encoding that they may be in, and how to choose one."""
    wrong, right = foreign_words(blocks)
    found = [Candidate(guess, tuple(_wide_sample(wrong, guess)))] if guess else candidates(wrong)
    begin = f"{label} is not UTF-8 text: {where} holds bytes that mean nothing in it."
    if any("\ufffd" in word for word in right):  # of a zstd file, whose bytes are seen through UTF-8 only
        return f"{begin} Decompress it, for example with zstd -d: the encodings that fit are shown then, and can be named."
    if right and len(right) >= len(wrong):
        return f'{begin} Other rows are UTF-8 ({right[0][:LENGTH]}), so these are damaged. Mend them, or set them aside with on_bad_row="quarantine".'  # fmt: skip
    if not found:
        return f"{begin} No usual encoding fits. Convert it to UTF-8, or name the encoding, for example encoding='cp1252'."
    shown = "; ".join(f"{c.encoding}: {', '.join(word[:LENGTH] for word in c.words[:SHOWN])}" for c in found)
    which = "If that reads right" if len(found) == 1 else "Its words by encoding"
    choose = f"{which}: {shown}." if len(found) > 1 else f"In {shown}."
    take = "Name the one that reads right" if len(found) > 1 else "If that reads right, name it"
    return f"{begin} {choose} {take}, for example encoding={found[0].encoding!r}."


def _wide_sample(wrong: list[bytes], guess: str) -> list[str]:
    return [word.decode(guess, errors="ignore") for word in wrong[:SHOWN]]
