"""The causal encoder: what comes later changes nothing, and nothing else is different."""

import math

import pytest
import torch

from asr_losses.encoders import ConvEncoder
from asr_losses.features import BANDS

pytestmark = pytest.mark.usefixtures("float64")
DILATIONS = [(), (1,), (1, 2, 4)]


def heard(dilations, causal=True):
    """An encoder in evaluation mode whose norms have seen something."""
    encoder = ConvEncoder(dilations, causal=causal)
    encoder(torch.randn(4, 50, BANDS), torch.tensor([50, 40, 30, 20]))
    return encoder.eval()


@pytest.mark.parametrize("dilations", DILATIONS)
def test_a_later_frame_changes_no_earlier_output(dilations):
    encoder, log_mel, frames = heard(dilations), torch.randn(1, 41, BANDS), torch.tensor([41])
    before, _ = encoder(log_mel, frames)
    for changed in range(41):
        other = log_mel.clone()
        other[:, changed:] += 1
        after, _ = encoder(other, frames)
        first = math.ceil(changed / 4)  # output t has heard the frames up to 4 t
        assert torch.equal(after[:, :first], before[:, :first])
        assert (after[:, first:] != before[:, first:]).any(2).all()


def test_without_causal_it_hears_what_comes_later():
    encoder, log_mel, frames = heard((1,), causal=False), torch.randn(1, 41, BANDS), torch.tensor([41])
    before, _ = encoder(log_mel, frames)
    log_mel[:, 24:] += 1
    after, _ = encoder(log_mel, frames)
    assert (after[:, 4:6] != before[:, 4:6]).any(2).all()  # two frames of 4 ahead, and less


@pytest.mark.parametrize("T", [1, 2, 3, 4, 5, 8, 41])
def test_both_kinds_give_as_many_frames(T):
    for causal in (False, True):
        output, frames = heard((1, 2), causal)(torch.randn(1, T, BANDS), torch.tensor([T]))
        assert output.shape[1] == frames.item() == math.ceil(T / 4)


@pytest.mark.parametrize("dilations", DILATIONS)
def test_padding_changes_nothing(dilations):
    encoder, log_mel, lengths = heard(dilations), torch.randn(3, 41, BANDS), (41, 30, 7)
    for row, T in zip(log_mel, lengths):
        row[T:] = 0
    together, frames = encoder(log_mel, torch.tensor(lengths))
    assert frames.tolist() == [math.ceil(T / 4) for T in lengths]
    for n, T in enumerate(lengths):
        alone, _ = encoder(log_mel[n : n + 1, :T], torch.tensor([T]))
        torch.testing.assert_close(together[n, : alone.shape[1]], alone[0], rtol=0, atol=1e-12)
        assert (together[n, alone.shape[1] :] == 0).all()


def test_a_gate_hears_everything_so_it_is_not_causal():
    with pytest.raises(ValueError, match="gated: True came with causal=True, expected one of them"):
        ConvEncoder(gated=True, causal=True)
