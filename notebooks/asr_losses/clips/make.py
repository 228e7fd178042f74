"""How are the shipped digits made again? `make clips`, or `python -m asr_losses.clips.make` here.

Synthesises "zero" to "nine" in many voices and writes `digits.flac` (8 kHz, mono, 12 bits) and
`digits.csv` (one row per clip). The lessons read these two files and never run this package. It runs
on Linux for about half an hour on two cores; `requirements.txt` beside this file says what it needs.

Columns: `start` and `end` (exclusive) count samples of the FLAC file; `person` is whom the speaker
is a variant of, and no person is in two splits; `rendition` counts from 0, and has gaps where a clip
was dropped (see `check`); `phones` holds "name:second" for every phone, its start counted from the
clip's start, or nothing where the engine does not tell (Pico).

eSpeak, Pico and Flite make the same bytes again. Kokoro does so on the same kind of processor only.
"""

import argparse
import csv
import multiprocessing
import shutil
import sys
import zlib
from pathlib import Path

import numpy as np
import soundfile

from asr_losses.clips import check, kokoro
from asr_losses.clips.cut import clip_of, word_span
from asr_losses.clips.synthesis import say_espeak, say_flite, say_pico
from asr_losses.clips.voices import all_voices
from asr_losses.speech import DATA, DIGITS, SAMPLE_RATE

COLUMNS = ("word", "speaker", "person", "engine", "split", "rendition", "start", "end", "phones")
RENDITIONS = 3  # of every engine but Kokoro
SAY = {"espeak": say_espeak, "pico": say_pico, "flite": say_flite, "kokoro": kokoro.say_kokoro}


def renditions(voice):
    """[(setting, setting)]: how each rendition of the voice is to be spoken, for `SAY`."""
    if voice.engine == "kokoro":
        return kokoro.RENDITIONS
    random = np.random.default_rng(zlib.crc32(voice.speaker.encode()))
    tempos = random.permutation([0.8, 1.0, 1.24]) * random.uniform(0.95, 1.05, RENDITIONS)
    pitches = random.permutation([0.9, 1.0, 1.12]) * random.uniform(0.97, 1.03, RENDITIONS)
    # The tape must not change the tempo as well.
    return list(zip(tempos / (voice.tape / 100), pitches))


def render_word(voice, word, settings):
    """(int16 samples, [(phone, second)], understood?) of one word by a Voice."""
    samples, rate, phones = SAY[voice.engine](word, voice.setting, *settings)
    if voice.engine == "kokoro":
        understood = check.heard(samples, rate) == word
        return *clip_of(samples, rate, phones, (0.0, len(samples) / rate)), understood
    span = word_span(samples, rate, phones)
    return *clip_of(samples, rate, phones, span, voice.tape / 100), True


def render(voice):
    """All clips of one Voice that stay, [(row without start and end, int16 samples)], and a Counter.

    The counter is that of `check.select`. The test voices of the older engines stay whole.
    """
    clips, faults = [], []
    for rendition, settings in enumerate(renditions(voice)):
        for word in DIGITS:
            samples, places, understood = render_word(voice, word, settings)
            row = dict(word=word, speaker=voice.speaker, person=voice.person, engine=voice.engine)
            row |= dict(split=voice.split, rendition=rendition)
            row |= dict(phones=" ".join(f"{name}:{second:.3f}" for name, second in places))
            clips.append((row, samples))
            untouched = voice.split == "test" and voice.engine != "kokoro"
            faults.append("" if untouched else check.fault(word, len(samples), understood))
    return check.select(clips, faults)


def write(voices, folder):
    """`digits.flac` and `digits.csv` of the given voices, in `folder`; prints what was dropped."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, audio, position = [], [], 0
    # One fresh process per voice: what an engine said before changes what it says next.
    with multiprocessing.get_context("spawn").Pool(maxtasksperchild=1) as pool:
        for count, (clips, events) in enumerate(pool.imap(render, voices, chunksize=1), start=1):
            print(f"{count}/{len(voices)} {clips[0][0]['speaker']}: {len(clips)} clips", flush=True)
            for (word, event), number in sorted(events.items()):
                print(f"    {word}: {number} {event}, dropped", flush=True)
            for row, samples in clips:
                rows.append(row | dict(start=position, end=position + len(samples)))
                audio.append(samples)
                position += len(samples)
    save(rows, np.concatenate(audio), folder)


def save(rows, samples, folder):
    """Writes the two files."""
    path = folder / "digits.flac"
    soundfile.write(path, samples, SAMPLE_RATE, "PCM_16", compression_level=1.0)
    with open(folder / "digits.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def chosen(names, parser):
    """The Voices called `names` ("a,b"), all of them for None."""
    voices = all_voices()
    if names is None:
        return voices
    unknown = set(names.split(",")) - {voice.speaker for voice in voices}
    if unknown:
        parser.error(f"--voices: no speaker {sorted(unknown)}")
    return [voice for voice in voices if voice.speaker in names.split(",")]


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description="Make the spoken digits of this unit.")
    parser.add_argument("--out", type=Path, default=DATA, help="folder for digits.flac and digits.csv")
    parser.add_argument("--voices", help="only these speakers, separated by commas")
    arguments = parser.parse_args()
    voices = chosen(arguments.voices, parser)
    engines = {voice.engine for voice in voices}
    if "flite" in engines and not shutil.which("flite"):
        sys.exit("the program flite is missing: apt-get install flite")
    if "kokoro" in engines:
        kokoro.fetch()
    write(voices, arguments.out)


if __name__ == "__main__":
    main()
