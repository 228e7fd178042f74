"""The transducer: its loss with the delay penalty by enumeration, its greedy writing by a plain loop, its paths."""

import pytest
import torch

from asr_losses import models, speech
from asr_losses.encoders import ConvEncoder
from asr_losses.models import batch_of, loss_per_character
from asr_losses.models_transducer import Transducer
from asr_losses.speech import BLANK
from asr_losses.transducer import transducer_loss
from test_transducer import looped, scores, walks

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def spoken():
    generator = torch.Generator().manual_seed(1)
    said = speech.utterances(speech.load_clips("test"), 4, generator)
    return sorted([*said, speech.nothing(generator)], key=lambda u: u.seconds)


def talkative(spoken, **options):
    """A model whose norms have seen something, and which writes much, but not everywhere."""
    model = Transducer(ConvEncoder((1,)), **options)
    model.loss(batch_of(spoken))
    with torch.no_grad():
        model.listener.weight *= 8
        model.reader.weight *= 2
        model.head.weight *= 4
        model.head.bias[BLANK] += 2
    return model.eval()


@pytest.mark.parametrize("context", [1, 2, 4])
def test_the_prediction_network_sees_the_last_labels_only(context):
    model = Transducer(ConvEncoder(()), context=context)
    targets = torch.tensor([[3, 5, 5, 2, 7, 1, 4]])
    predicted = model.predict(targets)
    assert predicted.shape == (1, 8, 96)
    for u in range(8):
        torch.testing.assert_close(model.predict(targets[:, :u])[:, -1], predicted[:, u], rtol=0, atol=1e-12)
    for changed in range(7):
        other = targets.clone()
        other[:, changed] += 1
        moved = (model.predict(other) != predicted).any(2)[0].nonzero()[:, 0].tolist()
        assert moved == list(range(changed + 1, min(changed + 1 + context, 8)))


def by_hand(spoken, monkeypatch, **options):
    """A model that says the same whatever it hears; its loss for two texts and, for each, log-probabilities and text."""
    model = Transducer(ConvEncoder(()), **options)
    batch = batch_of(spoken[-2:])
    batch.targets, batch.target_lengths = torch.tensor([[3, 3, 5], [2, 0, 0]]), torch.tensor([3, 1])
    logits, x, frames = torch.randn(2, 4, 4, models.C), torch.randn(2, 4, 96), torch.tensor([4, 2])
    monkeypatch.setattr(model, "forward", lambda _: (logits, x, frames))
    log_probs = logits.log_softmax(3)
    ctc = loss_per_character(model.frame_head(x).log_softmax(2), frames, batch)
    return model, batch, [(log_probs[0], [3, 3, 5]), (log_probs[1, :2, :2], [2])], ctc


@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_the_delay_penalty_by_enumeration(spoken, monkeypatch, delay):
    """In training a label in frame t counts exp(delay ((T - 1) / 2 - t)) times as much."""
    model, batch, items, ctc = by_hand(spoken, monkeypatch, joint=0.2, delay=delay)
    losses = []
    for log_probs, text in items:
        T = len(log_probs)
        early = [sum((T - 1) / 2 - t for t, _, label in walk if label) for walk in walks(T, len(text))]
        losses.append(-(scores(log_probs, text, BLANK) + delay * torch.tensor(early)).logsumexp(0))
    torch.testing.assert_close(model.loss(batch), torch.stack(losses).sum() / 4 + 0.2 * ctc, rtol=1e-12, atol=0)


def test_penalty_and_ctc_are_for_training_only(spoken, monkeypatch):
    model, batch, items, _ = by_hand(spoken, monkeypatch, joint=0.2, delay=0.3)
    plain = torch.stack([looped(*item, BLANK) for item in items]).sum() / 4
    torch.testing.assert_close(model.eval().loss(batch), plain, rtol=1e-12, atol=0)


def test_the_loss_is_that_of_the_logits(spoken):
    model, batch = Transducer(ConvEncoder((1,)), joint=0.0), batch_of(spoken)
    model.loss(batch)
    model.eval()
    logits, _, frames = model(batch)
    assert logits.shape == (len(spoken), frames.max(), batch.targets.shape[1] + 1, models.C)
    total = transducer_loss(logits, batch.targets, frames, batch.target_lengths, BLANK, "sum")
    torch.testing.assert_close(model.loss(batch), total / batch.target_lengths.sum(), rtol=1e-12, atol=0)


def written(model, utterance, most):
    """What the model writes, and in which frames, as a reader would program it."""
    batch = batch_of([utterance])
    x, frames = model.encoder(batch.log_mel, batch.frames)
    encoded, labels, places = model.listener(x), [], []
    for t in range(frames.item()):
        for _ in range(most):
            predicted = model.predict(torch.tensor([labels]).long())[:, -1:]
            best = model.score(encoded[:, t : t + 1], predicted).argmax().item()
            if best == BLANK:
                break
            labels.append(best)
            places.append(t)
    return labels, places


@pytest.mark.parametrize("most", [1, 3, 5])
def test_writing_equals_a_plain_loop(spoken, most):
    model = talkative(spoken)
    found = model.write(spoken, most)
    several = 0
    for u, (labels, places) in zip(spoken, found):
        with torch.no_grad():
            assert (labels, places) == written(model, u, most)
        counts = torch.tensor(places).bincount(minlength=(len(u.samples) // 80) // 4 + 1)
        assert places == sorted(places) and counts.max() <= most and counts.min() == 0
        several += (counts > 1).sum().item()
    assert several == 0 if most == 1 else several > 20
    assert [speech.decode(labels) for labels, _ in model.write(spoken)] == model.transcribe(spoken)


def test_a_model_that_never_moves_on_stops_all_the_same(spoken):
    model = Transducer(ConvEncoder(()))
    with torch.no_grad():
        model.head.bias[7] = 1e6
    for u, (labels, places) in zip(spoken, model.write(spoken, most=2)):
        T = (len(u.samples) // 80) // 4 + 1
        assert set(labels) == {7} and places == [t for t in range(T) for _ in range(2)]


@pytest.mark.parametrize("causal", [False, True])
def test_padding_changes_nothing(spoken, causal):
    model = talkative(spoken)
    model.encoder = ConvEncoder((1, 2), causal=causal).eval()
    together, both, paths = model.write(spoken), model.arcs(spoken), model.paths(spoken)
    for n, u in enumerate(spoken):
        assert model.write([u]) == together[n : n + 1]
        for alone, part in zip(model.arcs([u])[0], both[n]):
            torch.testing.assert_close(alone, part, rtol=0, atol=1e-9)
        assert torch.equal(model.paths([u])[0], paths[n]) and paths[n].shape == (2, len(u.text))


def test_its_view_is_the_occupancy_of_the_labels(spoken):
    model = talkative(spoken)
    weights, blank, path = model.view(spoken[-1])
    assert blank is None and torch.equal(path[0], path[1])
    torch.testing.assert_close(weights.sum(1), torch.ones(len(spoken[-1].text)))  # each label is said once
