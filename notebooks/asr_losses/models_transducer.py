"""How does a network write while it listens? The transducer, under the contract of `models`."""

import torch
import torch.nn.functional as F
from torch import nn

from asr_losses import speech
from asr_losses.features import FRAME_SHIFT
from asr_losses.models import C, batch_of, loss_per_character, parts
from asr_losses.speech import BLANK
from asr_losses.transducer import arc_loss, arcs, best_frames, occupancies

MOST = 5  # labels that it may write in one frame


class Transducer(nn.Module):
    """An encoder, a prediction network that reads what was written, and a joint that looks at both.

    `context`: so many of the last labels does the prediction network see (one in Ghodsi et al. 2020). `joint`: weight
    of a CTC loss on the encoder, for training only. `delay`: what a label costs for each frame that it comes later, in
    nats, for training only (Kang et al. 2023).
    """

    frame_shift = 4 * FRAME_SHIFT

    def __init__(self, encoder, context=4, joint=0.1, delay=0.0):
        super().__init__()
        width = encoder.width
        self.encoder = encoder
        self.context = context
        self.embedding = nn.Embedding(C, width)
        self.reader = nn.Conv1d(width, width, context)
        self.listener = nn.Linear(width, width)
        self.head = nn.Linear(width, C)
        self.joint = joint
        self.delay = delay
        self.frame_head = nn.Linear(width, C)

    def predict(self, targets):
        """What the prediction network makes of the first 0 to U labels of targets `(N, U)`: `(N, U + 1, width)`."""
        return self._read(F.pad(targets, (self.context, 0), value=BLANK))

    def _read(self, labels):
        return self.reader(self.embedding(labels).mT).mT

    def score(self, encoded, predicted):
        """The joint: logits `(N, T, U + 1, C)`, from `(N, T, width)` and `(N, U + 1, width)`."""
        return self.head((encoded[:, :, None] + predicted[:, None]).tanh())

    def forward(self, batch):
        """Logits `(N, T / 4, U + 1, C)` of a Batch, the encoder's output `(N, T / 4, D)`, and the frames `(N,)` in it."""
        x, frames = self.encoder(batch.log_mel, batch.frames)
        x = F.dropout(x, 0.1, self.training)
        return self.score(self.listener(x), self.predict(batch.targets)), x, frames

    def loss(self, batch):
        """The transducer loss of all texts together, divided by the number of their characters."""
        logits, x, frames = self(batch)
        move, emit = arcs(logits.log_softmax(3), batch.targets, BLANK)
        if self.training and self.delay:
            middle = (frames[:, None, None] - 1) / 2
            emit = emit + self.delay * (middle - torch.arange(emit.shape[1])[:, None])
        loss = arc_loss(move, emit, frames, batch.target_lengths, "sum") / batch.target_lengths.sum().clamp(min=1)
        if self.training and self.joint:
            loss = loss + self.joint * loss_per_character(self.frame_head(x).log_softmax(2), frames, batch)
        return loss

    @torch.no_grad()
    def write(self, utterances, most=MOST):
        """What it writes greedily for each utterance, and when: `[(labels, frames)]`, at most `most` labels a frame."""
        self.eval()
        written = []
        for part in parts(utterances):
            batch = batch_of(part)
            x, frames = self.encoder(batch.log_mel, batch.frames)
            written += self._emit_or_move_on(self.listener(x), frames, most)
        return written

    def _emit_or_move_on(self, encoded, frames, most):
        last = torch.full((len(encoded), self.context), BLANK)
        written = [([], []) for _ in encoded]
        for t, heard in enumerate(encoded.unbind(1)):
            emits = t < frames
            for _ in range(most):
                best = self.score(heard[:, None], self._read(last)).argmax(3)[:, 0]  # (N, 1)
                emits = emits & (best[:, 0] != BLANK)
                if not emits.any():
                    break
                last = torch.where(emits[:, None], torch.cat([last[:, 1:], best], 1), last)
                for n in emits.nonzero()[:, 0].tolist():
                    written[n][0].append(best[n].item())
                    written[n][1].append(t)
        return written

    def transcribe(self, utterances):
        """The greedy transcripts."""
        return [speech.decode(labels) for labels, _ in self.write(utterances)]

    @torch.no_grad()
    def arcs(self, utterances):
        """`(move (T, U + 1), emit (T, U))` of each utterance's own text; see `transducer`."""
        self.eval()
        found = []
        for part in parts(utterances):
            batch = batch_of(part)
            logits, _, frames = self(batch)
            both = arcs(logits.log_softmax(3), batch.targets, BLANK)
            sizes = zip(*both, frames, batch.target_lengths)
            found += [(move[:T, : U + 1], emit[:T, :U]) for move, emit, T, U in sizes]
        return found

    def paths(self, utterances):
        """The frames `(2, U)` in which the best alignment says each label first and last: one frame may say several."""
        return [best_frames(*both).expand(2, -1) for both in self.arcs(utterances)]

    def view(self, utterance):
        """See `models`: how probable it is that each label is said in each frame."""
        (both,), (path,) = self.arcs([utterance]), self.paths([utterance])
        return occupancies(*both)[1].T, None, path
