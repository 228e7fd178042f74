"""How is a model trained? One loop for all of them. (Lesson 11, section 3, writes it down and proves it equal.)"""

import itertools
import math

import torch

from asr_losses import speech
from asr_losses.decoding import error_rates
from asr_losses.display import progress
from asr_losses.features import augment, collate, log_mel
from asr_losses.models import batch_of

STEPS = 100  # an epoch
FEWEST = 20  # steps of a training


def unchanged(log_mel, generator):
    """For `batches`: speech as it is."""
    return log_mel


def batches(clips, seed, size=8, change=augment, **how):
    """Batches of `size` fresh utterances without end, each changed a little; `how` goes to `speech.utterances`.

    The utterances of a batch are about equally long, so that there is little padding.
    """
    generator = torch.Generator().manual_seed(seed)
    while True:
        spoken = sorted(speech.utterances(clips, 25 * size, generator, **how), key=lambda u: len(u.samples))
        for i in torch.randperm(25, generator=generator).tolist():
            part = spoken[i * size : (i + 1) * size]
            yield collate([change(log_mel(u.samples), generator) for u in part], [u.text for u in part])


@torch.no_grad()
def evaluate(model, utterances):
    """One row of a history: validation loss (nats), CER and WER (%), and the first transcript."""
    model.eval()
    loss = model.loss(batch_of(utterances)).item()
    texts = model.transcribe(utterances)
    cer, wer = error_rates([u.text for u in utterances], texts)
    return {"validation": loss, "cer": cer, "wer": wer, "says": texts[0]}


def fit(model, batches, steps, learning_rate, evaluate=None, watch=None, stop=None):
    """Trains `model` for `steps` steps and returns the history: a row before it and one after every `STEPS`.

    A row is what `evaluate(model)` returns, a dict, with the mean training loss as "train" and the loss of each step
    as "steps"; without `evaluate`, only these. `watch(model, step)` is called after each step. AdamW; the learning rate
    rises for a tenth of the steps, then falls to nothing (OneCycleLR); the gradient's length is capped at 5. `stop`:
    break off after so many of the steps. Raises ValueError for fewer than FEWEST steps.
    """
    if steps < FEWEST:
        raise ValueError(f"steps: {steps} came, expected at least {FEWEST}, for a learning rate that rises and falls")
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, steps, pct_start=0.1)
    history = [evaluate(model) if evaluate else {}]
    losses = []
    model.train()
    last = stop or steps
    for step, batch in enumerate(itertools.islice(batches, last), 1):
        losses.append(_step(model, batch, optimizer))
        schedule.step()
        if watch:
            watch(model, step)
        if step % STEPS == 0 or step == last:
            row = {"train": sum(losses) / len(losses), "steps": losses}
            history.append(row | (evaluate(model) if evaluate else {}))
            progress(f"step {step} of {steps}: loss {row['train']:.2f}")
            losses = []
            model.train()
    return history


def round_gradients(model):
    """Rounds each parameter's gradient to multiples of 2^-10 of the power of two above its largest entry, and of 2^-40.

    Processors that add in another order differ in the last ones, and step by step
    training makes such a difference larger, until the models are different ones; rounding takes it off before it grows.
    A gradient that is nothing but such differences, as a bias has in front of a BatchNorm, becomes 0.
    """
    for parameter in model.parameters():
        if parameter.grad is not None:
            _, exponent = math.frexp(parameter.grad.abs().max().item())
            unit = math.ldexp(1.0, max(exponent - 10, -40))
            parameter.grad.div_(unit).round_().mul_(unit)


def _step(model, batch, optimizer):
    """One step; the loss before it."""
    loss = model.loss(batch)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    round_gradients(model)
    optimizer.step()
    return loss.item()
