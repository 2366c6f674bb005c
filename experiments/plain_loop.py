"""The whole idea on one page: a frozen backbone, a method, a plain Lightning loop, predictions.

    python experiments/plain_loop.py --method lora --epochs 2

No Optuna, no MLflow, no runner: the same parts as in `tunebench compare`, under your own Trainer.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

import lightning.pytorch as L
import torch
from tokenizers import Tokenizer
from torch.utils.data import DataLoader
from tunebench import Checkpoint, Classifier, get_method, load_task
from tunebench.config import DataSettings


def padded(tokenizer: Tokenizer, rows: Sequence[tuple[str, Any]]) -> dict[str, torch.Tensor]:
    """Texts as one padded batch (b t), with labels (b) where every row has one."""
    encodings = tokenizer.encode_batch([text for text, _ in rows])
    width = max(len(encoding.ids) for encoding in encodings)
    ids = torch.zeros(len(rows), width, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding.ids)] = torch.tensor(encoding.ids)
        mask[row, : len(encoding.ids)] = 1
    batch = {"input_ids": ids, "attention_mask": mask}
    labels = [label for _, label in rows if label is not None]
    return batch | ({"labels": torch.tensor(labels)} if len(labels) == len(rows) else {})


def run(
    texts: Sequence[str],
    *,
    method: str = "lora",
    backbone: str = "minilm",
    epochs: int = 2,
    examples: int = 256,
    **settings: Any,
) -> tuple[list[str], float]:
    """Train on the built-in reviews; the class of each text, and the accuracy on 64 test rows."""
    torch.manual_seed(0)
    data = load_task("sentiment", DataSettings(source="pocket"))
    checkpoint = Checkpoint.open(backbone)
    tokenizer = checkpoint.load_tokenizer()
    batches = partial(DataLoader, batch_size=16, collate_fn=partial(padded, tokenizer))
    train, test = data.train.take(list(range(examples))), data.test.take(list(range(64)))
    rows = list(zip((r[0] for r in train.texts), map(int, train.labels), strict=True))

    model = Classifier(checkpoint.load_backbone(), outputs=len(data.task.labels))
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[get_method(method)(**settings)],  # freezes the backbone and fills its ports
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(model, batches(rows, shuffle=True))

    wanted = [*texts, *(row[0] for row in test.texts)]
    outputs = trainer.predict(model, batches([(text, None) for text in wanted]))
    answers = torch.cat(outputs).argmax(-1).tolist()
    right = [a == int(b) for a, b in zip(answers[len(texts) :], test.labels, strict=True)]
    return [data.task.labels[n] for n in answers[: len(texts)]], sum(right) / len(right)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train one method on the built-in reviews.")
    parser.add_argument("--method", default="lora")
    parser.add_argument("--epochs", type=int, default=2)
    print(run(["What a fine film.", "A dull, tired story."], **vars(parser.parse_args())))
