"""`tunebench generate`: a decoder continues the prompts that were typed."""

from __future__ import annotations

from pathlib import Path

from ..checkpoints.catalogue import locate
from ..config import Generation
from ..errors import UserError
from .fields import KeyPath, from_text, table
from .flags import Line

SWITCHES = {"no-cache": "Read the whole text again for every new token: slow, and the same text."}


def flags() -> dict[str, KeyPath]:
    """Every setting of a generation, as a flag."""
    return {path[0].replace("_", "-"): path for path in table(Generation)}


def generate(line: Line, command: str) -> int:
    """Print every prompt with its continuation."""
    settings = _settings(line)
    from ..backbone.generate import check_causal
    from ..backbone.generate import generate as run
    from ..backbone.sampling import Sampling
    from ..checkpoints.language_head import load_language_head
    from ..checkpoints.load import load_backbone
    from ..data.text.tokens import check_vocabulary, continuation, load_tokenizer, stop_tokens

    temperature = _temperature(settings)
    sampling = Sampling(temperature, settings.top_k, settings.top_p, settings.seed or 0)
    backbone = load_backbone(settings.backbone)
    check_causal(backbone)
    if settings.adapter is not None:
        from ..methods._saved import attach_saved

        attach_saved(settings.adapter, backbone).fold(backbone)
    tokenizer = load_tokenizer(settings.backbone)
    prompts = [tokenizer.encode(text).ids for text in line.words]
    check_vocabulary(prompts, backbone.cfg.vocabulary)
    continuations = run(
        backbone,
        load_language_head(settings.backbone, backbone),
        prompts,
        tokens=settings.tokens,
        sampling=sampling,
        stop=stop_tokens(settings.backbone),
        cached="no-cache" not in line.switches,
    )
    rows = zip(line.words, prompts, continuations, strict=True)
    texts = [text + continuation(tokenizer, prompt, new) for text, prompt, new in rows]
    print("\n\n".join(texts))
    return 0


def _settings(line: Line) -> Generation:
    """What the line means; all of it is checked before anything is loaded."""
    if not line.words:
        raise UserError(
            'generate takes a prompt, such as: tunebench generate "The capital of France is"'
        )
    empty = [n for n, text in enumerate(line.words, 1) if not text]
    if empty:
        raise UserError(f"a prompt must not be empty, but prompt {empty[0]} is")
    known = table(Generation)
    typed = {flag.path: flag.typed for flag in line.flags}
    values = {f.path[0]: from_text(known[f.path].annotation, f.text, f.typed) for f in line.flags}
    locate(str(values.get("backbone", Generation.backbone)))
    from ..validation import validated  # pydantic, which a misspelt name need not wait for

    settings: Generation = validated(Generation, values, lambda path: typed.get(path, path[0]))
    if settings.adapter is not None and not Path(settings.adapter).is_file():
        raise UserError(f"--adapter: no such file '{settings.adapter}'")
    return settings


def _temperature(settings: Generation) -> float:
    """The temperature; where it is not told, 1 beside another setting of sampling, else 0."""
    if settings.temperature is not None:
        return settings.temperature
    sampling = (settings.top_k, settings.top_p, settings.seed)
    return 0.0 if all(setting is None for setting in sampling) else 1.0
