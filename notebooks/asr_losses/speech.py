"""Where does the speech come from, and when exactly is each word spoken?

The unit ships single words ("clips") and joins them into utterances as it loads. Because it
does the joining, it knows every word boundary to the sample. All audio is mono, 8000 samples
a second, float64 between -1 and 1.
"""

import csv
from collections.abc import Sized
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import soundfile
import torch

from asr_losses.arguments import floats, integers

SAMPLE_RATE = 8000
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
BLANK = 0
ALPHABET = "-" + " " + "".join(sorted(set("".join(DIGITS))))  # index = token; "-" draws the blank
SPLITS = ("train", "validation", "test")
LOUDNESS = 0.06  # root mean square of the shipped clips
DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Clip:
    """One spoken word: `samples (L,)` from its first sound to its last."""

    word: str
    speaker: str
    samples: torch.Tensor


@dataclass(frozen=True)
class Utterance:
    """Joined clips: `samples (L,)`; word i lasts from `starts[i]` to `ends[i]`, in seconds."""

    samples: torch.Tensor
    words: tuple
    starts: tuple
    ends: tuple
    speaker: str

    @property
    def text(self):
        return " ".join(self.words)

    @property
    def seconds(self):
        return len(self.samples) / SAMPLE_RATE


def encode(text):
    """The tokens of `text`: one per character, counted from 1, since 0 is the blank.

    Raises ValueError for a character that no digit's name contains.
    """
    if not isinstance(text, str):
        raise ValueError(f"text: {type(text).__name__} came, expected a string")
    unknown = set(text) - set(ALPHABET[1:])
    if unknown:
        raise ValueError(f"text: {text!r} holds {sorted(unknown)}, expected only {ALPHABET[1:]!r}")
    return [ALPHABET.index(character) for character in text]


def decode(tokens):
    """The text of `tokens (U,)`, the inverse of `encode`; the blank is "-".

    Raises ValueError for a number that is no token, such as -1 or -100, which pad elsewhere.
    """
    if not isinstance(tokens, (torch.Tensor, Sized)):
        tokens = list(tokens)  # from a generator
    tokens = integers("tokens", tokens)
    if tokens.ndim != 1:
        raise ValueError(f"tokens: shape {tuple(tokens.shape)} came, expected (U,)")
    tokens = tokens.tolist()
    for token in tokens:
        if not 0 <= token < len(ALPHABET):
            raise ValueError(f"tokens: {token} came, expected tokens from 0 to {len(ALPHABET) - 1}")
    return "".join(ALPHABET[token] for token in tokens)


def load_clips(split):
    """The shipped clips of one split ("train", "validation" or "test"), as a list of Clip.

    No speaker is in two splits.
    """
    if split not in SPLITS:
        raise ValueError(f"split: {split!r} came, expected one of {SPLITS}")
    audio, rate = soundfile.read(DATA / "digits.flac", dtype="float64")
    audio = torch.from_numpy(audio)
    with open(DATA / "digits.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    return [
        Clip(row["word"], row["speaker"], audio[int(row["start"]) : int(row["end"])])
        for row in rows
    ]


def is_natural(speaker):
    """Does this shipped voice come from the neural synthesiser, and not from one of the other engines?"""
    return speaker.startswith("kokoro-")


def by_speaker(clips):
    """`{speaker: {word: [clips]}}`, in the order the clips came."""
    voices = {}
    for clip in clips:
        voices.setdefault(clip.speaker, {}).setdefault(clip.word, []).append(clip)
    return voices


def draw(low, high, generator):
    """One number, uniform between `low` and `high`."""
    return low + (high - low) * torch.rand((), generator=generator, dtype=torch.float64, device=generator.device).item()


def choose(options, generator):
    """One of `options`, each as likely as the others."""
    if not len(options):
        raise ValueError("options: none came, expected at least one")
    return options[torch.randint(len(options), (), generator=generator, device=generator.device).item()]


def join(clips, generator, snr_db=(25.0, 40.0), level_db=0.0):
    """The Utterance that says `clips` in order, all from one speaker.

    Before and after, 0.1 to 0.5 s nobody speaks; between words 0 to 0.2 s, at every fourth gap up to 0.6 s. `noise`
    lies under all of it, `snr_db` below the speech. Each clip is up to `level_db` louder or softer than it was; then
    gain -12 to 0 dB for all. Samples are rounded to 16 bits, as a sound card would, so that the same generator gives
    the same samples on every machine.
    """
    _check_clips(clips)
    gaps = [draw(0.1, 0.5, generator)]
    gaps += [draw(0.0, 0.2 if draw(0, 1, generator) < 0.75 else 0.6, generator) for _ in clips[1:]]
    pieces, starts, ends, now = [], [], [], 0
    for gap, clip in zip(gaps, clips):
        pause = round(SAMPLE_RATE * gap)
        louder = 10 ** (draw(-level_db, level_db, generator) / 20) if level_db else 1.0
        pieces += [clip.samples.new_zeros(pause, dtype=torch.float64), louder * clip.samples.double()]
        starts.append((now + pause) / SAMPLE_RATE)
        now += pause + len(clip.samples)
        ends.append(now / SAMPLE_RATE)
    loudness = torch.cat(pieces[1::2]).square().mean().sqrt()
    pieces.append(pieces[0].new_zeros(round(SAMPLE_RATE * draw(0.1, 0.5, generator))))
    speech = torch.cat(pieces)  # (L,)
    samples = _recorded(speech, loudness, generator, snr_db)
    return Utterance(samples, tuple(clip.word for clip in clips), tuple(starts), tuple(ends), clips[0].speaker)


def nothing(generator, speaker="nobody", snr_db=(25.0, 40.0)):
    """An Utterance of 0.5 to 4 s in which nobody speaks: noise, `snr_db` below the usual loudness of speech."""
    silence = torch.zeros(round(SAMPLE_RATE * draw(0.5, 4.0, generator)), dtype=torch.float64, device=generator.device)
    return Utterance(_recorded(silence, silence.new_tensor(LOUDNESS), generator, snr_db), (), (), (), speaker)


def _check_clips(clips):
    if not clips:
        raise ValueError("clips: an empty list came, expected at least one Clip")
    if len({clip.speaker for clip in clips}) > 1:
        raise ValueError(f"clips: from {sorted({clip.speaker for clip in clips})}, expected one speaker")
    for clip in clips:
        if floats("clips", clip.samples, "(L,)").abs().max() > 1:
            raise ValueError(f"clips: samples up to {clip.samples.abs().max():.4g} came, expected from -1 to 1")


def noise(length, generator):
    """`(length,)` of loudness 1: white noise, or with up to 25 dB less of it at the top than at the bottom.

    Drawn in float64 (float32's differs between processors).
    """
    white = torch.randn(length + 1, generator=generator, dtype=torch.float64, device=generator.device)
    before = draw(0.0, 0.9, generator)  # the filter 1 + before z^-1: 20 lg((1 + 0.9) / (1 - 0.9)) = 25.6 dB
    return (white[1:] + before * white[:-1]) / (1 + before**2) ** 0.5


def _recorded(speech, loudness, generator, snr_db):
    """`speech (L,)` with noise under it, a gain, and 16 bits."""
    level = loudness * 10 ** (-draw(*snr_db, generator) / 20)
    samples = (speech + level * noise(len(speech), generator).to(speech.device)) * 10 ** (draw(-12.0, 0.0, generator) / 20)
    return (samples.clamp(-1, 1) * 32767).round() / 32767


def utterances(clips, count, generator, words=(1, 6), silent=0.0, natural=None, **how):
    """`count` fresh Utterances of `words[0]` to `words[1]` words, as a list; a share `silent` of them says nothing.

    Speaker, number of words, words and renditions are drawn anew for each, all uniformly; with `natural`, this share
    comes from the natural voices among the clips. `how` goes to `join`.
    """
    if not len(clips):
        raise ValueError("clips: an empty list came, expected at least one Clip")
    if not isinstance(count, Integral) or count < 1:
        raise ValueError(f"count: {count} came, expected at least 1")
    if not isinstance(words, (tuple, list)) or len(words) != 2 or not 1 <= words[0] <= words[1]:
        raise ValueError(f"words: {words} came, expected (fewest, most) with 1 <= fewest <= most")
    if not 0 <= silent <= 1:
        raise ValueError(f"silent: {silent} came, expected a share, from 0 to 1")
    if natural is not None and not (0 <= natural <= 1 and len({is_natural(clip.speaker) for clip in clips}) == 2):
        raise ValueError(f"natural: {natural} came, expected a share, from 0 to 1, and clips of natural and other voices")
    voices = by_speaker(clips)
    speakers = {kind: [voice for voice in voices if is_natural(voice) == kind] for kind in (True, False)}

    def speaker():
        if natural is None:
            return choose(list(voices), generator)
        return choose(speakers[draw(0, 1, generator) < natural], generator)

    return [_utterance(voices, speaker(), generator, words, silent, how) for _ in range(count)]


def _utterance(voices, speaker, generator, words, silent, how):
    if silent and draw(0, 1, generator) < silent:
        return nothing(generator, speaker, how.get("snr_db", (25.0, 40.0)))
    vocabulary = list(voices[speaker])
    length = words[0] + torch.randint(words[1] - words[0] + 1, (), generator=generator, device=generator.device).item()
    said = [choose(vocabulary, generator) for _ in range(length)]
    return join([choose(voices[speaker][word], generator) for word in said], generator, **how)
