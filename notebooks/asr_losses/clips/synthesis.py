"""How do eSpeak NG, SVOX Pico and Flite say a word, and when does each phone start?

Each `say_*` returns (samples, rate in Hz, phones). Samples are float64 between -1 and 1. Phones are
[(IPA, second of its start)], then ("", second of the word's end); empty where the engine does not
tell (Pico). `tempo` and `pitch` are factors, 1 is what the voice does by itself.

Why their output may be distributed:
- eSpeak NG (`espeakng-loader`): GPL-3 program with its own formant synthesis; the licence covers the
  program, not the sound it makes.
- SVOX Pico (`py_nanotts`): Apache-2.0, voices included.
- Flite (Debian `flite`): Carnegie Mellon's BSD-like licence; the voices slt, rms and awb come from
  the CMU ARCTIC recordings, free for any use (Kominek and Black, CMU-LTI-03-177, 2003); kal16 is
  under Flite's own licence.
"""

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

BASE_RATE = 150  # words a minute, at which every engine's own tempo counts as 1

# Flite writes ARPAbet, and "pau" for a pause; the CSV holds the International Phonetic Alphabet.
IPA = dict(
    ah="ʌ", ao="ɔ", ax="ə", ay="aɪ", eh="ɛ", er="ɚ", ey="eɪ", f="f", ih="ɪ", iy="iː", k="k", n="n",
    ow="oʊ", r="ɹ", s="s", t="t", th="θ", uw="uː", v="v", w="w", z="z", pau="",
)  # fmt: skip
FLITE_PITCH = {"slt": 170, "awb": 145, "kal16": 105}  # Hz; rms has no pitch setting


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


def fresh_espeak(setting, tempo, pitch):
    """(library, rate in Hz): eSpeak NG ready to speak, without any state of an earlier call."""
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
    return library, rate


def say_espeak(word, setting, tempo, pitch):
    """(samples, rate, phones) of a word spoken by eSpeak NG; `setting` is "voice+variant"."""
    library, rate = fresh_espeak(setting, tempo, pitch)
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


def say_pico(word, setting, tempo, pitch):
    """(samples, rate, no phones) of a word spoken by Pico; `setting` is "us" or "gb"."""
    import py_nanotts

    voice = {"us": "en-US", "gb": "en-GB"}[setting]
    pcm = py_nanotts.NanoTTS().speak(word, voice=voice, speed=tempo, pitch=pitch)
    return np.frombuffer(pcm, dtype="<i2") / 2**15, 16000, []


def say_flite(word, setting, tempo, pitch):
    """(samples, rate, phones) of a word spoken by Flite; `setting` is the name of its voice."""
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
