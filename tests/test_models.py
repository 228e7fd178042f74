"""The models: one contract, and padding must not matter."""

import math

import pytest
import torch

from asr_losses import alignment, codes, models, recipes, speech
from asr_losses.encoders import ConvEncoder, RecurrentEncoder
from asr_losses.features import BANDS
from asr_losses.models import batch_of
from asr_losses.models_transducer import Transducer

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def spoken():
    generator = torch.Generator().manual_seed(1)
    said = speech.utterances(speech.load_clips("test"), 6, generator)
    return sorted([*said, speech.nothing(generator)], key=lambda u: u.seconds)


def all_models():
    centres = torch.randn(9, codes.FRAMES * BANDS)
    return [
        models.CTC(ConvEncoder()), models.CTC(RecurrentEncoder()), models.CTC(ConvEncoder((1,)), 0.5),
        models.EncoderDecoder(ConvEncoder()), models.EncoderDecoder(ConvEncoder(), guidance=1.0),
        models.SpeechLanguageModel(centres), Transducer(ConvEncoder()),
        Transducer(ConvEncoder(causal=True), context=1, joint=0.0, delay=0.01),
    ]


def test_one_contract(spoken):
    for model in all_models():
        loss = model.loss(batch_of(spoken))
        assert loss.ndim == 0 and loss.isfinite()
        loss.backward()
        assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
        texts = model.transcribe(spoken)
        assert len(texts) == len(spoken) and not model.training
        assert all(isinstance(text, str) for text in texts)
        if hasattr(model, "paths"):
            for path, u in zip(model.paths(spoken), spoken):
                first, last = alignment.label_times(path, model.frame_shift)  # every label is said, in order
                assert len(first) - len(u.text) in (0, 1)  # attention says its end, too
                assert (last < u.seconds + model.frame_shift).all()
            heard = next(u for u in spoken if u.text)
            weights, blank, path = model.view(heard)
            frames = math.ceil((1 + len(heard.samples) // 80) / 4)
            assert weights.shape == (len(heard.text), frames) and torch.equal(path, model.paths([heard])[0])
            assert path.shape in ((frames,), (2, len(heard.text)))
            if blank is not None:  # occupancy: every frame belongs to a character or to the blank
                torch.testing.assert_close(weights.sum(0) + blank, torch.ones(frames))


@pytest.mark.parametrize("encoder", [ConvEncoder, RecurrentEncoder])
def test_padding_changes_nothing(encoder, spoken):
    model = models.CTC(encoder())
    model.loss(batch_of(spoken))  # one step of training mode, so that the norms have seen something
    together = model.listen(spoken)
    for u, log_probs in zip(spoken, together):
        (alone,) = model.listen([u])
        assert len(alone) == len(log_probs) == math.ceil((1 + len(u.samples) // 80) / 4)
        if encoder is ConvEncoder:  # the recurrent layer runs backwards from the padding
            torch.testing.assert_close(log_probs, alone, rtol=0, atol=1e-9)


def test_priors_are_for_training_only(spoken):
    plain, other = models.CTC(ConvEncoder()), models.CTC(ConvEncoder(), prior_weight=0.5)
    other.load_state_dict(plain.state_dict())
    batch = batch_of(spoken)
    assert plain.eval().loss(batch) == other.eval().loss(batch)
    assert plain.train().loss(batch) != other.train().loss(batch)


def test_priors_by_hand(spoken, monkeypatch):
    model = models.CTC(ConvEncoder(), prior_weight=0.5)
    model.prior = torch.rand(models.C).softmax(0)
    expected = 0.99 * model.prior
    log_probs = torch.randn(2, 90, models.C).log_softmax(2)
    monkeypatch.setattr(model, "forward", lambda *_: (log_probs, torch.tensor([90, 90])))
    batch = batch_of(spoken[-2:])
    loss = model.loss(batch)
    expected = expected + 0.01 * log_probs.exp().mean((0, 1))
    torch.testing.assert_close(model.prior, expected)
    by_hand = models.loss_per_character(log_probs - 0.5 * expected.log(), torch.tensor([90, 90]), batch)
    torch.testing.assert_close(loss, by_hand)


def test_the_models_of_the_recipes_hold_the_contract():
    for name in recipes.RECIPES:
        model = recipes.load(name)
        assert not model.training and next(model.parameters()).dtype == torch.get_default_dtype()
