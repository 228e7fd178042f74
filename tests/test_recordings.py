"""Recordings of people: read, trimmed, and a ValueError that names each file that does not fit."""

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asr_losses import recordings, speech

PEOPLE = Path(os.environ.get("RECORDINGS", Path(__file__).parents[2] / "shared/human/recordings"))
TONE = 0.3 * torch.sin(torch.arange(4000) / 5.0)


def write_named(folder, name, samples=None, rate=8000, channels=1):
    if samples is None:
        samples = 0.3 * torch.sin(torch.arange(2000) / 5.0)
    soundfile.write(folder / name, torch.stack([samples] * channels, 1).numpy(), rate, subtype="PCM_16")


def test_recordings_of_people_are_read_and_trimmed(tmp_path):
    tone = 0.3 * torch.sin(torch.arange(4000) / 5.0)
    write_named(tmp_path, "7_anna_0.wav", torch.cat([torch.zeros(1600), tone, torch.zeros(2400)]))
    write_named(tmp_path, "0_ben_12.wav")
    (tmp_path / ".hidden").write_text("ignored")
    ben, anna = recordings.load_recordings(tmp_path)
    assert (anna.word, anna.speaker, ben.word, ben.speaker) == ("seven", "anna", "zero", "ben")
    assert len(anna.samples) == 4000


@pytest.mark.parametrize(
    "name, options, expected",
    [
        ("seven_anna_0.wav", {}, "the label is 'seven', expected a digit from 0 to 9"),
        ("11_anna_0.wav", {}, "the label is '11', expected a digit"),
        ("7_anna.wav", {}, r"expected a file named \{digit\}_\{speaker\}_\{index\}.wav"),
        ("7_anna_0.flac", {}, "expected a file named"),
        ("7_anna_0.wav", {"rate": 16000}, "16000 samples a second, expected 8000"),
        ("7_anna_0.wav", {"channels": 2}, "2 channels, expected 1"),
        ("7_anna_0.wav", {"samples": torch.zeros(0)}, "0 samples and no sound"),
        ("7_anna_0.wav", {"samples": torch.zeros(800)}, "800 samples and no sound"),
    ],
)
def test_bad_recordings_are_named(tmp_path, name, options, expected):
    write_named(tmp_path, "0_ben_0.wav")
    write_named(tmp_path, name, **options)
    with pytest.raises(ValueError, match=expected) as caught:
        recordings.load_recordings(tmp_path)
    assert name in str(caught.value)


def test_unreadable_files_and_folders_are_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere is no folder"):
        recordings.load_recordings(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is empty, expected files"):
        recordings.load_recordings(tmp_path)
    (tmp_path / "1_ben_0.wav").write_bytes(b"not a sound")
    with pytest.raises(ValueError, match="1_ben_0.wav: expected a readable WAV"):
        recordings.load_recordings(tmp_path)
    (tmp_path / "1_ben_0.wav").unlink()
    (tmp_path / "1_ben_1.wav").mkdir()
    with pytest.raises(ValueError, match="1_ben_1.wav: expected a file"):
        recordings.load_recordings(tmp_path)


def test_real_recordings():
    if not PEOPLE.is_dir():
        pytest.skip(f"no recordings of people in {PEOPLE.name}; name a folder with RECORDINGS=...")
    clips = recordings.load_recordings(PEOPLE)
    assert {clip.word for clip in clips} == set(speech.DIGITS)
    assert all(400 < len(clip.samples) < 24000 for clip in clips)
    assert speech.utterances(clips, 3, torch.Generator().manual_seed(0))


def write(path, samples, subtype="PCM_16"):
    soundfile.write(path, np.asarray(samples), 8000, subtype=subtype)
    return path


@pytest.mark.parametrize(
    "name, samples, expected",
    [
        ("7_anna_0.wav", 9830 * TONE, "samples up to .*, expected from -1 to 1"),
        ("7_anna_0.wav", torch.cat([TONE, torch.tensor([torch.nan])]), "samples up to nan"),
        ("7_anna_0.wav", torch.cat([TONE, torch.tensor([torch.inf])]), "samples up to inf"),
        ("7_anna_0.wav", 0 * TONE + 1e-200, "no sound, expected a spoken digit"),
        ("7_anna_0.wav", 0 * TONE + 0.1, "no sound"),
    ],
)
def test_recordings_of_floats(tmp_path, name, samples, expected):
    write(tmp_path / name, samples.double(), "DOUBLE")
    with pytest.raises(ValueError, match=expected) as caught:
        recordings.load_recordings(tmp_path)
    assert name in str(caught.value)


@pytest.mark.parametrize("offset", [0.0, 0.05, -0.2])
def test_an_offset_is_no_sound(tmp_path, offset):
    write(tmp_path / "7_anna_0.wav", torch.cat([torch.zeros(1600), TONE, torch.zeros(2400)]) + offset)
    (found,) = recordings.load_recordings(tmp_path)
    assert len(found.samples) == 4000
    torch.testing.assert_close(found.samples, TONE.double(), rtol=0, atol=1e-3)


def test_a_truncated_file_is_named(tmp_path):
    path = write(tmp_path / "7_anna_0.wav", TONE)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1000])
    with pytest.raises(ValueError, match="7_anna_0.wav: 1000 bytes fewer than its header promises"):
        recordings.load_recordings(tmp_path)
    at = whole.index(b"data") + 4
    for unknown in (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80"):  # as from a pipe
        path.write_bytes(whole[:at] + unknown + whole[at + 4 :])
        assert len(recordings.load_recordings(tmp_path)) == 1
    for form in ("RF64", "W64", "AIFF"):
        soundfile.write(path, TONE.numpy(), 8000, format=form)
        with pytest.raises(ValueError, match="7_anna_0.wav: begins with .*, expected a WAV file"):
            recordings.load_recordings(tmp_path)


def test_a_sound_to_one_side_is_cut_out_all_the_same():
    samples = torch.zeros(8000)
    samples[3040:3440] = 0.5
    assert len(recordings.trim(samples)) == 400


def test_home_folders(tmp_path, monkeypatch):
    write(tmp_path / "7_anna_0.wav", TONE)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert recordings.load_recordings("~")[0].speaker == "anna"


def test_one_name_is_one_speaker(tmp_path):
    for index, name in enumerate(["Zo\u00eb", unicodedata.normalize("NFD", "Zo\u00eb"), "zo\u00eb"]):
        write(tmp_path / f"7_{name}_{index}.wav", TONE)
    assert {clip.speaker for clip in recordings.load_recordings(tmp_path)} == {"zo\u00eb"}


def test_trim_keeps_what_is_at_most_35_db_below_the_loudest():
    silence, soft = torch.zeros(800), TONE[:800] * 10 ** (-30 / 20)
    softer = TONE[:800] * 10 ** (-40 / 20)
    assert len(recordings.trim(torch.cat([silence, soft, TONE, softer, silence]))) == 4800
