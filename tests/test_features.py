"""Log-mels: those of librosa, deaf to a microphone; augmentation as drawn; batches padded with zeros."""

import math

import pytest
import torch

from asr_losses import speech
from asr_losses.features import augment, collate, log_mel


@pytest.fixture(scope="module")
def spoken():
    return speech.utterances(speech.load_clips("train"), 20, torch.Generator().manual_seed(0))


def test_log_mel_agrees_with_librosa():
    """librosa 0.11: melspectrogram(n_fft=256, hop_length=80, win_length=200, n_mels=40, fmin=20,
    fmax=4000, htk=True, norm=None), log of at least 1e-8, a floor 50 dB below the top, each band's mean off, deviation 1."""
    t = torch.arange(4000, dtype=torch.float64) / 8000
    chirp = 0.5 * torch.sin(2 * math.pi * (200 * t + 1500 * t**2)) + 0.01 * torch.sin(2 * math.pi * 3000 * t)
    mine = log_mel(chirp)
    assert mine.shape == (51, 40)
    for (frame, band), theirs in {
        (0, 0): 3.079386, (10, 5): -0.461746, (25, 20): -0.790742, (40, 39): -0.017269, (50, 12): -0.061537
    }.items():
        assert abs(mine[frame, band].item() - theirs) < 2e-6


def test_log_mel_does_not_hear_a_microphone(spoken):
    """A gain changes nothing; a short filter, of three samples, little: it moves whole bands."""
    samples = spoken[0].samples
    mel = log_mel(samples)
    torch.testing.assert_close(log_mel(0.1 * samples), mel, rtol=0, atol=1e-2)
    filtered = samples[2:] + 0.5 * samples[1:-1] - 0.3 * samples[:-2]
    assert (log_mel(filtered)[5:-5] - mel[5:-5]).abs().mean() < 0.1 < mel.abs().mean()


def test_tempo_changes_the_length_and_leaves_room_for_the_text():
    generator = torch.Generator().manual_seed(0)
    ratios = []
    for u in speech.utterances(speech.load_clips("train"), 300, generator):
        mel = log_mel(u.samples)
        frames = len(augment(mel, generator, tempo=0.2))
        ratios.append(frames / len(mel))
        doubled = sum(a == b for a, b in zip(u.text, u.text[1:]))
        assert 0.8 * len(mel) / 4 > len(u.text) + doubled
    assert 0.79 < min(ratios) < 0.85 and 1.15 < max(ratios) < 1.21


def test_a_bad_tempo_is_refused():
    for bad in (-0.1, 1.0):
        with pytest.raises(ValueError, match=f"tempo: {bad} came, expected a share"):
            augment(torch.randn(9, 40), torch.Generator(), tempo=bad)


def test_augmented_speech_keeps_its_shape_and_leaves_the_original_alone(spoken):
    mel = log_mel(spoken[0].samples)
    before = mel.clone()
    changed = augment(mel, torch.Generator().manual_seed(0))
    assert changed.shape == mel.shape and torch.equal(mel, before) and not torch.equal(changed, mel)


def test_batches_pad_with_zeros(spoken):
    batch = collate([log_mel(u.samples) for u in spoken[:4]], [u.text for u in spoken[:4]])
    for row, frames, u in zip(batch.log_mel, batch.frames, spoken):
        assert not row[frames:].any() and row[frames - 1].any()
        assert frames == 1 + len(u.samples) // 80
    assert [speech.decode(row[:n].tolist()) for row, n in zip(batch.targets, batch.target_lengths)] == [
        u.text for u in spoken[:4]
    ]


def test_how_augmentation_moves_the_bands():
    """A line that rises by 1 a band comes back with slope `scale`, moved by `shift`: both as drawn."""
    mel = torch.arange(40.0, dtype=torch.float64).expand(400, 40).contiguous()
    for seed in range(20):
        gen = torch.Generator().manual_seed(seed)
        scale, shift = 1 + 0.15 * speech.draw(-1, 1, gen), 3 * speech.draw(-1, 1, gen)
        heights = 0.25 * torch.randn(3, generator=gen, dtype=torch.float64)
        bands = torch.linspace(0, math.pi, 40, dtype=torch.float64)
        curve = sum(height * torch.cos(bands * k) for k, height in zip((1, 2, 3), heights))
        expected = ((torch.arange(40, dtype=torch.float64) - 20) * scale + 20 + shift).clamp(0, 38.999) + curve
        changed = augment(mel, torch.Generator().manual_seed(seed))
        rows = changed[(changed != 0).double().mean(1) > 0.5]  # outside the hole over frames
        columns = (rows != 0).all(0)
        assert columns.sum() >= 33
        torch.testing.assert_close(rows[0, columns], expected[columns], rtol=0, atol=1e-5)
