"""Whatever a person hands to the package, apart from `ctc_loss`: a right value, or a ValueError that names the argument."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asr_losses import alignment, checks, codes, display, recordings, speech
from asr_losses.arguments import floats, integers
from asr_losses.decoding import error_rates
from asr_losses.features import augment, collate, log_mel

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
    "label_times: frames that go back": (lambda: alignment.label_times([[1, 0], [1, 2]], 0.1), "path: .* of labels in order"),
    "label_times: last frames that go back": (lambda: alignment.label_times([[0, 1], [3, 2]], 0.1), "path: .* of labels in order"),
    "label_times: last before first": (lambda: alignment.label_times([[0, 2], [1, 1]], 0.1), "path: .* a first and a last frame"),
    "label_times: a frame below 0": (lambda: alignment.label_times([[-1, 2], [1, 2]], 0.1), "path: .*-1"),
    "label_times: three rows": (lambda: alignment.label_times([[1, 2]] * 3, 0.1), r"path: .* expected a first and a last frame \(2, U\)"),
    "label_times: frames with decimals": (lambda: alignment.label_times([[0.5], [1.0]], 0.1), "path: torch.float64 came"),
    "label_times: a batch": (lambda: alignment.label_times([[[1]]], 0.1), "path: .* expected states"),
    "word_boundaries: frames of another text": (lambda: alignment.word_boundaries([[1, 2], [1, 2]], "one", 0.1), "text: 'one' has 3 characters, the path says 2"),
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
    "log_mel: too short": (lambda: log_mel(SOUND[:255]), r"samples: shape \(255,\) came, expected \(L,\) with L >= 256"),
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
        *alignment.label_times([[0, 2], [1, 3]], 0.1),
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
