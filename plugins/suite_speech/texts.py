"""Texts to be read aloud: numbers, letters, spelled words, dates, amounts, telephone sentences, and others.

Each is drawn at random from a small grammar, in the form that a synthesizer reads; its transcript has letters only (see
``suite.codecs.characters.speakable``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

Random = np.random.Generator
T = TypeVar("T")

DIGITS = "zero one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
#: Names to spell and to ask for.
NAMES = (
    "Adam Alice Anna Boston Brown Carter Chicago Clark Daniel David Denver Diana Edward Emily Evans Frank George Green "
    "Hannah Harris Henry Irene Jackson James Johnson Kevin Laura Lewis London Maria Martin Miller Nancy Oliver Oscar "
    "Parker Paris Peter Quinn Rachel Robert Sarah Seattle Smith Sophie Taylor Thomas Turner Victor Walker Wilson "
    "Wright Xavier Young Yvonne Zachary Zoe"
).split()
THINGS = (
    "account number|agent number|area code|birthday|card number|conference number|country code|date|department|"
    "extension|four digit code|house number|invoice number|mailbox number|membership number|new password|order number|"
    "password|personal identification number|phone number|pin|postal code|reference number|room number|security code|"
    "telephone number|ticket number|user name|zip code"
).split("|")
PLACES = (
    "accounting|billing|the company directory|customer service|directory assistance|the front desk|human resources|"
    "the main menu|marketing|new orders|an operator|opening hours|the previous menu|repairs|reservations|sales|"
    "shipping|support|technical support|the warehouse|your messages|your mailbox options"
).split("|")
DOINGS = (
    "accept this call|add a participant|cancel|change your greeting|change your password|continue|delete this message|"
    "end the conference|erase this recording|exit|forward this message|go back|hang up|hear more options|"
    "hear the next message|hear this message again|hold|increase the volume|decrease the volume|join the conference|"
    "leave a message|listen to it|lock the conference|mute yourself|unmute yourself|play the recording|"
    "record your name|repeat this menu|return to the main menu|return this call|save this message|send a reply|"
    "skip this message|speak with an agent|start over|transfer this call|try again|turn it off|turn it on|"
    "record a new greeting"
).split("|")
KEYS = [*DIGITS, "star", "pound", "the pound key", "the star key"]
STATES = (
    "activated added already in use answered available away busy cancelled closed complete connected deleted disabled "
    "disconnected enabled full incorrect invalid locked lost muted not available now available now open off on "
    "online open recorded removed saved unavailable unknown unlocked waiting"
).split()
SUBJECTS = (
    "The account|The call|The conference|The directory|The extension|The line|The mailbox|The message|The number|"
    "The operator|The person you are calling|The recording|The server|The system|The telephone|This extension|"
    "This feature|Your account|Your call|Your greeting|Your line|Your message|Your password|Your phone|Your request"
).split("|")


def _one(random: Random, some: Sequence[T]) -> T:
    return some[int(random.integers(len(some)))]


def cardinal(number: int, *, joined: bool = False) -> str:
    """A whole number below a million in words; ``joined`` with "and" after the hundreds, as in British English."""
    if number < 10:
        return DIGITS[number]
    if number < 20:
        return TEENS[number - 10]
    if number < 100:
        return TENS[number // 10 - 2] + (f" {DIGITS[number % 10]}" if number % 10 else "")
    size, word = (1000, "thousand") if number >= 1000 else (100, "hundred")
    rest = number % size
    link = " and " if joined and 0 < rest < 100 else " "
    return f"{cardinal(number // size, joined=joined)} {word}" + (link + cardinal(rest, joined=joined) if rest else "")


def numbers(random: Random) -> str:
    """One to six digits, one by one or as a number."""
    count = int(random.integers(1, 7))
    digits = random.integers(0, 10, count)
    if random.random() < 0.6:
        words = [DIGITS[digit] for digit in digits]
        if random.random() < 0.15:
            words = ["oh" if word == "zero" else word for word in words]
        return " ".join(words)
    return cardinal(int("".join(map(str, digits))), joined=random.random() < 0.3)


def letters(random: Random) -> str:
    """One to six letters, or letters and digits."""
    count, mixed = int(random.integers(1, 7)), random.random() < 0.25
    some = [chr(65 + int(random.integers(26))) for _ in range(count)]
    return ", ".join(_one(random, DIGITS) if mixed and random.random() < 0.4 else letter for letter in some)


def spelled(random: Random) -> str:
    """A name, and its letters."""
    name = _one(random, NAMES)
    apart = ", ".join(name.upper())
    return _one(random, (f"{name}, {apart}", apart, f"{name} is spelled {apart}", f"My name is {name}, {apart}"))


def amounts(random: Random) -> str:
    """Dates, times, amounts of money and of other things."""
    n = int(random.integers(1, 60))
    day = int(random.integers(1, 21))
    hour, minute = cardinal(int(random.integers(1, 13))), int(random.integers(1, 60))
    spoken = f"oh {DIGITS[minute]}" if minute < 10 else cardinal(minute)
    clock = _one(random, ("in the morning", "in the afternoon", "in the evening", "A M", "P M"))
    date = f"{_one(random, MONTHS)} {ORDINALS[day - 1]}"
    year = f"{_one(random, ('nineteen', 'twenty'))} {cardinal(int(random.integers(10, 99)))}"
    money = f"{cardinal(int(random.integers(2, 1000)))} dollars"
    things = _one(random, ("messages", "minutes", "seconds", "callers", "calls", "percent", "days", "hours", "people"))
    return _one(random, (
        f"{_one(random, DAYS)}, {date}", f"{date}, {year}", f"{date}", f"{hour} {spoken} {clock}",
        f"{hour} o'clock", f"{money}", f"{money} and {cardinal(n)} cents", f"{cardinal(n + 1)} {things}",
        f"Today is {_one(random, DAYS)}, {date}", f"The time is {hour} {spoken} {clock}",
        f"Your balance is {money} and {cardinal(n)} cents", f"You have {cardinal(n)} new {things}",
        f"{_one(random, DAYS)} at {hour} {spoken}", f"Wait time is {cardinal(n + 1)} {things}",
    ))  # fmt: skip


def sentences(random: Random) -> str:
    """One or two sentences of a telephone system."""
    some = [_one(random, _TEMPLATES)(random) for _ in range(1 + (random.random() < 0.35))]
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in some)


def _code(random: Random) -> str:
    return " ".join(DIGITS[i] for i in random.integers(0, 10, int(random.integers(2, 5))))


_TEMPLATES: tuple[Callable[[Random], str], ...] = (
    lambda r: f"press {_one(r, KEYS)} to {_one(r, DOINGS)}",
    lambda r: f"to {_one(r, DOINGS)}, press {_one(r, KEYS)}",
    lambda r: f"for {_one(r, PLACES)}, press {_one(r, KEYS)}",
    lambda r: f"press {_one(r, KEYS)} for {_one(r, PLACES)}, or {_one(r, KEYS)} for {_one(r, PLACES)}",
    lambda r: f"please enter your {_one(r, THINGS)}, followed by {_one(r, ('the pound key', 'pound', 'the star key'))}",
    lambda r: f"please {_one(r, ('say', 'enter', 'dial', 'repeat', 'check'))} {_one(r, ('the', 'your'))} "
    f"{_one(r, THINGS)}{_one(r, ('', ' now', ' again', ' and try again', ' after the tone'))}",
    lambda r: f"{_one(r, SUBJECTS)} is {_one(r, STATES)}",
    lambda r: f"{_one(r, SUBJECTS)} has been {_one(r, STATES)}",
    lambda r: f"{_one(r, SUBJECTS)} {_one(r, ('cannot be', 'will be', 'was', 'is now being', 'could not be'))} "
    f"{_one(r, ('changed', 'found', 'completed', 'saved', 'transferred', 'recorded', 'connected', 'deleted'))}",
    lambda r: f"you {_one(r, ('have entered', 'are now in', 'have left', 'are calling', 'have reached'))} "
    f"{_one(r, ('conference', 'extension', 'mailbox', 'room', 'number', 'department', 'channel'))} {_code(r)}",
    lambda r: f"please hold while I {_one(r, ('try', 'connect', 'transfer', 'locate', 'call'))} "
    f"{_one(r, ('you', 'that extension', 'the next agent', 'that person', 'your party', 'your call'))}",
    lambda r: f"the {_one(r, THINGS)} you {_one(r, ('entered', 'dialed', 'gave', 'requested'))} is {_one(r, STATES)}",
    lambda r: f"thank you for {_one(r, ('calling', 'holding', 'waiting', 'your patience', 'using this service'))}",
    lambda r: f"{_one(r, ('goodbye', 'thank you', 'sorry', 'welcome', 'hello', 'please wait', 'one moment please'))}"
    f"{_one(r, ('', f', {_one(r, NAMES)}'))}",
    lambda r: f"{_one(r, NAMES)} {_one(r, ('is not here', 'has joined', 'is on the phone', 'will call you back'))}",
    lambda r: f"turn {_one(r, ('on', 'off', 'up', 'down'))} the "
    f"{_one(r, ('light', 'heat', 'music', 'radio', 'volume', 'television', 'fan', 'alarm', 'computer', 'phone'))}",
    lambda r: _one(r, ("yes", "no", "stop", "go", "left", "right", "up", "down", "on", "off", "start", "help", "back",
                       "next", "repeat", "cancel", "okay", "forward", "backward", "play", "pause", "open", "close")),
)  # fmt: skip


def digits_apart(text: str) -> str:
    """A text with each digit as a word."""
    return re.sub(r"\d", lambda digit: f" {DIGITS[int(digit[0])]} ", text)


def plain_sentences(texts: Sequence[str]) -> list[str]:
    """The sentences of texts that every voice reads as they are written: letters only, no abbreviations, not long."""
    found: dict[str, None] = {}
    for text in texts:
        for part in re.split(r"(?<=[.!?])\s+", text.strip()):
            words = part.split()
            short = {word.strip(".,;:!?").lower() for word in words} & _SHORT
            if (
                3 <= len(words) <= 14
                and re.fullmatch(r"[A-Za-z][A-Za-z' ,;:-]*[.!?]?", part)
                and not short
                and not any(len(word) > 1 and word.isupper() for word in words)
                and all(len(word) <= 16 for word in words)
            ):
                found[part] = None
    return list(found)


_SHORT = frozenset("mr mrs ms dr st vs etc jr sr prof gen no fig inc ltd co lol omg btw rt u ur im dont cant".split())
#: Random texts by kind.
KINDS: dict[str, Callable[[Random], str]] = {
    "numbers": numbers, "letters": letters, "spelled": spelled, "amounts": amounts, "sentences": sentences,
}  # fmt: skip
