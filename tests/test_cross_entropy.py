"""The loss of texts, masks and models: equal to their definitions, no leak, padding must not matter, nonsense is refused."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from asr_losses import alignment, attention, checks, codes, cross_entropy, decoding, models, speech, training
from asr_losses.cross_entropy import BOS, EOS, PAD, V
from asr_losses.encoders import ConvEncoder
from asr_losses.features import log_mel
from asr_losses.models import batch_of

pytestmark = pytest.mark.usefixtures("float64")


def encoder_decoder():
    return models.EncoderDecoder(ConvEncoder()).eval()


def teacher_forced(model, batch):
    return model.read_along(batch, *model.hear(batch.log_mel, batch.frames))


def random_batch(seed):
    """Targets (N, U) with junk behind their lengths, and logits (N, U + 1, V)."""
    generator = torch.Generator().manual_seed(seed)
    N, U = (int(torch.randint(1, high, (), generator=generator)) for high in (5, 7))
    targets = torch.randint(1, BOS, (N, U), generator=generator)
    lengths = torch.randint(1, U + 1, (N,), generator=generator)
    logits = torch.randn(N, U + 1, V, generator=generator, requires_grad=True)
    return targets, lengths, logits


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_gradient_equal_the_definition(smoothing):
    for seed in range(200):
        targets, lengths, logits = random_batch(seed)
        _, labels = cross_entropy.shift(targets, lengths)
        loss, q, real = 0.0, torch.zeros_like(logits), int(lengths.sum()) + len(lengths)
        for n, U in enumerate(lengths.tolist()):
            for u, label in enumerate([*targets[n, :U].tolist(), EOS]):
                q[n, u] = smoothing / V
                q[n, u, label] += 1 - smoothing
                probs = logits[n, u].exp() / logits[n, u].exp().sum()
                loss = loss - (q[n, u] * probs.log()).sum() / real
        by_unit = cross_entropy.token_loss(logits, labels, smoothing)
        torch.testing.assert_close(by_unit, loss, rtol=1e-12, atol=1e-12)
        counted = (labels != PAD)[..., None]
        expected = counted * (logits.softmax(2) - q) / real
        torch.testing.assert_close(torch.autograd.grad(by_unit, logits)[0], expected, rtol=1e-10, atol=1e-12)


def test_shift():
    for seed in range(50):
        targets, lengths, _ = random_batch(seed)
        inputs, labels = cross_entropy.shift(targets, lengths)
        for n, U in enumerate(lengths.tolist()):
            text = targets[n, :U].tolist()
            assert inputs[n, : U + 1].tolist() == [BOS, *text]
            assert labels[n].tolist() == [*text, EOS] + [PAD] * (targets.shape[1] - U)


def test_the_probabilities_of_all_texts_sum_to_one():
    """The chain rule, with a real decoder: texts that end, and those that have not ended yet."""
    model = encoder_decoder()
    model.head.weight.data[3:18] = 0  # of the characters only two are possible, and of the rest only EOS
    model.head.bias.data[[0, *range(3, 18)]] = -1e9
    model.head.weight.data[0] = 0
    memory, audible = torch.randn(1, 3, 96), torch.ones(1, 1, 1, 3, dtype=torch.bool)

    def log_prob(tokens):
        logits, _ = model.decode(torch.tensor([[BOS, *tokens[:-1]]]), memory, attention.causal(len(tokens)), audible)
        return logits[0].log_softmax(1)[range(len(tokens)), tokens].sum()

    with torch.no_grad():
        ended = [log_prob([*text, EOS]) for U in range(4) for text in itertools.product((1, 2), repeat=U)]
        going = [log_prob(list(text)) for text in itertools.product((1, 2), repeat=4)]
        assert torch.stack(ended + going).logsumexp(0).item() == pytest.approx(0, abs=1e-9)


def test_attention_equals_torch():
    layer, queries, memory = attention.Attention(12, 3), torch.randn(4, 5, 12), torch.randn(4, 7, 12)
    may = attention.visible(torch.tensor([7, 1, 3, 6]), 7)
    q, k, v = (layer.split(f(x)) for f, x in ((layer.q, queries), (layer.k, memory), (layer.v, memory)))
    expected = layer.out(F.scaled_dot_product_attention(q, k, v, may).transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer(queries, memory, may)[0], expected)


@pytest.fixture(scope="module")
def spoken():
    return speech.utterances(speech.load_clips("validation"), 6, torch.Generator().manual_seed(0))


def test_no_output_depends_on_its_label_or_later_ones(spoken):
    model, batch = encoder_decoder(), batch_of(spoken)
    logits, labels, _ = teacher_forced(model, batch)
    for u in range(batch.targets.shape[1]):
        batch.targets[:, u] = batch.targets[:, u] % 16 + 1  # label u, and input u + 1
        changed, _, _ = teacher_forced(model, batch)
        torch.testing.assert_close(changed[:, : u + 1], logits[:, : u + 1], rtol=0, atol=0)
        still = batch.target_lengths > u + 1
        assert ((changed - logits)[still, u + 1].abs().amax(1) > 0).all()
        logits = changed


def test_padding_does_not_matter(spoken):
    model, batch = encoder_decoder(), batch_of(spoken)
    together, _, weights = teacher_forced(model, batch)
    texts = model.transcribe(spoken, most=20)
    for n, u in enumerate(spoken):
        alone, _, weights_alone = teacher_forced(model, batch_of([u]))
        U, T = weights_alone.shape[2:]
        assert (together[n, :U] - alone[0]).abs().max() < 1e-6
        assert (weights[n, :, :U, :T] - weights_alone[0]).abs().max() < 1e-6
        assert weights[n, :, :, T:].sum() == 0
        assert model.transcribe([u], most=20) == [texts[n]]


def test_padding_does_not_matter_to_the_language_model(spoken):
    centres = torch.randn(9, 160)
    model = models.SpeechLanguageModel(centres).eval()
    sequences = [model.sequence(log_mel(u.samples), speech.encode(u.text)) for u in spoken]
    inputs, labels = model.inputs_and_labels(batch_of(spoken))
    with torch.no_grad():
        logits = model(inputs)
        for n, sequence in enumerate(sequences):
            (alone,), L = model(sequence[None, :-1]), len(sequence) - 1
            assert (logits[n, :L] - alone).abs().max() < 1e-6
            text = labels[n][labels[n] != PAD].tolist()
            assert decoding.written(text) == spoken[n].text and text[-1] == EOS


def test_the_text_has_the_same_positions_behind_speech_of_any_length():
    model = models.SpeechLanguageModel(torch.randn(9, 160)).eval()
    seen = []
    model.layers.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    text = [BOS, 3, 4, EOS]
    for spoken in (5, 8):
        model(torch.tensor([[V + 1] * spoken + text]))
    torch.testing.assert_close(seen[0][:, -4:], seen[1][:, -4:])
    torch.testing.assert_close(seen[0][:, :5], seen[1][:, :5])
    assert not torch.allclose(seen[0][:, 0], seen[0][:, 1])  # the codes have positions of their own


def test_codes_are_the_nearest_centres():
    x, centres = torch.randn(50, 160), torch.randn(7, 160)
    assert torch.equal(codes.nearest(x, centres), torch.cdist(x, centres).argmin(1))


def test_k_means_only_ever_gets_better():
    x = torch.randn(300, 5)
    spread = [
        torch.cdist(x, codes.k_means(x, 8, torch.Generator().manual_seed(1), rounds)).amin(1).square().sum() for rounds in range(9)
    ]
    assert all(later <= earlier for earlier, later in zip(spread, spread[1:])) and spread[-1] < 0.9 * spread[0]
    with pytest.raises(ValueError, match="x: 300 rows came, expected at least K = 301"):
        codes.k_means(x, 301, torch.Generator())


def test_pieces():
    mel = torch.randn(10, 40) + 3
    x = codes.pieces(mel)
    assert x.shape == (3, 160) and (x[2, 80:] == 0).all()
    torch.testing.assert_close(x.reshape(12, 40)[:10], mel - mel.mean(0))


def test_beam_search_is_exhaustive_search_with_a_wide_beam():
    model = encoder_decoder()
    model.head.bias.data[[0, *range(3, 18)]] = -1e9  # two characters and EOS are possible
    memory, audible = torch.randn(1, 3, 96), torch.ones(1, 1, 1, 3, dtype=torch.bool)

    def score(text):
        inputs = torch.tensor([[BOS, *text]])
        logits, _ = model.decode(inputs, memory, attention.causal(inputs.shape[1]), audible)
        return logits[0].log_softmax(1)[range(len(text) + 1), [*text, EOS]].sum().item()

    with torch.no_grad():
        scores = {text: score(text) for U in range(5) for text in itertools.product((1, 2), repeat=U)}
    for power in (0.0, 1.0):
        best = max(scores, key=lambda text: scores[text] / (len(text) + 1) ** power)
        found, reached = decoding.token_beam_search(model, memory, audible, width=60, power=power, most=5)
        assert found == speech.decode(best)
        assert reached == pytest.approx(scores[best], abs=1e-9)


def test_fit_needs_a_step():
    with pytest.raises(ValueError, match="steps: 0 came"):
        training.fit(torch.nn.Linear(1, 1), iter(()), 0, 0.01)


def test_smoothing_floor_is_the_least_loss():
    logits = torch.zeros(1, V, requires_grad=True)
    optimizer = torch.optim.Adam([logits], 0.1)
    for _ in range(2000):
        loss = F.cross_entropy(logits, torch.tensor([3]), label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() == pytest.approx(cross_entropy.smoothing_floor(0.1, V), abs=1e-6)


def test_attention_path_keeps_the_order():
    weights = torch.rand(5, 12).softmax(1)
    tokens = (alignment.attention_path(weights) // 2).tolist()
    assert tokens == sorted(tokens) and set(tokens) == set(range(5))
    best = max(
        (sum(math.log(weights[u, t] + 1e-6) for t, u in enumerate(path)), path)
        for cuts in itertools.combinations(range(1, 12), 4)
        for path in [[sum(t >= cut for cut in cuts) for t in range(12)]]
    )
    assert tokens == best[1]


LABELS = torch.tensor([[1, 2, 3]])
BAD = {
    "flat targets": (lambda: checks.targets(LABELS[0], torch.tensor([3]), 17), r"targets: shape \(3,\).*expected \(N, U\)"),
    "float targets": (lambda: checks.targets(LABELS * 1.0, torch.tensor([3]), 17), "targets: .*int64"),
    "lengths of another batch": (lambda: checks.targets(LABELS, torch.tensor([3, 3]), 17), r"target_lengths: shape \(2,\).*expected \(1,\)"),
    "shorter than nothing": (lambda: checks.targets(LABELS, torch.tensor([-1]), 17), "target_lengths: .*expected 0 to 3"),
    "longer than it is": (lambda: checks.targets(LABELS, torch.tensor([4]), 17), "target_lengths: .*expected 0 to 3"),
    "label too large": (lambda: checks.targets(LABELS, torch.tensor([3]), 3), "targets: .*expected 1 to 2"),
    "blank in the text": (lambda: checks.targets(LABELS - 1, torch.tensor([3]), 17), "targets: .*expected 1 to 16"),
    "classes in the middle": (lambda: checks.logits(torch.zeros(1, 19, 3), LABELS), r"logits: shape \(1, 19, 3\)"),
    "no batch": (lambda: checks.logits(torch.zeros(3, 19), LABELS), r"logits: shape \(3, 19\)"),
    "label beyond the logits": (lambda: checks.logits(torch.zeros(1, 3, 3), LABELS), "labels: .*expected 0 to 2"),
    "negative label": (lambda: checks.logits(torch.zeros(1, 3, 5), -LABELS), "labels: .*expected 0 to 4"),
    "float mask": (lambda: checks.mask(torch.zeros(3, 3), torch.zeros(1, 3, 4), torch.zeros(1, 3, 4)), "may: .*torch.bool"),
    "mask of another length": (
        lambda: checks.mask(torch.ones(3, 2, dtype=torch.bool), torch.zeros(1, 3, 4), torch.zeros(1, 3, 4)), "may: shape"
    ),
    "causal mask inverted": (
        lambda: checks.mask(~attention.causal(3), torch.zeros(1, 3, 4), torch.zeros(1, 3, 4)), "may: position 0 is hidden"
    ),
    "padding mask inverted": (
        lambda: checks.mask(~attention.visible(torch.tensor([2, 3]), 3), torch.zeros(2, 5, 4), torch.zeros(2, 3, 4)),
        "may: position 0 is hidden",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_nonsense_is_refused(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()
