"""How do your own recordings come in? As WAV files in the layout of the Free Spoken Digit Dataset, one word each."""

import math
import re
import unicodedata
from pathlib import Path

import soundfile
import torch

from asr_losses.arguments import floats
from asr_losses.speech import DIGITS, SAMPLE_RATE, Clip

SILENCE = 1e-4  # the loudest sample of what counts as silence: 3 steps of 16 bits


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
    centred = samples - samples.median() if len(samples) else samples
    try:
        return Clip(DIGITS[int(digit)], _speaker(speaker), trim(centred))
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
