"""The shipped digits: are they what `asr_losses.make_clips` makes, and what the lessons need?"""

import csv
import shutil
import subprocess
import sys
from collections import defaultdict

import numpy as np
import pytest
import soundfile

from asr_losses.speech import DATA, DIGITS, SAMPLE_RATE, SPLITS

NOTEBOOKS = DATA.parent.parent
NEEDS = {"espeak": "espeakng_loader", "pico": "py_nanotts", "flite": None}  # flite: a program


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


def make(engine, shipped_rows, folder):
    """Makes two of the engine's shipped voices again, in a process of its own."""
    module = NEEDS[engine]
    if module:
        pytest.importorskip(module, reason=f"{module} is not installed: its clips cannot be made again")
    elif not shutil.which("flite"):
        pytest.skip("flite is not installed (apt-get install flite): its clips cannot be made again")
    speakers = list(dict.fromkeys(row["speaker"] for row in shipped_rows if row["engine"] == engine))
    voices = ",".join([speakers[1], speakers[-1]])
    command = [sys.executable, "-m", "asr_losses.make_clips", "--out", str(folder), "--voices", voices]
    subprocess.run(command, check=True, cwd=NOTEBOOKS, stdout=subprocess.DEVNULL)
    return folder


@pytest.mark.parametrize("engine", NEEDS)
def test_two_processes_make_the_same_bytes_and_the_shipped_clips(engine, shipped, tmp_path):
    rows, audio = shipped
    first, second = (make(engine, rows, tmp_path / name) for name in ("first", "second"))
    for name in ("digits.flac", "digits.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name

    place = {(row["speaker"], row["rendition"], row["word"]): row for row in rows}
    again, again_audio = read(first)
    for row in again:
        old = place[row["speaker"], row["rendition"], row["word"]]
        assert old["phones"] == row["phones"]
        new_samples = again_audio[row["start"] : row["end"]].astype(int)
        old_samples = audio[old["start"] : old["end"]].astype(int)
        # One step of the 12 bits: another processor may round a tie the other way.
        np.testing.assert_allclose(new_samples, old_samples, rtol=0, atol=16, err_msg=str(row))


def test_an_unknown_voice_is_named(tmp_path):
    command = [sys.executable, "-m", "asr_losses.make_clips", "--out", str(tmp_path), "--voices", "nobody"]
    result = subprocess.run(command, cwd=NOTEBOOKS, capture_output=True, text=True)
    assert result.returncode != 0 and "nobody" in result.stderr


def test_flite_missing_says_how_to_install_it(tmp_path):
    command = [sys.executable, "-m", "asr_losses.make_clips", "--out", str(tmp_path), "--voices", "flite-slt"]
    nothing = {"PATH": str(tmp_path)}
    result = subprocess.run(command, cwd=NOTEBOOKS, capture_output=True, text=True, env=nothing)
    assert result.returncode != 0 and "apt-get install flite" in result.stderr


def test_size():
    assert sum(path.stat().st_size for path in DATA.glob("digits.*")) <= 8e6


def test_voices(shipped):
    rows, _ = shipped
    speakers = groups(rows, "split", "speaker")
    assert set(speakers) == set(SPLITS)
    assert sum(map(len, speakers.values())) >= 40
    assert len(speakers["validation"]) >= 4 and len(speakers["test"]) >= 6
    for split, engines in groups(rows, "split", "engine").items():
        assert "espeak" in engines and engines & {"flite", "pico"}, split


@pytest.mark.parametrize("key", ["speaker", "person"])
def test_nobody_is_in_two_splits(shipped, key):
    rows, _ = shipped
    assert all(len(splits) == 1 for splits in groups(rows, key, "split").values())


def test_every_speaker_says_every_digit_in_every_rendition(shipped):
    rows, _ = shipped
    said = sorted((row["speaker"], row["rendition"], row["word"]) for row in rows)
    speakers = {row["speaker"] for row in rows}
    assert said == sorted((s, r, w) for s in speakers for r in "012" for w in DIGITS)


def test_natural_voices_come_first_in_each_split(shipped):
    rows, _ = shipped
    for split in SPLITS:
        is_espeak = [row["engine"] == "espeak" for row in rows if row["split"] == split]
        assert is_espeak == sorted(is_espeak)


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
