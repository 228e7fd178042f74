"""Where does the speech come from, and when exactly is each word spoken?

The unit ships single words ("clips") and joins them into utterances as it loads. Because it
does the joining, it knows every word boundary to the sample. All audio is mono, 8000 samples
a second, float64 between -1 and 1.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import soundfile
import torch

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
    unknown = set(text) - set(ALPHABET[1:])
    if unknown:
        raise ValueError(f"text: {text!r} holds {sorted(unknown)}, expected only {ALPHABET[1:]!r}")
    return [ALPHABET.index(character) for character in text]


def decode(tokens):
    """The text of `tokens`, the inverse of `encode`."""
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

    Silence before and after the word is cut off (see `trim`). Raises ValueError, naming the file
    and what was expected, for anything in the folder that is not such a recording.
    """
    folder = Path(folder)
    if not folder.is_dir():
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
    if rate != SAMPLE_RATE:
        raise ValueError(f"{path}: {rate} samples a second, expected {SAMPLE_RATE}")
    if samples.shape[1] != 1:
        raise ValueError(f"{path}: {samples.shape[1]} channels, expected 1 (mono)")
    if not samples.any():
        raise ValueError(f"{path}: {len(samples)} samples and no sound, expected a spoken digit")
    return Clip(DIGITS[int(digit)], speaker, trim(torch.from_numpy(samples[:, 0])))


def trim(samples, floor_db=-35.0):
    """`samples (L,)` from the first to the last 10 ms frame louder than the loudest + `floor_db`."""
    frame = SAMPLE_RATE // 100
    frames = torch.nn.functional.pad(samples, (0, -len(samples) % frame)).view(-1, frame)
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
    return low + (high - low) * torch.rand((), generator=generator, dtype=torch.float64).item()


def choose(options, generator):
    """One of `options`, each as likely as the others."""
    return options[torch.randint(len(options), (), generator=generator).item()]


def join(clips, generator, snr_db=(25.0, 40.0)):
    """The Utterance that says `clips` in order, all from one speaker.

    Silence before and after: 0.1 to 0.35 s; between words: 0 to 0.2 s; white noise `snr_db` below
    the speech; gain -12 to 0 dB. Samples are rounded to 16 bits, as a sound card would, so that
    the same generator gives the same samples on every machine.
    """
    if not clips:
        raise ValueError("clips: an empty list came, expected at least one Clip")
    pieces, starts, ends, now = [], [], [], 0
    for i, clip in enumerate(clips):
        silence = round(SAMPLE_RATE * (draw(0.1, 0.35, generator) if i == 0 else draw(0.0, 0.2, generator)))
        starts.append((now + silence) / SAMPLE_RATE)
        now += silence + len(clip.samples)
        ends.append(now / SAMPLE_RATE)
        pieces += [torch.zeros(silence, dtype=torch.float64), clip.samples]
    pieces.append(torch.zeros(round(SAMPLE_RATE * draw(0.1, 0.35, generator)), dtype=torch.float64))
    speech = torch.cat(pieces)  # (L,)
    power = torch.cat([clip.samples for clip in clips]).square().mean()
    noise = torch.randn(len(speech), generator=generator, dtype=torch.float64)  # float32 differs between CPUs
    noise *= (power * 10 ** (-draw(*snr_db, generator) / 10)).sqrt()
    samples = (speech + noise) * 10 ** (draw(-12.0, 0.0, generator) / 20)
    samples = (samples.clamp(-1, 1) * 32767).round() / 32767
    return Utterance(samples, tuple(clip.word for clip in clips), tuple(starts), tuple(ends), clips[0].speaker)


def utterances(clips, count, generator, words=(1, 6)):
    """`count` fresh Utterances of `words[0]` to `words[1]` words, as a list.

    Speaker, number of words, words and renditions are drawn anew for each, all uniformly.
    """
    if count < 1:
        raise ValueError(f"count: {count} came, expected at least 1")
    if not 1 <= words[0] <= words[1]:
        raise ValueError(f"words: {words} came, expected (fewest, most) with 1 <= fewest <= most")
    voices = list(by_speaker(clips).values())
    result = []
    for _ in range(count):
        voice = choose(voices, generator)
        vocabulary = list(voice)
        length = words[0] + torch.randint(words[1] - words[0] + 1, (), generator=generator).item()
        said = [choose(vocabulary, generator) for _ in range(length)]
        result.append(join([choose(voice[word], generator) for word in said], generator))
    return result
