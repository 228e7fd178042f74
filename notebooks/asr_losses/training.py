"""How is a model trained, once the loop has been taught? (Lesson 1, section 6, has it in full.)"""

import itertools

import torch

from asr_losses.display import progress

STEPS = 100  # an epoch

def fit(model, batches, loss_of, evaluate, epochs, learning_rate):
    """The history of the training: one dict before it and one after each epoch of `STEPS` steps.

    `batches`: an endless iterator; `loss_of(model, batch)`: the loss, a scalar; `evaluate(model)`: a dict
    with at least "validation" (nats), to which the mean training loss of the epoch is added as "train".
    AdamW; the learning rate rises for a tenth of the steps, then falls to nothing (OneCycleLR); the
    gradient's length is capped at 5. Raises ValueError for less than one epoch.
    """
    if epochs < 1:
        raise ValueError(f"epochs: {epochs} came, expected at least 1")
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, epochs * STEPS, pct_start=0.1)
    history = [evaluate(model)]
    for number in range(epochs):
        model.train()
        losses = []
        for batch in itertools.islice(batches, STEPS):
            loss = loss_of(model, batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        history.append({"train": sum(losses) / len(losses), **evaluate(model)})
        progress(f"epoch {number + 1} of {epochs}: validation loss {history[-1]['validation']:.2f}")
    return history
