"""Whatever a person hands to the package, apart from `ctc_loss`: a right value, or a ValueError that names the argument."""

import base64
import io
import itertools
import math
import os
import re
import subprocess
import sys
import unicodedata
import wave
from pathlib import Path

import nbclient
import nbformat
import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_losses import alignment, checks, codes, display, recordings, speech
from asr_losses.arguments import floats, integers
from asr_losses.decoding import error_rates
from asr_losses.features import augment, collate, log_mel

settings.register_profile("here", derandomize=True, deadline=None, database=None, max_examples=60)
settings.load_profile("here")

WEIGHTS = torch.tensor([[0.6, 0.3, 0.1, 0, 0, 0, 0, 0], [0, 0.2, 0.6, 0.2, 0, 0, 0, 0], [0, 0, 0, 0.1, 0.3, 0.3, 0.2, 0.1]])
NAN = torch.nan


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def log_probs(T=8, C=4, dtype=torch.float64):
    return torch.randn(T, C, generator=generator(), dtype=torch.float64).log_softmax(1).to(dtype)


def with_nan(x):
    x = x.clone()
    x.view(-1)[len(x.view(-1)) // 2] = NAN
    return x


def clip(samples, speaker="anna", word="one"):
    return speech.Clip(word, speaker, samples)


SOUND = torch.sin(torch.arange(2000, dtype=torch.float64) / 5)
MEL = torch.randn(20, 40, generator=generator(), dtype=torch.float64)
SAID = speech.Utterance(torch.zeros(16000), ("one", "two"), (0.1, 1.0), (0.6, 1.5), "nobody")
PATH = [0, 1, 3, 3, 5, 6, 7, 8, 9, 11, 13]  # says "one two"
LABELS = torch.tensor([[1, 2, 3]])
INFEASIBLE = "target: 2 labels have no alignment in 2 frames"

REFUSED = {
    # alignment
    "best_path: labels that are blank": (lambda: alignment.best_path(log_probs(), [1, 2, 0, 0]), "targets: expected labels from 0 to 3"),
    "best_path: a label of -1": (lambda: alignment.best_path(log_probs(), [1, -1]), "targets: expected labels"),
    "best_path: a label beyond C": (lambda: alignment.best_path(log_probs(), [1, 4]), "targets: expected labels"),
    "best_path: a blank inside": (lambda: alignment.best_path(log_probs(), [1, 0, 2]), "targets: expected labels"),
    "best_path: labels with decimals": (lambda: alignment.best_path(log_probs(), [1.0, 2.7]), "target: torch.float64 came, expected integers"),
    "best_path: nan": (lambda: alignment.best_path(with_nan(log_probs()), [1, 2]), "log_probs: 1 values are nan"),
    "best_path: a batch": (lambda: alignment.best_path(log_probs()[None], [1]), r"log_probs: shape \(1, 8, 4\) came, expected \(T, C\)"),
    "best_path: too short": (lambda: alignment.best_path(log_probs(2), [1, 1]), INFEASIBLE),
    "best_path: no frame": (lambda: alignment.best_path(log_probs(0), [1]), r"log_probs: shape \(0, 4\)"),
    "occupancy: too short": (lambda: alignment.occupancy(log_probs(2), [1, 1]), INFEASIBLE),
    "occupancy: nan": (lambda: alignment.occupancy(with_nan(log_probs()), [1]), "log_probs: 1 values are nan"),
    "occupancy: a list": (lambda: alignment.occupancy([[0.0]], []), "log_probs: list came"),
    "attention_path: nan": (lambda: alignment.attention_path(with_nan(WEIGHTS)), "weights: 1 values are nan"),
    "attention_path: below 0": (lambda: alignment.attention_path(-WEIGHTS), "weights: from -0.6 up came"),
    "attention_path: tokens > frames": (lambda: alignment.attention_path(WEIGHTS.T), "weights: 8 tokens came for 3 frames"),
    "attention_path: nothing": (lambda: alignment.attention_path(WEIGHTS[:0]), r"weights: shape \(0, 8\)"),
    "attention_entropy: nan": (lambda: alignment.attention_entropy(with_nan(WEIGHTS)), "weights: 1 values are nan"),
    "best_path: inf": (lambda: alignment.best_path(log_probs() + torch.inf, [1]), "log_probs: 32 values are infinite"),
    "occupancy: inf": (lambda: alignment.occupancy(log_probs() + torch.inf, [1]), "log_probs: 32 values are infinite"),
    "best_path: a batch of targets": (lambda: alignment.best_path(log_probs(), [[1, 2]]), r"target: shape \(1, 2\) came, expected \(U,\)"),
    "attention_entropy: no distribution": (lambda: alignment.attention_entropy(2 + 0 * WEIGHTS), "weights: rows with sums up to 16 came"),
    "attention_entropy: a list": (lambda: alignment.attention_entropy([[1.0]]), "weights: "),
    "attention_entropy: nothing": (lambda: alignment.attention_entropy(WEIGHTS[:0]), "weights: shape"),
    "forward_moves: one token": (lambda: alignment.forward_moves(WEIGHTS[:1]), "weights: .*at least two tokens"),
    "forward_moves: looks nowhere": (lambda: alignment.forward_moves(0 * WEIGHTS), "weights: .*some above in each row"),
    "label_times: nothing": (lambda: alignment.label_times([], 0.1), "path: "),
    "label_times: goes back": (lambda: alignment.label_times([1, 3, 1], 0.1), "path: .*never go back"),
    "label_times: skips a label": (lambda: alignment.label_times([1, 5], 0.1), "path: label 1 of 3 is never said"),
    "word_boundaries: another text": (lambda: alignment.word_boundaries(PATH, "one", 0.1), "text: 'one' has 3 characters, the path says 7"),
    "word_boundaries: two spaces": (lambda: alignment.word_boundaries(PATH, "o  etwo", 0.1), "text: .*one space"),
    "word_boundaries: starts with a space": (lambda: alignment.word_boundaries(PATH, " ne two", 0.1), "text: .*one space"),
    "boundary_errors: not as many": (lambda: alignment.boundary_errors([PATH], [SAID, SAID], 0.1), "paths: 1 came for 2 utterances"),
    "boundary_errors: nothing": (lambda: alignment.boundary_errors([], [], 0.1), "paths: 0 came"),
    "uniform_errors: nothing": (lambda: alignment.uniform_errors([]), "utterances: none came"),
    # decoding
    "error_rates: a string": (lambda: error_rates("one", "one"), "references: 'one' came, expected a list of strings"),
    "error_rates: None": (lambda: error_rates(["one"], [None]), "hypotheses: "),
    "error_rates: nothing": (lambda: error_rates([], []), "references: 0 came"),
    "error_rates: no word spoken": (lambda: error_rates(["", " "], ["one", ""]), "references: 2 came without any word"),
    # features
    "log_mel: nan": (lambda: log_mel(with_nan(SOUND)), "samples: 1 values are nan"),
    "log_mel: inf": (lambda: log_mel(SOUND / 0), "samples: "),
    "log_mel: integers": (lambda: log_mel((SOUND * 30000).short()), "samples: torch.int16 came, expected a tensor of floats"),
    "log_mel: far too loud": (lambda: log_mel(SOUND * 1e200), "samples: up to 1e.200 came"),
    "collate: other bands": (lambda: collate([MEL[:, :13]], ["one"]), r"log_mels: shape \(20, 13\) came, expected \(T, 40\)"),
    "log_mel: stereo": (lambda: log_mel(SOUND.view(2, -1)), r"samples: shape \(2, 1000\) came, expected \(L,\)"),
    "log_mel: an array": (lambda: log_mel(SOUND.numpy()), "samples: ndarray came"),
    "collate: not as many": (lambda: collate([MEL, MEL], ["one"]), r"texts: \['one'\] came for 2 log-mels"),
    "collate: nothing": (lambda: collate([], []), "texts: .*at least one"),
    "collate: nan": (lambda: collate([with_nan(MEL)], ["one"]), "log_mels: 1 values are nan"),
    "augment: other bands": (lambda: augment(MEL[:, :39], generator()), r"log_mel: shape \(20, 39\)"),
    "augment: no frame": (lambda: augment(MEL[:0], generator()), r"log_mel: shape \(0, 40\)"),
    # speech
    "decode: -1": (lambda: speech.decode([7, -1, -1]), "tokens: -1 came, expected tokens from 0 to 16"),
    "decode: -100": (lambda: speech.decode([7, -100]), "tokens: -100 came"),
    "decode: 17": (lambda: speech.decode(torch.tensor([17])), "tokens: 17 came"),
    "decode: a batch": (lambda: speech.decode(torch.tensor([[5, 0], [6, 7]])), r"tokens: shape \(2, 2\) came"),
    "encode: None": (lambda: speech.encode(None), "text: NoneType came"),
    "utterances: one number of words": (lambda: speech.utterances([clip(SOUND)], 1, generator(), words=3), "words: 3 came"),
    "utterances: half an utterance": (lambda: speech.utterances([clip(SOUND)], 2.5, generator()), "count: 2.5 came"),
    "join: 16-bit numbers as floats": (lambda: speech.join([clip(SOUND * 9830)], generator()), "clips: samples up to 9830 came"),
    "trim: a floor above 0": (lambda: recordings.trim(SOUND, 35), "floor_db: 35 came, expected a number below 0"),
    "load_recordings: nobody's home": (lambda: recordings.load_recordings("~nosuchuser/x"), "folder: ~nosuchuser/x is no folder"),
    "load_recordings: a name too long": (lambda: recordings.load_recordings("a" * 5000), "folder: a+ is no folder"),
    "decode: decimals": (lambda: speech.decode([1.5]), "tokens: torch.float64 came"),
    "utterances: nothing": (lambda: speech.utterances([], 1, generator()), "clips: an empty list came"),
    "choose: nothing": (lambda: speech.choose([], generator()), "options: none came"),
    "join: an empty clip": (lambda: speech.join([clip(torch.zeros(0))], generator()), r"clips: shape \(0,\)"),
    "join: nan": (lambda: speech.join([clip(with_nan(SOUND))], generator()), "clips: 1 values are nan"),
    "join: integers": (lambda: speech.join([clip(torch.ones(9).short())], generator()), "clips: torch.int16 came"),
    "join: two speakers": (lambda: speech.join([clip(SOUND), clip(SOUND, "ben")], generator()), r"clips: from \['anna', 'ben'\]"),
    "trim: nothing": (lambda: recordings.trim(SOUND[:0]), "samples: shape"),
    "trim: silence": (lambda: recordings.trim(0 * SOUND), "samples: 2000 came that differ by less than"),
    "trim: a constant": (lambda: recordings.trim(0 * SOUND + 0.1), "samples: 2000 came that differ"),
    "trim: nan": (lambda: recordings.trim(with_nan(SOUND)), "samples: 1 values are nan"),
    "trim: integers": (lambda: recordings.trim((SOUND * 30000).short()), "samples: torch.int16"),
    # codes
    "pieces: other bands": (lambda: codes.pieces(MEL[:, :39]), r"mel: shape \(20, 39\)"),
    "pieces: no frame": (lambda: codes.pieces(MEL[:0]), r"mel: shape \(0, 40\)"),
    "nearest: nan": (lambda: codes.nearest(with_nan(MEL), MEL), "x: 1 values are nan"),
    "nearest: nan centre": (lambda: codes.nearest(MEL, with_nan(MEL)), "centres: 1 values are nan"),
    "nearest: other dimensions": (lambda: codes.nearest(MEL, MEL[:, :3]), r"centres: shape \(20, 3\) came for x \(20, 40\)"),
    "k_means: none": (lambda: codes.k_means(MEL, 0, generator()), "K: 0 came"),
    "k_means: half a centre": (lambda: codes.k_means(MEL, 2.5, generator()), "K: 2.5 came"),
    "k_means: nan": (lambda: codes.k_means(with_nan(MEL), 2, generator()), "x: 1 values are nan"),
    # checks
    "targets: nothing": (lambda: checks.targets(LABELS[:0], torch.tensor([], dtype=torch.long), 17), r"targets: shape \(0, 3\)"),
    "targets: lengths with decimals": (lambda: checks.targets(LABELS, torch.tensor([3.0]), 17), "target_lengths: torch.float"),
    "targets: lengths in a list": (lambda: checks.targets(LABELS, [3], 17), "target_lengths: list came"),
    "logits: nothing": (lambda: checks.logits(torch.zeros(1, 0, 5), LABELS[:, :0]), "logits: shape"),
    "targets: a list": (lambda: checks.targets([[1, 2]], torch.tensor([2]), 17), "targets: list came"),
    "logits: a list": (lambda: checks.logits([[[0.0]]], LABELS), "logits: list came"),
    "logits: labels in a list": (lambda: checks.logits(torch.zeros(1, 3, 5), [[1, 2, 3]]), "labels: list came"),
    "mask: no position": (lambda: checks.mask(torch.ones(3, 0) > 0, torch.zeros(1, 3, 4), torch.zeros(1, 0, 4)), "may: .* for 0 positions"),
    "logits: labels with decimals": (lambda: checks.logits(torch.zeros(1, 3, 5), LABELS * 1.0), "labels: torch.float"),
    # display
    "audio: integers": (lambda: display.audio(np.array([0, 1000], dtype=np.int16), 8000, "x"), "samples: int16 came, .*divide 16-bit integers by 32768"),
    "audio: nan": (lambda: display.audio(with_nan(SOUND), 8000, "x"), "samples: up to nan came"),
    "audio: too loud": (lambda: display.audio(2 * SOUND, 8000, "x"), "samples: up to 2 came"),
    "audio: no rate": (lambda: display.audio(SOUND, 0, "x"), "rate: 0 came"),
    "show: no alt text": (lambda: display.show(None, " "), "alt: nothing came"),
    "integers: on meta": (lambda: integers("x", torch.ones(3, dtype=torch.long, device="meta")), "x: a tensor on the meta device came"),
    "integers: words": (lambda: integers("x", ["one"]), "x: .'one'. came, expected integers"),
    "integers: a bool": (lambda: integers("x", torch.ones(3) > 0), "x: torch.bool came, expected integers"),
    "audio: nothing": (lambda: display.audio(SOUND[:0], 8000, "x"), r"samples: shape \(0,\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nonsense_is_refused(name):
    call, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_occupancy_in_every_grad_mode(mode):
    expected = alignment.occupancy(log_probs(), [1, 1, 2])
    with mode():
        torch.testing.assert_close(alignment.occupancy(log_probs(), [1, 1, 2]), expected)
    assert not expected.requires_grad
    assert expected.sum(1).tolist() == pytest.approx([1] * 8)


def test_occupancy_where_the_blank_is_masked():
    for value in (-1e9, -torch.inf):
        masked = log_probs(3, 4, torch.float32)
        masked[:, 0] = value
        gamma = alignment.occupancy(masked, [1, 2])
        assert gamma.min() >= 0 and gamma[:, 0].max() < 1e-6
        torch.testing.assert_close(gamma, alignment.occupancy(masked.double(), [1, 2]).float(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    exact = log_probs(dtype=dtype).double()
    assert alignment.occupancy(log_probs(dtype=dtype), [1, 2]).dtype == torch.float32
    torch.testing.assert_close(alignment.occupancy(log_probs(dtype=dtype), [1, 2]).double(), alignment.occupancy(exact, [1, 2]), rtol=0, atol=2e-6)
    assert torch.equal(alignment.best_path(log_probs(dtype=dtype), [1, 2]), alignment.best_path(exact, [1, 2]))
    assert alignment.attention_path(WEIGHTS.to(dtype)).tolist() == alignment.attention_path(WEIGHTS).tolist()
    assert log_mel(SOUND.to(dtype)).dtype == torch.float64
    assert alignment.forward_moves(torch.eye(400, dtype=dtype)) == 100
    assert alignment.attention_entropy(torch.full((4, 2000), 1 / 2000).to(dtype)) == pytest.approx(math.log(2000), rel=2e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_best_path_of_a_long_input_is_that_of_float64(dtype):
    scores = torch.randn(1500, 20, generator=generator(3)).log_softmax(1).to(dtype)
    target = torch.randint(1, 20, (150,), generator=generator(4))
    assert torch.equal(alignment.best_path(scores, target), alignment.best_path(scores.double(), target))


def test_a_label_that_is_masked_but_needed():
    masked = log_probs(6, 4, torch.float32)
    masked[:, 1] = -1e9
    torch.testing.assert_close(alignment.occupancy(masked, [1, 2]).sum(1), torch.ones(6, dtype=torch.float32))
    assert torch.equal(alignment.best_path(masked, [1, 2]), alignment.best_path(masked.double(), [1, 2]))


def test_nothing_to_say():
    """The empty text, in any kind of list: one path of blanks."""
    for nothing in ([], (), np.array([]), torch.tensor([]), torch.tensor([], dtype=torch.int32)):
        assert alignment.best_path(log_probs(), nothing).tolist() == [0] * 8
        assert alignment.occupancy(log_probs(), nothing)[:, 0].tolist() == [1] * 8
        assert speech.decode(nothing) == ""


def test_tokens_in_any_container():
    arrays = [np.array([1, 1, 2], dtype=np.uint8), np.array([1, 1, 2], dtype=">i4"), np.array([2, 1, 1])[::-1]]
    for tokens in ([1, 1, 2], (1, 1, 2), torch.tensor([1, 1, 2], dtype=torch.int32), *arrays):
        assert torch.equal(alignment.best_path(log_probs(), tokens), alignment.best_path(log_probs(), [1, 1, 2]))
        assert speech.decode(tokens) == speech.decode([1, 1, 2])


def on_the_cpu():
    """Results of what makes tensors, with all arguments explicitly on the CPU."""
    gen = torch.Generator("cpu").manual_seed(3)
    weights, path = WEIGHTS.clone(), torch.tensor(PATH, device="cpu")
    spoken = speech.utterances([clip(SOUND, word=word) for word in ("one", "two")], 2, gen)
    mel = log_mel(spoken[0].samples)
    batch = collate([mel], ["one"])
    lengths = torch.tensor([3], device="cpu")
    checks.targets(LABELS, lengths, 17)
    may = torch.ones(3, 4, dtype=torch.bool, device="cpu")
    checks.mask(may, torch.zeros(1, 3, 4, device="cpu"), torch.zeros(1, 4, 4, device="cpu"))
    return [
        spoken[1].samples, mel, batch.log_mel.double(), batch.frames, batch.targets, batch.target_lengths, augment(mel, gen),
        codes.pieces(mel), codes.k_means(mel, 4, gen), alignment.occupancy(log_probs_of(gen), [1, 2]),
        alignment.best_path(log_probs_of(gen), [1, 2]), alignment.attention_path(weights), *alignment.label_times(path, 0.1),
        alignment.word_boundaries(path, "one two", 0.1), alignment.true_boundaries(SAID), alignment.uniform_boundaries(SAID),
        recordings.trim(SOUND), integers("x", [1, 2]), torch.tensor([alignment.forward_moves(weights)], device="cpu"),
    ]


def log_probs_of(gen):
    return torch.randn(8, 4, generator=gen, dtype=torch.float64, device="cpu").log_softmax(1)


def test_nothing_is_made_on_the_default_device():
    """With "meta" as the default, a tensor that is made without the device of its input has no values."""
    expected = on_the_cpu()
    with torch.device("meta"):
        results = on_the_cpu()
    for result, truth in zip(results, expected):
        assert result.device.type == "cpu"
        torch.testing.assert_close(result, truth, rtol=0, atol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda():
    assert alignment.occupancy(log_probs().cuda(), [1, 2]).is_cuda
    assert log_mel(SOUND.cuda()).is_cuda
    assert augment(MEL.cuda(), generator()).is_cuda
    torch.testing.assert_close(augment(MEL.cuda(), generator()).cpu(), augment(MEL, generator()))
    torch.testing.assert_close(alignment.occupancy(log_probs().cuda(), [1, 2]).cpu(), alignment.occupancy(log_probs(), [1, 2]))
    assert alignment.best_path(log_probs().cuda(), [1, 2]).tolist() == alignment.best_path(log_probs(), [1, 2]).tolist()


# Error rates


SPACES = st.text(alphabet=" \t\n\r\f\v\u00a0\u2003\u3000", min_size=1, max_size=3).filter(lambda text: text == " " or text.strip(" "))


@given(st.lists(st.sampled_from(speech.DIGITS), min_size=1, max_size=4), st.data())
def test_white_space_is_no_error(words, data):
    text = data.draw(st.sampled_from(["", "\u00a0", "\n"]))
    for word in words:
        text += word + data.draw(SPACES)
    assert error_rates([" ".join(words)], [text]) == error_rates([text], [" ".join(words)]) == (0, 0)


def test_a_doubled_space_is_an_error_of_characters():
    assert error_rates(["one two"], ["one  two"]) == (pytest.approx(100 / 7), 0)


def test_letters_that_look_the_same_are_the_same():
    assert error_rates(["caf\u00e9"], [unicodedata.normalize("NFD", "caf\u00e9")]) == (0, 0)


def test_texts_may_come_one_by_one():
    assert error_rates(iter(["one"]), map(str, ["one"])) == (0, 0)


def test_an_utterance_without_words_counts_what_is_written():
    assert error_rates(["", "one two"], ["six", "one two"])[1] == 50


# Recordings


def write(path, samples, subtype="PCM_16"):
    soundfile.write(path, np.asarray(samples), 8000, subtype=subtype)
    return path


TONE = 0.3 * torch.sin(torch.arange(4000) / 5.0)


@pytest.mark.parametrize(
    "name, samples, expected",
    [
        ("7_anna_0.wav", 9830 * TONE, "samples up to .*, expected from -1 to 1"),
        ("7_anna_0.wav", with_nan(TONE), "samples up to nan"),
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


# Codes and features


def test_nearest_far_from_the_origin():
    x = torch.arange(5.0)[:, None] + 1e4
    assert codes.nearest(x, x).tolist() == [0, 1, 2, 3, 4]
    x = torch.tensor([[0.0], [1.0], [2.0], [1e5]])
    assert codes.nearest(x, x).tolist() == codes.nearest(x.double(), x).tolist() == [0, 1, 2, 3]


@given(st.integers(0, 10**6), st.integers(1, 20), st.integers(1, 9), st.sampled_from([0.0, 1.0, 1e4, -1e5]))
def test_nearest_is_nearest(seed, L, K, offset):
    x = (10 * torch.randn(L, 3, generator=generator(seed)) + offset).float()
    centres = (10 * torch.randn(K, 3, generator=generator(seed + 1)) + offset).float()
    distances = (x.double()[:, None] - centres.double()).norm(dim=2)
    found = distances.gather(1, codes.nearest(x, centres)[:, None])[:, 0]
    assert (found <= distances.amin(1) * (1 + 1e-3) + 1e-3).all()


def test_how_augmentation_moves_the_bands():
    """A line that rises by 1 a band comes back with slope `scale`, moved by `shift`: both as drawn."""
    mel = torch.arange(40.0, dtype=torch.float64).expand(400, 40).contiguous()
    for seed in range(20):
        gen = generator(seed)
        scale, shift = 1 + 0.15 * speech.draw(-1, 1, gen), 3 * speech.draw(-1, 1, gen)
        heights = 0.25 * torch.randn(3, generator=gen, dtype=torch.float64)
        bands = torch.linspace(0, math.pi, 40, dtype=torch.float64)
        curve = sum(height * torch.cos(bands * k) for k, height in zip((1, 2, 3), heights))
        expected = ((torch.arange(40, dtype=torch.float64) - 20) * scale + 20 + shift).clamp(0, 38.999) + curve
        changed = augment(mel, generator(seed))
        rows = changed[(changed != 0).double().mean(1) > 0.5]  # outside the hole over frames
        columns = (rows != 0).all(0)
        assert columns.sum() >= 33
        torch.testing.assert_close(rows[0, columns], expected[columns], rtol=0, atol=1e-5)


# Alignment, against enumeration


def states_of(path, blank):
    """Frame labels as states: 2u + 1 for label u, 2u for the blank before it."""
    states, u, last = [], 0, blank
    for label in path:
        if label != blank and label != last:
            u += 1
        states.append(2 * u if label == blank else 2 * u - 1)
        last = label
    return states


@st.composite
def alignments(draw):
    C = draw(st.integers(2, 4))
    T = draw(st.integers(1, 5))
    blank = draw(st.integers(0, C - 1))
    labels = [c for c in range(C) if c != blank]
    target = draw(st.lists(st.sampled_from(labels), max_size=3))
    logits = torch.randn(T, C, generator=generator(draw(st.integers(0, 10**6))), dtype=torch.float64)
    logits *= draw(st.sampled_from([1, 10]))
    for t, c in draw(st.lists(st.tuples(st.integers(0, T - 1), st.integers(0, C - 1)), max_size=2)):
        if logits[t].isfinite().sum() > 1:
            logits[t, c] = -torch.inf
    return logits.log_softmax(1), target, blank


@given(alignments())
def test_best_path_and_occupancy_are_those_of_enumeration(case):
    scores, target, blank = case
    T, C = scores.shape
    paths = [
        path for path in itertools.product(range(C), repeat=T)
        if [label for label, _ in itertools.groupby(path) if label != blank] == target
    ]
    totals = torch.stack([scores[range(T), path].sum() for path in paths]) if paths else torch.tensor([-torch.inf])
    if totals.isneginf().all():
        for function in (alignment.best_path, alignment.occupancy):
            with pytest.raises(ValueError, match="no alignment"):
                function(scores, target, blank)
        return
    assert alignment.best_path(scores, target, blank).tolist() == states_of(paths[totals.argmax()], blank)
    expected = torch.zeros(T, C, dtype=torch.float64)
    for path, weight in zip(paths, totals.softmax(0)):
        expected[range(T), path] += weight
    torch.testing.assert_close(alignment.occupancy(scores, target, blank), expected, rtol=1e-9, atol=1e-12)


@given(st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]), st.integers(0, 3), st.integers(0, 3))
def test_floats_and_integers(dtype, rows, columns):
    x = torch.ones(rows, columns, dtype=dtype)
    if rows and columns:
        assert floats("x", x, "(T, C)") is x
        with pytest.raises(ValueError, match=f"x: {dtype} came, expected integers"):
            integers("x", x)
    else:
        with pytest.raises(ValueError, match="x: shape .* came, expected"):
            floats("x", x, "(T, C)")
        assert integers("x", x).dtype == torch.long


# Processes and folders


def test_progress_is_silent_outside_a_kernel():
    code = "from asr_losses.display import progress; progress('one'); progress('two')"
    environment = os.environ | {"ASR_LOSSES_PROGRESS": "1", "JPY_SESSION_NAME": "x.ipynb"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment | PACKAGE)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


PACKAGE = {"PYTHONPATH": str(Path(speech.__file__).parents[1])}
CHILDREN = """
import os, multiprocessing
os.environ["ASR_LOSSES_PROGRESS"] = "1"
from asr_losses.display import progress
def work(n):
    progress("in a child")
    return n
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(work, range(3)))
"""


def test_progress_is_silent_in_a_child_of_a_kernel(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CHILDREN)])
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=60).execute(env=os.environ | PACKAGE)
    assert [output.get("text") for output in notebook.cells[0].outputs] == ["[0, 1, 2]\n"]


def test_the_package_is_found_from_any_folder(tmp_path):
    """`make` tells the virtual environment where the package is."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = "from asr_losses import speech; print(len(speech.load_clips('test')) > 0)"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.stdout == "True\n", result.stderr


def test_audio_is_what_was_given(monkeypatch):
    shown = []
    monkeypatch.setattr(display, "display", lambda data, **_: shown.append(data))
    display.audio(torch.tensor([0.0, 0.5, -1.0], requires_grad=True), 8000, "three samples")
    sound = base64.b64decode(re.search("base64,([^\"]+)", shown[0]["text/html"])[1])
    with wave.open(io.BytesIO(sound)) as file:
        assert np.frombuffer(file.readframes(3), "<i2").tolist() == [0, 16384, -32767]
    assert shown[0]["text/plain"] == "three samples (0.00 s)"
