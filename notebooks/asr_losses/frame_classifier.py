"""Which word is spoken in each frame? The yardstick of lesson 0, trained on the true frame labels."""

import torch
import torch.nn.functional as F
from torch import nn

from asr_losses import alignment, speech
from asr_losses.display import progress
from asr_losses.features import BANDS, FRAME_SHIFT, log_mel

STEP = 2 * FRAME_SHIFT  # seconds between two outputs of the model
C = 1 + len(speech.DIGITS)  # silence and ten words


def frame_labels(utterance, frames):
    """`(frames,)`: 0 in silence, otherwise 1 + the digit spoken at t * STEP seconds."""
    labels = torch.zeros(frames, dtype=torch.long)
    seconds = torch.arange(frames) * STEP
    for word, start, end in zip(utterance.words, utterance.starts, utterance.ends):
        labels[(seconds >= start) & (seconds < end)] = 1 + speech.DIGITS.index(word)
    return labels


def frame_classifier(width=64):
    """log-mel `(N, 40, T)` to logits `(N, 11, T / 2)`."""
    layers, channels = [], BANDS
    for stride, dilation in [(2, 1), (1, 1), (1, 2), (1, 4)]:
        conv = nn.Conv1d(channels, width, 5, stride, 2 * dilation, dilation)
        layers += [conv, nn.BatchNorm1d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.Conv1d(width, C, 1))


def batch(utterances):
    """Padded log-mel `(N, 40, T)` and frame labels `(N, T / 2)`."""
    mels = [log_mel(u.samples) for u in utterances]
    labels = [frame_labels(u, (len(m) + 1) // 2) for u, m in zip(utterances, mels)]
    pad = nn.utils.rnn.pad_sequence
    return pad(mels, batch_first=True).mT, pad(labels, batch_first=True, padding_value=-100)


def train(utterances, seed, learning_rate=3e-3):
    """The trained frame classifier and its loss at every step, one pass over the utterances."""
    torch.manual_seed(seed)
    model, history = frame_classifier(), []
    optimizer = torch.optim.Adam(model.parameters(), learning_rate)
    for i in range(0, len(utterances), 16):
        x, labels = batch(utterances[i : i + 16])
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
        progress(f"step {len(history)}: loss {history[-1]:.2f}")
    return model.eval(), history


@torch.no_grad()
def boundary_errors(model, utterances):
    """Found minus true, over all word boundaries, in ms."""
    errors = []
    for utterance in utterances:
        log_probs = model(log_mel(utterance.samples).mT[None])[0].log_softmax(0).mT  # (T, 11)
        words = torch.tensor([1 + speech.DIGITS.index(word) for word in utterance.words])
        first, last = alignment.label_times(alignment.best_path(log_probs, words), STEP)
        errors.append((last[:-1] + first[1:]) / 2 - alignment.true_boundaries(utterance))
    return 1000 * torch.cat(errors)
