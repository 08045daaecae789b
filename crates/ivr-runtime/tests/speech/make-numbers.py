#!/usr/bin/env python3
"""Makes numbers.txt: numbers in words by num2words, the judge of what the fragments say.

    python3 -m venv v && v/bin/pip install num2words==0.5.14 && v/bin/python make-numbers.py

One line each: language, kind (c cardinal, o ordinal, y year), number, words. American English is
British without "and".
"""

import random
import re
from pathlib import Path

from num2words import num2words

LANGUAGES = ["en", "es", "fr", "de"]
rng = random.Random(20261125)


def sampled():
    yield from (1_000, 1_001, 1_010, 1_100, 1_101, 1_999, 2_000, 2_001, 10_000, 11_000, 21_000)
    yield from (21_001, 31_031, 71_000, 80_000, 81_081, 91_000, 100_000, 100_001, 101_000, 101_101)
    yield from (121_000, 200_000, 200_080, 201_000, 500_100, 999_999, 1_000_000, 1_000_001)
    yield from (1_001_000, 2_000_000, 11_000_000, 21_000_000, 31_000_000, 80_000_000, 81_000_000)
    yield from (100_000_000, 100_000_001, 101_000_000, 121_000_000, 200_000_000, 999_000_999, 999_999_999)
    for digits in range(4, 10):
        for _ in range(40):
            yield rng.randrange(10 ** (digits - 1), 10**digits)


def mended(language, words):
    # num2words does not shorten "uno" before a noun ("veintiuno mil"); the Academy does
    # (Diccionario panhispánico de dudas, "cardinales").
    if language == "es":
        words = re.sub(r"veintiuno (mil|millones)\b", r"veintiún \1", words)
        words = re.sub(r"\buno (mil|millones)\b", r"un \1", words)
        # Its 11th, 12th and 40th are misspelt; the Academy prefers these, and the teens in one word.
        words = {"décimoprimero": "undécimo", "décimosegundo": "duodécimo"}.get(words, words)
        words = re.sub(r"^décimo o?(?=\w)", "decimo", words).replace("quadrag", "cuadrag")
    # Nor is "eins" shortened in the middle of a number (Duden: "hunderteintausend"),
    if language == "de":
        words = words.replace("einstausend", "eintausend").replace("eins Mill", "eine Mill")
    # and "quatre-vingts" loses its s before the ending (Littré).
    if language == "fr":
        words = words.replace("vingtsième", "vingtième")
    return words


lines = []
above = sorted(set(sampled()))
for language in LANGUAGES:
    for n in [*range(1_000), *above]:
        lines.append((language, "c", n, mended(language, num2words(n, lang=language))))
    for n in range(1, 100):
        lines.append((language, "o", n, mended(language, num2words(n, lang=language, to="ordinal"))))
    for year in [*range(1900, 2200, 7), 1900, 2000, 2001, 2009, 2010, 2026, 2100]:
        lines.append((language, "y", year, num2words(year, lang=language, to="year")))
with open(Path(__file__).with_name("numbers.txt"), "w", encoding="utf-8") as out:
    for line in lines:
        out.write(" ".join(map(str, line)) + "\n")
