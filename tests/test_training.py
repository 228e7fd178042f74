"""Training and recipes: one loop, and shipped weights that fit the corpus, the recipe and the code."""

import itertools

import pytest
import safetensors.torch
import torch

from asr_losses import recipes, training
from asr_losses.recipes import INDEX, WEIGHTS

STATED = recipes.read_index() if INDEX.is_file() else {}


def test_a_history():
    torch.manual_seed(0)
    seen = []
    model, _ = recipes.train("ctc_aligner", stop=1)
    batches = recipes.batches("ctc_aligner")
    history = training.fit(model.float(), as_float(batches), 30, 0.01, lambda m: {"cer": 1.0}, lambda m, step: seen.append(step), stop=3)
    assert seen == [1, 2, 3] and len(history) == 2
    assert history[0] == {"cer": 1.0} and history[1]["cer"] == 1.0
    assert history[1]["train"] == pytest.approx(sum(history[1]["steps"]) / 3)


def as_float(batches):
    for batch in batches:
        batch.log_mel = batch.log_mel.float()
        yield batch


def test_batches_are_sorted_into_like_lengths_and_reproducible():
    first, second = (list(itertools.islice(recipes.batches("ctc_reader"), 3)) for _ in range(2))
    for one, other in zip(first, second):
        assert torch.equal(one.log_mel, other.log_mel) and torch.equal(one.targets, other.targets)
        assert one.frames.double().mean() > 0.6 * one.frames.max()  # little padding


def test_training_leaves_torch_as_it_was():
    torch.manual_seed(5)
    before, dtype = torch.random.get_rng_state(), torch.get_default_dtype()
    recipes.train("ctc_aligner", stop=1)
    recipes.load("ctc_aligner")
    assert torch.equal(torch.random.get_rng_state(), before) and torch.get_default_dtype() == dtype


def test_unknown_names():
    for function in (recipes.train, recipes.load, recipes.untrained):
        with pytest.raises(ValueError, match="name: 'nobody' came, expected one of ctc_reader"):
            function("nobody")


def test_every_recipe_is_shipped_and_nothing_else():
    assert set(STATED) == set(recipes.RECIPES)
    assert {path.stem for path in WEIGHTS.glob("*.safetensors")} == set(recipes.RECIPES)


def test_sizes():
    sizes = [path.stat().st_size for path in WEIGHTS.glob("*.safetensors")]
    assert max(sizes) <= 2e6 and sum(sizes) <= 10e6


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_the_shipped_weights_are_those_of_this_corpus_recipe_and_code(name):
    """If this fails, something that the weights depend on has changed: make weights."""
    digest, first = recipes.fingerprint(name)
    assert digest == STATED[name]["corpus_and_recipe"]
    stated = [float(loss) for loss in STATED[name]["first_losses"].split()]
    assert [float(loss) for loss in first.split()] == pytest.approx(stated, abs=2e-6)


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_the_shipped_weights_are_the_stated_ones(name):
    stored = safetensors.torch.load_file(WEIGHTS / f"{name}.safetensors")
    assert {value.dtype for value in stored.values()} <= {torch.float32, torch.int64}
    assert recipes.weights_hash(name) == STATED[name]["weights"]
