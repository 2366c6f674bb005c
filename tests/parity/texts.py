"""A few hundred texts in which tokenizers like to differ."""

import itertools
import random

WORDS = (
    "the film was unbelievably slow",
    "It's Ann's; isn't it? They'll've gone.",
    "naïve café, Ærøskøbing — „Straße“",
    "3.14159 and 1,000,000 or 0xFF, 2nd of 1999",
    "x=1;y<-2 && (a|b) ~ [c] {d} #e @f $g %h ^i *j",
    "日本語のテキスト 한국어 العربية עברית हिन्दी",
    "good 😀👍🏽 👨‍👩‍👧‍👦 flags 🇩🇪🇯🇵",
    "e\u0301 \u00e9 ﬁne ² ½ Ⅷ ١٢٣",
    "https://example.org/a?b=c&d=%20e#f mail@example.org",
    "def f(x):\n\treturn x ** 2  # square",
    "...!!! ??? --- ___ '''\"\"\"",
    "supercalifragilisticexpialidocious" * 2,
    "A B\u00a0C\u2009D\u200bE\ufeffF",
    "UPPER lower MiXeD iOS 4K GPT-2's",
)
BLANKS = (" ", "  ", "\n", "\r\n", "\t", "\n\n \n", " \u3000")


def _make() -> tuple[str, ...]:
    drawn = random.Random(0)
    texts = [*WORDS, *(f"{blank}{word}{blank}" for word in WORDS[:4] for blank in BLANKS)]
    texts += [
        a + blank + b
        for (a, b), blank in zip(itertools.permutations(WORDS, 2), itertools.cycle(BLANKS))
    ]
    pieces = [piece for word in WORDS for piece in word.split(" ")]
    for _ in range(80):
        chosen = drawn.sample(pieces, drawn.randint(1, 8))
        texts.append("".join(piece + drawn.choice(("", " ", *BLANKS)) for piece in chosen))
    return tuple(texts)


TEXTS = _make()
