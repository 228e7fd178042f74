"""How does a text become decoder inputs and labels, and what do the labels cost? (Lesson 20 derives it.)"""

import math

import torch
import torch.nn.functional as F

from asr_losses import checks, speech

PAD = speech.BLANK
BOS = len(speech.ALPHABET)  # begin of sequence
EOS = BOS + 1  # end of sequence
V = EOS + 1  # padding, space, 15 letters, BOS, EOS


def shift(targets, target_lengths):
    """The decoder's inputs and labels, both `(N, U + 1)`, from targets `(N, U)` of `target_lengths (N,)`.

    Inputs begin with BOS, labels end in EOS; what lies behind is PAD.
    """
    checks.targets(targets, target_lengths, BOS)
    places = torch.arange(targets.shape[1], device=targets.device)
    targets = targets.where(places < target_lengths[:, None], PAD)
    inputs = F.pad(targets, (1, 0), value=BOS)
    labels = F.pad(targets, (0, 1), value=PAD)
    labels[torch.arange(len(targets), device=targets.device), target_lengths] = EOS
    return inputs, labels


def token_loss(logits, labels, smoothing=0.0):
    """Mean cross-entropy of logits `(N, U, V)` over the labels `(N, U)` that are no padding, in nats."""
    checks.logits(logits, labels)
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=PAD, label_smoothing=smoothing)


def smoothing_floor(smoothing, classes):
    """The least that `token_loss` can be with this smoothing: the entropy of a smoothed label, in nats."""
    right = 1 - smoothing + smoothing / classes
    other = smoothing / classes
    return -right * math.log(right) - (classes - 1) * other * math.log(other)
