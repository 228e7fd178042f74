"""How were the shipped digits made? Run `python -m asr_losses.make_clips` from `notebooks/`.

Synthesises "zero" to "nine" in many voices and writes `digits.flac` (8 kHz, mono, 12 bits) and
`digits.csv` (one row per clip). The lessons read these two files and never run this module.
It takes about two minutes and runs on Linux.

Columns: `start` and `end` (exclusive) count samples of the FLAC file; `person` is whom the speaker
is a variant of, and no person is in two splits; `phones` holds "name:second" for every phone,
its start counted from the clip's start, or nothing where the engine does not tell (Pico).

Engines, and why their output may be distributed:
- eSpeak NG (PyPI `espeakng-loader`): GPL-3 program with its own formant synthesis; the licence
  covers the program, not the sound it makes.
- SVOX Pico (PyPI `py_nanotts`): Apache-2.0, voices included.
- Flite (Debian `flite`): Carnegie Mellon's BSD-like licence; the voices slt, rms and awb come from
  the CMU ARCTIC recordings, free for any use (Kominek and Black, CMU-LTI-03-177, 2003); kal16 is
  under Flite's own licence.
"""

import argparse
import csv
import ctypes
import itertools
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from asr_losses.speech import DATA, DIGITS, SAMPLE_RATE, SPLITS

COLUMNS = ("word", "speaker", "person", "engine", "split", "rendition", "start", "end", "phones")
RENDITIONS = 3
BASE_RATE = 150  # words a minute, at which every engine's own tempo counts as 1

FRAMES_PER_SECOND = 200
SILENCE_DB = -40.0  # below the loudest frame of the clip; keeps the weak f, th and s
MARGIN = 0.03  # seconds around the phones in which sound may belong to the word
FADE = SAMPLE_RATE * 3 // 1000  # 3 ms, against clicks where clips are joined
TARGET_RMS = 0.06
PEAK = 0.9
STEP = 16  # int16 multiples of 16, so 12 bits: FLAC drops the four zero bits

# A natural person is recorded once and also played as a tape at other speeds, in percent: that
# moves pitch and formants together, as a longer or shorter throat would.
TAPES = (85, 90, 95, 106, 112, 119)
NATURAL = {
    "train": (("flite-slt", TAPES), ("flite-awb", TAPES), ("flite-kal16", TAPES), ("pico-gb", TAPES)),
    "validation": (("flite-rms", (112,)),),
    "test": (("pico-us", (90, 112)),),
}

# eSpeak variants that sound like a person, one of each family of near copies. Left out: whispers,
# creaks, robots, everything with an echo, and what differs from process to process (f2, f3, f5,
# sandro, victor).
WOMEN = "Andrea Annie anika aunty belinda f1 grandma steph".split()
MEN = (
    "Alex Andy Denis Diogo Gene Jacky Mario Mike Nguyen Reed Storm adam antonio boris david ed "
    "edward grandpa gustave iven john kaukovalta m1 m3 m4 m5 m6 m7 m8 marcelo paul pedro quincy "
    "rob shelby travis"
).split()
ACCENTS = {
    "us": "en-US",
    "gb": "en",
    "scotland": "en-GB-scotland",
    "rp": "en-GB-x-rp",
    "caribbean": "en-029",
    "lancaster": "en-GB-x-gbclan",
    "nyc": "en-US-nyc",
    "midlands": "en-GB-x-gbcwmd",
}
HELD_OUT = {"test": (2, 4), "validation": (1, 3)}  # eSpeak women and men

# Flite writes ARPAbet, and "pau" for a pause; the CSV holds the International Phonetic Alphabet.
IPA = dict(
    ah="ʌ", ao="ɔ", ax="ə", ay="aɪ", eh="ɛ", er="ɚ", ey="eɪ", f="f", ih="ɪ", iy="iː", k="k", n="n",
    ow="oʊ", r="ɹ", s="s", t="t", th="θ", uw="uː", v="v", w="w", z="z", pau="",
)  # fmt: skip
FLITE_PITCH = {"slt": 170, "awb": 145, "kal16": 105}  # Hz; rms has no pitch setting


@dataclass(frozen=True)
class Voice:
    """One speaker; `tape` is the speed in percent at which the engine's sound is played."""

    speaker: str
    person: str
    engine: str
    split: str
    setting: str
    tape: int = 100


def espeak_splits():
    """[(variant, split)]: who is held out. A seeded shuffle decides, before any training."""
    random = np.random.default_rng(2024)
    women, men = list(random.permutation(WOMEN)), list(random.permutation(MEN))
    chosen = []
    for split, (number_of_women, number_of_men) in HELD_OUT.items():
        chosen += [(women.pop(), split) for _ in range(number_of_women)]
        chosen += [(men.pop(), split) for _ in range(number_of_men)]
    return chosen + [(variant, "train") for variant in women + men]


def all_voices():
    """Every Voice, split by split, natural ones first."""
    espeak = {split: [] for split in SPLITS}
    for (variant, split), accent in zip(espeak_splits(), itertools.cycle(ACCENTS)):
        person, setting = f"espeak-{variant.lower()}", f"gmw/{ACCENTS[accent]}+{variant}"
        espeak[split].append(Voice(f"{person}-{accent}", person, "espeak", split, setting))
    voices = []
    for split in SPLITS:
        for person, tapes in NATURAL[split]:
            engine, setting = person.split("-")
            voices.append(Voice(person, person, engine, split, setting))
            voices += [Voice(f"{person}-{t}", person, engine, split, setting, t) for t in tapes]
        voices += sorted(espeak[split], key=lambda voice: voice.speaker)
    return voices


def say_espeak(word, setting, tempo, pitch):
    """Samples, their rate in Hz, and phones of a word spoken by eSpeak NG (see `SAY`)."""
    import espeakng_loader

    # The library keeps a state from call to call that nothing resets: a fresh copy has none.
    with tempfile.TemporaryDirectory() as folder:
        library = ctypes.CDLL(shutil.copy(espeakng_loader.get_library_path(), folder))
    ctypes.CDLL(None).srand(1)
    synchronous, phoneme_events_in_ipa = 2, 1 | 2
    data = espeakng_loader.get_data_path().encode()
    rate = library.espeak_Initialize(synchronous, 0, data, phoneme_events_in_ipa)
    if library.espeak_SetVoiceByName(setting.encode()):
        raise RuntimeError(f"eSpeak NG has no voice {setting!r}")
    rate_parameter, pitch_parameter = 1, 3
    library.espeak_SetParameter(rate_parameter, round(BASE_RATE * tempo), 0)
    library.espeak_SetParameter(pitch_parameter, round(50 + 100 * (pitch - 1)), 0)

    chunks, phones = [], []

    def collect(samples, count, events):
        if samples and count:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        for event in iter_until_zero(events):
            if event.type == EspeakEvent.PHONEME:
                phone = event.name.decode().lstrip("ˈˌ")
                phones.append((phone, event.sample / rate))
        return 0

    callback = EspeakCallback(collect)
    library.espeak_SetSynthCallback(callback)
    text, from_start, by_character, utf8 = word.encode(), 0, 1, 1
    library.espeak_Synth(text, len(text) + 1, from_start, by_character, 0, utf8, None, None)
    library.espeak_Synchronize()
    return np.concatenate(chunks) / 2**15, rate, up_to_pause(phones)


class EspeakEvent(ctypes.Structure):
    """`espeak_EVENT` of speak_lib.h; type 0 ends a list."""

    PHONEME = 7
    _fields_ = [
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    ]


EspeakCallback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(EspeakEvent)
)


def iter_until_zero(events):
    """The events of a C array, up to the one whose type is 0."""
    index = 0
    while events[index].type:
        yield events[index]
        index += 1


def say_pico(word, setting, tempo, pitch):
    """Samples, their rate in Hz, and no phones (Pico does not tell) of a word."""
    import py_nanotts

    voice = {"us": "en-US", "gb": "en-GB"}[setting]
    pcm = py_nanotts.NanoTTS().speak(word, voice=voice, speed=tempo, pitch=pitch)
    return np.frombuffer(pcm, dtype="<i2") / 2**15, 16000, []


def say_flite(word, setting, tempo, pitch):
    """Samples, their rate in Hz, and phones of a word spoken by Flite (see `SAY`)."""
    options = ["-voice", setting, "--setf", f"duration_stretch={1 / tempo:.4f}"]
    if setting in FLITE_PITCH:
        options += ["--setf", f"int_f0_target_mean={FLITE_PITCH[setting] * pitch:.1f}"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "word.wav"
        command = ["flite", *options, "-psdur", "-t", word, "-o", str(path)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        samples, rate = soundfile.read(path)
    ends = [part.split(":") for part in printed.split()]  # "pau:0.2 f:0.3": name and end
    phones = [(IPA[name], float(start)) for (name, _), (_, start) in zip(ends[1:], ends)]
    return samples, rate, up_to_pause(phones)


def up_to_pause(phones):
    """`phones` up to the first without a name: its second is where the word ends."""
    names = [name for name, _ in phones]
    return phones[: names.index("") + 1]


# What each returns as phones: [(phone, second of its start)], then ("", second of the word's end);
# empty where the engine does not tell.
SAY = {"espeak": say_espeak, "pico": say_pico, "flite": say_flite}


def resample(samples, step):
    """`samples` read at every `step`-th place (step >= 1), with a low-pass against aliasing.

    A Hann-windowed sinc of 32 zero crossings on each side, cut off at 95 % of the new band.
    """
    cutoff = 0.95 / step
    half = int(np.ceil(32 / cutoff))
    places = np.arange(0, len(samples) - 1, step)
    taps = np.floor(places).astype(int)[:, None] + np.arange(-half + 1, half + 1)
    distance = taps - places[:, None]
    window = np.cos(np.pi * distance / (2 * half + 2)) ** 2
    kernel = cutoff * np.sinc(cutoff * distance) * window
    return (np.pad(samples, half)[taps + half] * kernel).sum(axis=1)


def word_span(samples, rate, phones):
    """Start and end of the word in seconds: the frames louder than SILENCE_DB.

    To be called before the sound is brought down to 8 kHz: much of an s lies above 4 kHz. The
    pauses of Flite hiss, so nothing counts that is more than MARGIN away from the phones.
    """
    frame = rate // FRAMES_PER_SECOND
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    energy = (frames**2).mean(axis=1)
    if phones:
        seconds = np.arange(len(frames)) * frame / rate
        energy[seconds < phones[0][1] - MARGIN] = 0
        energy[seconds > phones[-1][1] + MARGIN] = 0
    loud = np.flatnonzero(energy > energy.max() * 10 ** (SILENCE_DB / 10))
    return loud[0] * frame / rate, (loud[-1] + 1) * frame / rate


def finish(samples):
    """int16 samples: faded at both ends, at TARGET_RMS unless the peak forbids it, 12 bits."""
    ramp = (np.arange(FADE) + 0.5) / FADE
    samples = samples - samples.mean()
    samples[:FADE] *= ramp
    samples[-FADE:] *= ramp[::-1]
    gain = min(TARGET_RMS / np.sqrt((samples**2).mean()), PEAK / np.abs(samples).max())
    return (np.rint(samples * gain * 2**15 / STEP) * STEP).astype(np.int16)


def render(voice):
    """All clips of one Voice: [(row without start and end, int16 samples)]."""
    random = np.random.default_rng(zlib.crc32(voice.speaker.encode()))
    tempos = random.permutation([0.8, 1.0, 1.24]) * random.uniform(0.95, 1.05, RENDITIONS)
    pitches = random.permutation([0.9, 1.0, 1.12]) * random.uniform(0.97, 1.03, RENDITIONS)
    tape = voice.tape / 100
    clips = []
    for rendition in range(RENDITIONS):
        for word in DIGITS:
            # The tape must not change the tempo as well.
            samples, rate, phones = SAY[voice.engine](
                word, voice.setting, tempos[rendition] / tape, pitches[rendition]
            )
            start, end = word_span(samples, rate, phones)
            samples = resample(samples, tape * rate / SAMPLE_RATE)
            samples = samples[round(start / tape * SAMPLE_RATE) : round(end / tape * SAMPLE_RATE)]
            length = len(samples) / SAMPLE_RATE
            # A phone's mark can lie a little outside of what is loud.
            places = [
                (name, min(max(0.0, (second - start) / tape), length)) for name, second in phones[:-1]
            ]
            row = dict(word=word, speaker=voice.speaker, person=voice.person, engine=voice.engine)
            row |= dict(split=voice.split, rendition=rendition)
            row |= dict(phones=" ".join(f"{name}:{second:.3f}" for name, second in places))
            clips.append((row, finish(samples)))
    return clips


def write(voices, folder):
    """`digits.flac` and `digits.csv` of the given voices, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, audio, position = [], [], 0
    # One fresh process per voice: what an engine said before changes what it says next.
    with multiprocessing.get_context("spawn").Pool(maxtasksperchild=1) as pool:
        for count, clips in enumerate(pool.imap(render, voices, chunksize=1), start=1):
            print(f"{count}/{len(voices)} {clips[0][0]['speaker']}", flush=True)
            for row, samples in clips:
                rows.append(row | dict(start=position, end=position + len(samples)))
                audio.append(samples)
                position += len(samples)
    soundfile.write(
        folder / "digits.flac", np.concatenate(audio), SAMPLE_RATE, "PCM_16", compression_level=1.0
    )
    with open(folder / "digits.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main():
    parser = argparse.ArgumentParser(description="Make the spoken digits of this unit.")
    parser.add_argument("--out", type=Path, default=DATA, help="folder for digits.flac and digits.csv")
    parser.add_argument("--voices", help="only these speakers, separated by commas")
    arguments = parser.parse_args()
    voices = all_voices()
    if arguments.voices:
        wanted = arguments.voices.split(",")
        unknown = set(wanted) - {voice.speaker for voice in voices}
        if unknown:
            parser.error(f"--voices: no speaker {sorted(unknown)}")
        voices = [voice for voice in voices if voice.speaker in wanted]
    if any(voice.engine == "flite" for voice in voices) and not shutil.which("flite"):
        sys.exit("the program flite is missing: apt-get install flite")
    write(voices, arguments.out)


if __name__ == "__main__":
    main()
