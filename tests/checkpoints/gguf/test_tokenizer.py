"""GGUF files whose tokenizer cannot be made: one line that says which message is broken."""

import pytest
from gguf import TokenType
from tunebench.checkpoints.checkpoint import Checkpoint
from tunebench.errors import UserError

from tests.vocabularies import QWEN, Vocabulary, of_bytes, of_pieces, vocabulary_file


@pytest.mark.parametrize(
    ("model", "pre", "shown"),
    [("gpt2", "tekken", "gpt2/tekken"), ("gpt2", None, "gpt2/default"), ("t5", None, "t5")],
)
def test_another_tokenizer_is_refused_with_those_that_are_known(tmp_path, model, pre, shown):
    path = vocabulary_file(tmp_path / "t.gguf", model, pre, of_pieces())
    known = r"known: bert, gpt2/gpt-2, gpt2/llama-bpe.*gpt2/qwen2.*gpt2/smollm, llama\)"
    with pytest.raises(UserError, match=rf"tokenizer in .*t.gguf: '{shown}'.*{known}"):
        Checkpoint.open(path).load_tokenizer()


def test_a_file_that_lacks_or_contradicts_itself_is_the_users_error(tmp_path):
    made, flat = of_bytes(QWEN), of_pieces()
    cases = {
        "merges' is missing": ("gpt2", "qwen2", Vocabulary(made.tokens), {}),
        "merges: .*out of vocab": ("gpt2", "qwen2", Vocabulary(QWEN, [("a", "b")]), {}),
        "bos_token_id must be .* but it is None": ("gpt2", "llama-bpe", made, {}),
        "bos_token_id must be .* but it is 9999": ("gpt2", "llama3", made, {"bos_token_id": 9999}),
        "scores' is missing": ("llama", None, Vocabulary(flat.tokens), {}),
        "scores must order the pieces, but they are all -1000": (
            "llama",
            None,
            Vocabulary(flat.tokens, scores=[-1000.0] * len(flat.tokens)),
            {},
        ),
        "unknown_token_id must be": ("bert", None, Vocabulary({"▁a": TokenType.NORMAL}), {}),
    }
    for number, (message, (model, pre, vocabulary, more)) in enumerate(cases.items()):
        path = vocabulary_file(tmp_path / f"{number}.gguf", model, pre, vocabulary, **more)
        with pytest.raises(UserError, match=message):
            Checkpoint.open(path).load_tokenizer()
