"""Who speaks, and in which split? Every draw is seeded and was made before any training.

No person is in two splits. Natural voices (Kokoro) come first in each split, then recorded people cut
into pieces (Flite, Pico), then the formant synthesis of eSpeak.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from asr_losses.speech import SPLITS

SEED = 2024

# The English voices of Kokoro-82M by accent and sex, under its names.
KOKORO = {
    "us women": "alloy aoede bella heart jessica kore nicole nova river sarah sky".split(),
    "us men": "adam echo eric fenrir liam michael onyx puck santa".split(),
    "gb women": "alice emma isabella lily".split(),
    "gb men": "daniel fable george lewis".split(),
}
KOKORO_PREFIX = {"us women": "af", "us men": "am", "gb women": "bf", "gb men": "bm"}
KOKORO_HELD_OUT = {
    "test": {"us women": 2, "us men": 2, "gb women": 1, "gb men": 1},
    "validation": {"us women": 1, "us men": 1, "gb women": 1, "gb men": 1},
}

# A recorded person is also played as a tape at other speeds, in percent: that moves pitch and
# formants together, as a longer or shorter throat would.
TAPES = (100, 85, 90, 95, 106, 112, 119)
RECORDED = {
    "train": {"flite-slt": TAPES, "flite-awb": TAPES, "flite-kal16": TAPES, "pico-gb": TAPES},
    "validation": {"flite-rms": (100, 112)},
    "test": {"pico-us": (100, 90, 112)},
}

# eSpeak variants that sound like a person, one of each family of near copies. Left out: whispers,
# creaks, robots, everything with an echo, and what differs from process to process (f2, f3, f5,
# sandro, victor).
ESPEAK_WOMEN = "Andrea Annie anika aunty belinda f1 grandma steph".split()
ESPEAK_MEN = (
    "Alex Andy Denis Diogo Gene Jacky Mario Mike Nguyen Reed Storm adam antonio boris david ed "
    "edward grandpa gustave iven john kaukovalta m1 m3 m4 m5 m6 m7 m8 marcelo paul pedro quincy "
    "rob shelby travis"
).split()
ESPEAK_ACCENTS = {
    "us": "en-US",
    "gb": "en",
    "scotland": "en-GB-scotland",
    "rp": "en-GB-x-rp",
    "caribbean": "en-029",
    "lancaster": "en-GB-x-gbclan",
    "nyc": "en-US-nyc",
    "midlands": "en-GB-x-gbcwmd",
}
ESPEAK_HELD_OUT = {"test": (2, 4), "validation": (1, 3)}  # women and men


@dataclass(frozen=True)
class Voice:
    """One speaker; `tape` is the speed in percent at which the engine's sound is played."""

    speaker: str
    person: str
    engine: str
    split: str
    setting: str
    tape: int = 100


def kokoro_voices():
    """{split: [Voice]} of Kokoro: from each group a draw for the test, then one for validation."""
    random = np.random.default_rng(SEED)
    voices = {split: [] for split in SPLITS}
    for group, names in KOKORO.items():
        accent = group.split()[0]
        shuffled = list(random.permutation(names))
        for split in ("test", "validation", "train"):
            count = KOKORO_HELD_OUT.get(split, {}).get(group, len(shuffled))
            for name in sorted(shuffled[:count]):
                person, setting = f"kokoro-{name}", f"{KOKORO_PREFIX[group]}_{name}"
                voices[split].append(Voice(f"{person}-{accent}", person, "kokoro", split, setting))
            shuffled = shuffled[count:]
    return voices


def recorded_voices():
    """{split: [Voice]} of Flite and Pico, with their tapes."""
    voices = {split: [] for split in SPLITS}
    for split, people in RECORDED.items():
        for person, tapes in people.items():
            engine, setting = person.split("-")
            for tape in tapes:
                speaker = person if tape == 100 else f"{person}-{tape}"
                voices[split].append(Voice(speaker, person, engine, split, setting, tape))
    return voices


def espeak_splits():
    """[(variant, split)]: who is held out."""
    random = np.random.default_rng(SEED)
    women, men = list(random.permutation(ESPEAK_WOMEN)), list(random.permutation(ESPEAK_MEN))
    chosen = []
    for split, (number_of_women, number_of_men) in ESPEAK_HELD_OUT.items():
        chosen += [(women.pop(), split) for _ in range(number_of_women)]
        chosen += [(men.pop(), split) for _ in range(number_of_men)]
    return chosen + [(variant, "train") for variant in women + men]


def espeak_voices():
    """{split: [Voice]} of eSpeak, accents in turn."""
    voices = {split: [] for split in SPLITS}
    for (variant, split), accent in zip(espeak_splits(), itertools.cycle(ESPEAK_ACCENTS)):
        person, setting = f"espeak-{variant.lower()}", f"gmw/{ESPEAK_ACCENTS[accent]}+{variant}"
        voices[split].append(Voice(f"{person}-{accent}", person, "espeak", split, setting))
    return {split: sorted(there, key=lambda voice: voice.speaker) for split, there in voices.items()}


def all_voices():
    """Every Voice, split by split, natural ones first."""
    engines = kokoro_voices(), recorded_voices(), espeak_voices()
    return [voice for split in SPLITS for voices in engines for voice in voices[split]]
