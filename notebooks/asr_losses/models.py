"""What can be trained? Every model of the unit, with one contract.

`loss(batch)`: a scalar, of a `features.Batch`; `transcribe(utterances)`: their texts, as a list;
`paths(utterances)`: the best alignment of each utterance's own text, as `alignment.label_times` takes it, one frame
every `frame_shift` seconds; `view(utterance)`: the same for the eye, as `figures.alignment` takes it:
(how much of each frame belongs to each character `(U, T)`, to the blank `(T,)` or None, the path). The last three
leave the model in evaluation mode.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from asr_losses import alignment, codes, decoding, recursion, speech
from asr_losses.attention import DecoderLayer, causal, off_diagonal, positions, visible
from asr_losses.cross_entropy import BOS, EOS, PAD, V, shift, token_loss
from asr_losses.ctc import ctc_loss
from asr_losses.features import BANDS, FRAME_SHIFT, collate, log_mel

C = len(speech.ALPHABET)  # 17: blank, space, 15 letters
TOGETHER = 25  # utterances a batch when nothing is trained


def batch_of(utterances):
    """The Batch of these utterances, as they are."""
    return collate([log_mel(u.samples) for u in utterances], [u.text for u in utterances])


def parts(utterances):
    """The utterances, so many at a time as are listened to together."""
    return [utterances[i : i + TOGETHER] for i in range(0, len(utterances), TOGETHER)]


def loss_per_character(scores, frames, batch):
    """The CTC loss of all texts together, divided by the number of their characters; `scores (N, T, C)`.

    Not the mean of each text's own (`reduction="mean"`): a text without characters would count many times over.
    """
    total = ctc_loss(scores.transpose(0, 1), batch.targets, frames, batch.target_lengths, reduction="sum")
    return total / batch.target_lengths.sum().clamp(min=1)


class CTC(nn.Module):
    """An encoder and one layer that gives every frame a distribution over blank and characters.

    `prior_weight`: how much of each label's running mean probability the loss takes off (Huang et al. 2024, section 3).
    """

    frame_shift = 4 * FRAME_SHIFT

    def __init__(self, encoder, prior_weight=0.0):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.width, C)
        self.prior_weight = prior_weight
        self.register_buffer("prior", torch.full((C,), 1 / C))

    def forward(self, log_mel, frames):
        """log-mel `(N, T, 40)` and frames `(N,)` to log-probabilities `(N, T / 4, C)` and their frames `(N,)`."""
        x, frames = self.encoder(log_mel, frames)
        return self.head(F.dropout(x, 0.1, self.training)).log_softmax(2), frames

    def loss(self, batch):
        """See `loss_per_character`."""
        log_probs, frames = self(batch.log_mel, batch.frames)
        if self.training:
            self.prior = 0.99 * self.prior + 0.01 * log_probs.detach().exp().mean((0, 1))
            log_probs = log_probs - self.prior_weight * self.prior.log()
        return loss_per_character(log_probs, frames, batch)

    @torch.no_grad()
    def listen(self, utterances):
        """Log-probabilities `(T, C)` of each utterance, as a list."""
        self.eval()
        heard = []
        for part in parts(utterances):
            batch = batch_of(part)
            log_probs, frames = self(batch.log_mel, batch.frames)
            heard += [row[:T] for row, T in zip(log_probs, frames)]
        return heard

    def transcribe(self, utterances):
        """The greedy transcripts."""
        return [decoding.greedy(log_probs) for log_probs in self.listen(utterances)]

    def paths(self, utterances):
        """See the module."""
        heard = self.listen(utterances)
        return [alignment.best_path(log_probs, speech.encode(u.text)) for log_probs, u in zip(heard, utterances)]

    def view(self, utterance):
        """See the module: the occupancy of each character's own state, and of all blanks together."""
        (log_probs,), (path,) = self.listen([utterance]), self.paths([utterance])
        gamma = recursion.state_occupancy(log_probs, speech.encode(utterance.text))
        return gamma[:, 1::2].T, gamma[:, ::2].sum(1), path


class EncoderDecoder(nn.Module):
    """An encoder, and a decoder of two layers that writes one token after the other while it attends to it.

    `guidance`: weight of the penalty on attention far from the diagonal (Tachibana et al. 2018, section 4). `joint`:
    weight of a CTC loss on the encoder (Kim et al. 2017), for training only.
    """

    frame_shift = 4 * FRAME_SHIFT

    def __init__(self, encoder, smoothing=0.1, guidance=0.0, joint=0.0):
        super().__init__()
        width = encoder.width
        self.encoder = encoder
        self.embedding = nn.Embedding(V, width)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.layers = nn.ModuleList(DecoderLayer(width) for _ in range(2))
        self.memory_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.head = nn.Linear(width, V)
        self.smoothing = smoothing
        self.guidance = guidance
        self.joint = joint
        self.frame_head = nn.Linear(width, C)

    def hear(self, log_mel, frames):
        """The memory `(N, T / 4, width)` of log-mels `(N, T, 40)`, and which of it is audible `(N, 1, 1, T / 4)`."""
        return self._memory(*self.encoder(log_mel, frames))

    def _memory(self, x, frames):
        memory = self.memory_norm(F.dropout(x, 0.1, self.training))
        return memory + positions(*memory.shape[1:]), visible(frames, memory.shape[1])

    def decode(self, tokens, memory, readable, audible):
        """Logits `(N, U, V)` after each of tokens `(N, U)`, and the last layer's weights `(N, heads, U, T / 4)`."""
        x = self.embedding(tokens)
        x = x + positions(*x.shape[1:])
        for layer in self.layers:
            x, weights = layer(x, memory, readable, audible)
        return self.head(self.norm(x)), weights

    def read_along(self, batch, memory, audible):
        """Logits, labels and weights for a batch whose texts are known and whose memory is there."""
        inputs, labels = shift(batch.targets, batch.target_lengths)
        logits, weights = self.decode(inputs, memory, causal(inputs.shape[1]), audible)
        return logits, labels, weights

    def loss(self, batch):
        """The mean cross-entropy of the tokens, EOS among them."""
        x, frames = self.encoder(batch.log_mel, batch.frames)
        logits, labels, weights = self.read_along(batch, *self._memory(x, frames))
        loss = token_loss(logits, labels, self.smoothing)
        if self.training and self.guidance:
            loss = loss + self.guidance * off_diagonal(weights, frames, batch.target_lengths + 1)
        if self.training and self.joint:
            loss = loss + self.joint * loss_per_character(self.frame_head(x).log_softmax(2), frames, batch)
        return loss

    @torch.no_grad()
    def memory_of(self, utterances):
        """The utterances as one batch, with what the decoder may hear of each: (batch, memory, audible)."""
        self.eval()
        batch = batch_of(utterances)
        return batch, *self.hear(batch.log_mel, batch.frames)

    def transcribe(self, utterances, most=80):
        """The greedy transcripts, of at most `most` tokens each."""
        texts = []
        for part in parts(utterances):
            _, memory, audible = self.memory_of(part)
            texts += decoding.write(self, memory, audible, most)
        return texts

    @torch.no_grad()
    def attention_maps(self, utterances):
        """Each utterance's attention `(U + 1, T)`, the mean over heads, while its own text is read."""
        maps = []
        for part in parts(utterances):
            batch, memory, audible = self.memory_of(part)
            _, _, weights = self.read_along(batch, memory, audible)
            sizes = zip(batch.target_lengths + 1, audible.sum(3).flatten())
            maps += [row[:U, :T] for row, (U, T) in zip(weights.mean(1), sizes)]
        return maps

    def paths(self, utterances):
        """See the module; the last state is EOS."""
        return [alignment.attention_path(weights) for weights in self.attention_maps(utterances)]

    def view(self, utterance):
        """See the module: the attention, without EOS's."""
        (weights,), (path,) = self.attention_maps([utterance]), self.paths([utterance])
        return weights[:-1], None, path


class SpeechLanguageModel(nn.Module):
    """A decoder alone: reads the speech as codes, then writes the text behind it.

    `centres (K, 160)`: see `codes.codebook`; codes that sound alike start with like vectors. Positions are counted
    from the first code, and once more from BOS, so that a token's position does not hang on how long the speech is.
    """

    def __init__(self, centres, width=96):
        super().__init__()
        self.register_buffer("centres", centres)
        self.embedding = nn.Embedding(V + len(centres), width)
        nn.init.normal_(self.embedding.weight, std=0.5)
        projection = torch.randn(codes.FRAMES * BANDS, width) / (codes.FRAMES * BANDS) ** 0.5
        self.embedding.weight.data[V:] = (centres - centres.mean(0)) @ projection
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 3, nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, V + len(centres))

    def forward(self, tokens):
        """Logits `(N, L, V + K)` for what comes after each of tokens `(N, L)`."""
        x = self.embedding(tokens)
        place = torch.arange(tokens.shape[1]).expand_as(tokens)
        begin = (tokens == BOS).long().argmax(1, keepdim=True)  # 0 where there is none
        place = torch.where(place < begin, place, place - begin)
        hide = ~causal(x.shape[1])  # torch's polarity: True hides
        return self.head(self.layers(x + positions(*x.shape[1:])[place], mask=hide))

    def sequence(self, log_mel, text):
        """Codes, BOS, characters, EOS: `(L,)`, from a log-mel `(T, 40)`."""
        spoken = V + codes.nearest(codes.pieces(log_mel), self.centres)
        return torch.cat([spoken, torch.tensor([BOS, *text, EOS])])

    def inputs_and_labels(self, batch):
        """Both `(N, L)`, one apart. Only the text has labels."""
        texts = [row[:U].tolist() for row, U in zip(batch.targets, batch.target_lengths)]
        mels = [mel[:T] for mel, T in zip(batch.log_mel, batch.frames)]
        tokens = pad_sequence([self.sequence(mel, text) for mel, text in zip(mels, texts)], batch_first=True)
        labels = tokens[:, 1:]
        spoken = (labels >= V) | (labels == BOS)
        return tokens[:, :-1], labels.masked_fill(spoken, PAD)

    def loss(self, batch):
        """The mean cross-entropy of the text's tokens, EOS among them."""
        inputs, labels = self.inputs_and_labels(batch)
        return token_loss(self(inputs), labels)

    @torch.no_grad()
    def transcribe(self, utterances, most=24):
        """The text that the model writes after each utterance's codes, at most `most` tokens."""
        self.eval()
        begun = [self.sequence(log_mel(u.samples), [])[:-1] for u in utterances]  # codes and BOS
        tokens = F.pad(pad_sequence(begun, batch_first=True), (0, most))
        n, end = torch.arange(len(begun)), torch.tensor([len(s) for s in begun])  # where each one ends so far
        for _ in range(most):
            tokens[n, end] = self(tokens[:, : end.max()])[n, end - 1].argmax(1)
            end += 1
        return [decoding.written(row[len(s) : len(s) + most].tolist()) for row, s in zip(tokens, begun)]
