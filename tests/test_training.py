"""Training and recipes: one loop, and shipped weights that fit the corpus, the recipe and the code."""

import itertools
import math
from functools import partial

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


def test_gradients_are_rounded_to_ten_bits():
    layer = torch.nn.Linear(50, 40)
    layer.weight.grad, layer.bias.grad = 3.0 * torch.randn(40, 50), 1e-17 * torch.randn(40)
    exact = layer.weight.grad.clone()
    training.round_gradients(layer)
    unit = 2.0 ** (math.floor(math.log2(exact.abs().max())) + 1 - 10)
    assert (layer.weight.grad / unit % 1 == 0).all() and (layer.weight.grad - exact).abs().max() <= unit / 2
    assert not layer.bias.grad.any()  # nothing but noise
    layer.bias.grad = None
    training.round_gradients(layer)


class Curve(torch.nn.Module):
    """A small network that learns a curve: what `training.fit` needs of a model."""

    def __init__(self):
        super().__init__()
        sizes = (5, 30), (30, 30), (30, 1)
        self.layers = torch.nn.ModuleList(torch.nn.Linear(*size) for size in sizes)

    def loss(self, batch):
        x, y = batch
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        return (self.layers[-1](x)[:, 0] - y).square().mean()


def curves():
    generator = torch.Generator().manual_seed(0)
    while True:
        x = torch.randn(16, 5, generator=generator)
        yield x, (3 * x).sin().sum(1)


def test_what_is_tiny_does_not_grow(float64):
    """Weights that differ in the last digit: after 600 steps 2e-12 apart without rounding."""
    trained = []
    for change in (0.0, 1e-15):
        torch.manual_seed(0)
        model = Curve()
        with torch.no_grad():
            model.layers[0].weight += change
        training.fit(model, curves(), 600, 0.05)
        trained.append(model.layers[1].weight.detach())
    assert (trained[0] - trained[1]).abs().max() < 1e-14


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
    assert {path.stem for path in WEIGHTS.glob("*.safetensors")} == {*recipes.RECIPES, "stages"}


def test_the_stages_begin_with_the_untrained_reader_and_end_with_the_shipped_one():
    stages, said = recipes.stages(), recipes.word()
    assert tuple(stages) == recipes.STAGES and stages[0].shape == (1 + len(said.samples) // 320, 17)
    for steps, model in {0: recipes.untrained("ctc_reader").float(), 3600: recipes.load("ctc_reader")}.items():
        (log_probs,) = model.listen([said])
        torch.testing.assert_close(stages[steps].clamp(min=-20), log_probs.clamp(min=-20), rtol=0, atol=1e-3)


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


@pytest.mark.usefixtures("float64")
def test_making_the_reader_keeps_its_stages(monkeypatch):
    seen = {}
    monkeypatch.setattr(recipes, "STAGES", (0, 1))
    recipes.train("ctc_reader", stop=2, watch=partial(recipes._look, seen, recipes.word()))
    model, _ = recipes.train("ctc_reader", stop=1)
    assert list(seen) == ["1"]
    torch.testing.assert_close(seen["1"], model.listen([recipes.word()])[0].float())
