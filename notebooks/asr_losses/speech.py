"""Where does the speech come from, and when exactly is each word spoken?

The unit ships single words ("clips") and joins them into utterances as it loads. Because it
does the joining, it knows every word boundary to the sample. All audio is mono, 8000 samples
a second, float64 between -1 and 1.
"""

import csv
import math
import re
import unicodedata
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


def load_recordings(folder):
    """Your own recordings, as a list of Clip, in the layout of the Free Spoken Digit Dataset:
    `{digit}_{speaker}_{index}.wav`, 8000 samples a second, mono.

    Any constant offset is taken off, and silence before and after the word is cut off (see `trim`). Speakers are
    told apart as people do: not by capitals, nor by how a file system spells an accent. Raises ValueError, naming
    the file and what was expected, for anything in the folder that is not such a recording.
    """
    try:
        folder = Path(folder).expanduser()
        found = folder.is_dir()
    except (OSError, RuntimeError):  # a name that is too long; the home of a user who does not exist
        found = False
    if not found:
        raise ValueError(f"folder: {folder} is no folder, expected one with files such as 7_anna_0.wav")
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if not paths:
        raise ValueError(f"folder: {folder} is empty, expected files such as 7_anna_0.wav")
    return [_read_recording(path) for path in paths]


def _read_recording(path):
    name = re.fullmatch(r"([^_]+)_([^_]+)_(\d+)\.wav", path.name)
    if not name or not path.is_file():
        raise ValueError(f"{path}: expected a file named {{digit}}_{{speaker}}_{{index}}.wav")
    digit, speaker, _ = name.groups()
    if not re.fullmatch("[0-9]", digit):
        raise ValueError(f"{path}: the label is {digit!r}, expected a digit from 0 to 9")
    try:
        samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path}: expected a readable WAV file ({error.error_string})") from None
    except UnicodeEncodeError:
        raise ValueError(f"{path!a}: expected a name in Unicode") from None
    if rate != SAMPLE_RATE:
        raise ValueError(f"{path}: {rate} samples a second, expected {SAMPLE_RATE}")
    if samples.shape[1] != 1:
        raise ValueError(f"{path}: {samples.shape[1]} channels, expected 1 (mono)")
    missing = _missing_bytes(path)
    if missing:
        raise ValueError(f"{path}: {missing} bytes fewer than its header promises, expected a whole file")
    samples = torch.from_numpy(samples[:, 0])
    if not samples.isfinite().all() or (samples.abs() > 1).any():
        raise ValueError(f"{path}: samples up to {samples.abs().max():.4g}, expected from -1 to 1")
    try:
        return Clip(DIGITS[int(digit)], _speaker(speaker), trim(samples - samples.median() if len(samples) else samples))
    except ValueError:
        raise ValueError(f"{path}: {len(samples)} samples and no sound, expected a spoken digit") from None


def _speaker(name):
    """One spelling for what a person would call the same name."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold()).strip()


def _missing_bytes(path):
    """How many bytes a WAV file lacks of what its header promises (libsndfile reads what there is, in silence).

    Raises ValueError for anything but WAV as it is usual (RIFF).
    """
    data = path.read_bytes()
    if data[:4] != b"RIFF":
        raise ValueError(f"{path}: begins with {data[:4]!r}, expected a WAV file, which begins with b'RIFF'")
    at = 12  # behind "RIFF", a size, and "WAVE"
    while data[at : at + 4] != b"data" and at + 8 <= len(data):
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        at += at % 2
    promised = int.from_bytes(data[at + 4 : at + 8], "little")
    endless = promised >= 0x7FFFF000  # written to a pipe, by a program that did not know the length yet
    return 0 if endless else max(0, at + 8 + promised - len(data))


SILENCE = 1e-4  # the loudest sample of what counts as silence: 3 steps of 16 bits


def trim(samples, floor_db=-35.0):
    """`samples (L,)` from the first to the last 10 ms frame louder than the loudest + `floor_db`.

    A constant offset (the median) is no sound. Raises ValueError for samples that are no floats, not finite, or
    silent.
    """
    if not -math.inf < floor_db < 0:
        raise ValueError(f"floor_db: {floor_db} came, expected a number below 0")
    centred = floats("samples", samples, "(L,)").double()
    centred = centred - centred.median()
    if centred.abs().max() < SILENCE:
        raise ValueError(f"samples: {len(samples)} came that differ by less than {SILENCE}, expected some sound")
    frame = SAMPLE_RATE // 100
    frames = torch.nn.functional.pad(centred, (0, -len(samples) % frame)).view(-1, frame)
    power = frames.square().mean(1)
    loud = torch.nonzero(power > power.max() * 10 ** (floor_db / 10)).flatten()
    return samples[int(loud[0]) * frame : (int(loud[-1]) + 1) * frame]


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


def join(clips, generator, snr_db=(25.0, 40.0)):
    """The Utterance that says `clips` in order, all from one speaker.

    Silence before and after: 0.1 to 0.35 s; between words: 0 to 0.2 s; white noise `snr_db` below
    the speech; gain -12 to 0 dB. Samples are rounded to 16 bits, as a sound card would, so that
    the same generator gives the same samples on every machine.
    """
    if not clips:
        raise ValueError("clips: an empty list came, expected at least one Clip")
    if len({clip.speaker for clip in clips}) > 1:
        raise ValueError(f"clips: from {sorted({clip.speaker for clip in clips})}, expected one speaker")
    for clip in clips:
        if floats("clips", clip.samples, "(L,)").abs().max() > 1:
            raise ValueError(f"clips: samples up to {clip.samples.abs().max():.4g} came, expected from -1 to 1")
    device = clips[0].samples.device
    pieces, starts, ends, now = [], [], [], 0
    for i, clip in enumerate(clips):
        silence = round(SAMPLE_RATE * (draw(0.1, 0.35, generator) if i == 0 else draw(0.0, 0.2, generator)))
        starts.append((now + silence) / SAMPLE_RATE)
        now += silence + len(clip.samples)
        ends.append(now / SAMPLE_RATE)
        pieces += [torch.zeros(silence, dtype=torch.float64, device=device), clip.samples]
    pieces.append(torch.zeros(round(SAMPLE_RATE * draw(0.1, 0.35, generator)), dtype=torch.float64, device=device))
    speech = torch.cat(pieces)  # (L,)
    power = torch.cat([clip.samples for clip in clips]).square().mean()
    noise = torch.randn(len(speech), generator=generator, dtype=torch.float64, device=generator.device)  # float32 differs between CPUs
    noise = noise.to(device) * (power * 10 ** (-draw(*snr_db, generator) / 10)).sqrt()
    samples = (speech + noise) * 10 ** (draw(-12.0, 0.0, generator) / 20)
    samples = (samples.clamp(-1, 1) * 32767).round() / 32767
    return Utterance(samples, tuple(clip.word for clip in clips), tuple(starts), tuple(ends), clips[0].speaker)


def utterances(clips, count, generator, words=(1, 6)):
    """`count` fresh Utterances of `words[0]` to `words[1]` words, as a list.

    Speaker, number of words, words and renditions are drawn anew for each, all uniformly.
    """
    if not len(clips):
        raise ValueError("clips: an empty list came, expected at least one Clip")
    if not isinstance(count, Integral) or count < 1:
        raise ValueError(f"count: {count} came, expected at least 1")
    if not isinstance(words, (tuple, list)) or len(words) != 2 or not 1 <= words[0] <= words[1]:
        raise ValueError(f"words: {words} came, expected (fewest, most) with 1 <= fewest <= most")
    voices = list(by_speaker(clips).values())
    result = []
    for _ in range(count):
        voice = choose(voices, generator)
        vocabulary = list(voice)
        length = words[0] + torch.randint(words[1] - words[0] + 1, (), generator=generator, device=generator.device).item()
        said = [choose(vocabulary, generator) for _ in range(length)]
        result.append(join([choose(voice[word], generator) for word in said], generator))
    return result
