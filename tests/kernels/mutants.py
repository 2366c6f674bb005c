"""The mutations that are tried: every mask, the delta term, each scale, each sum, each sign."""

from __future__ import annotations

from tests.kernels.mutations import Mutation

TILES, FORWARD = "tiles.py", "flash_forward.py"
QUERIES, KEYS, BEFORE = "flash_queries.py", "flash_keys.py", "flash_prefix.py"
DECODE, ROTARY = "flash_decode.py", "rotary.py"
SEEN = 'scores = tl.where(visible, scores, float("-inf"))'
INSIDE_ROWS = "inside = inside & (row[:, None] < stop)"

MASKS = [
    Mutation(
        "no mask of keys that are not there", TILES, "visible = key < keys", "visible = key < 2**30"
    ),
    Mutation("no causal mask", TILES, "visible = visible & (key <= place)", "visible = visible"),
    Mutation("causal mask off by one", TILES, "(key <= place)", "(key < place)"),
    Mutation("no window ahead", TILES, "(key - place <= window) & ", ""),
    Mutation("no window behind", TILES, " & (place - key <= window)", ""),
    Mutation("no mask in the forward pass", FORWARD, SEEN, "scores = scores"),
    Mutation("no mask in the gradient of queries", QUERIES, SEEN, "scores = scores"),
    Mutation("no mask in the gradient of keys", KEYS, SEEN, "scores = scores"),
    Mutation("no mask of rows in tiles", TILES, INSIDE_ROWS, "inside = inside"),
    Mutation(
        "no mask of columns in tiles", TILES, "column[None, :] < HEAD", "column[None, :] < WIDE"
    ),
    Mutation(
        "no mask of rows when log-sums are saved", FORWARD, "summed, mask=rows < queries", "summed"
    ),
    Mutation("no mask of rows when products are saved", QUERIES, "1), mask=rows < tokens", "1)"),
    Mutation(
        "absent queries weigh something",
        KEYS,
        'mask=row < count, other=float("inf")',
        "mask=row < 0, other=0.0",
    ),
]

BOUNDS = [
    Mutation(
        "causal alignment at the top left",
        FORWARD,
        "place = rows + (keys - queries)",
        "place = rows",
    ),
    Mutation("alignment lost in the gradient of keys", KEYS, "shift = keys - queries", "shift = 0"),
    Mutation(
        "unmasked keys one too many",
        TILES,
        "upper = tl.minimum(upper, first + 1)",
        "upper = tl.minimum(upper, last + 1)",
    ),
    Mutation(
        "unmasked queries too early", TILES, "(middle, last - shift)", "(middle, first - shift)"
    ),
    Mutation("the window's first keys forgotten", TILES, "first - window) //", "last - window) //"),
    Mutation(
        "the window's last keys forgotten", TILES, "last + window + 1)", "first + window + 1)"
    ),
    Mutation(
        "the window's first queries forgotten", TILES, "first - window - shift", "last - shift"
    ),
    Mutation(
        "the window's last queries forgotten", TILES, "last + window + 1 - shift", "last - shift"
    ),
    Mutation(
        "the ragged tile of keys unmasked",
        KEYS,
        "first + TILE_K > keys",
        "first + TILE_K < 0",
    ),
    Mutation("the group's first head only", KEYS, "own * group + group)", "own * group + 1)"),
    Mutation("the prefix's first head only", BEFORE, "own * group + group)", "own * group + 1)"),
    Mutation("one chunk of the prefix only", BEFORE, "low = part * chunk", "low = 0"),
    Mutation("key heads not shared", FORWARD, "own = head // group", "own = head * 0"),
    Mutation(
        "the wrong sequence", TILES, "sequence = begun - 1", "sequence = tl.maximum(begun - 2, 0)"
    ),
]

TERMS = [
    Mutation("no delta in the gradient of queries", QUERIES, "(inner - delta[:, None])", "inner"),
    Mutation("no delta in the gradient of keys", KEYS, "(inner - d[None, :])", "inner"),
    Mutation(
        "no scale forward",
        FORWARD,
        "scale = scale * 1.4426950408889634",
        "scale = 1.4426950408889634",
    ),
    Mutation("natural exponent", FORWARD, "scale = scale * 1.4426950408889634", "scale = scale"),
    Mutation("no scale of dq", QUERIES, "result * scale,", "result,"),
    Mutation(
        "no scale of dk",
        KEYS,
        "store_tile(dk + place, sum_k * scale, first, keys",
        "store_tile(dk + place, sum_k, first, keys",
    ),
    Mutation(
        "no scale of the prefix's dk",
        BEFORE,
        "store_tile(dk + place, sum_k * scale, first, prefix",
        "store_tile(dk + place, sum_k, first, prefix",
    ),
    Mutation("old outputs not shrunk", FORWARD, "output * shrink[:, None]", "output"),
    Mutation("old sums not shrunk", FORWARD, "total * shrink +", "total +"),
    Mutation("log-sum without its top", FORWARD, "top + tl.log2(total)", "tl.log2(total)"),
    Mutation(
        "log-sum of a query without keys",
        FORWARD,
        'tl.where(nothing, float("inf"), top',
        "tl.where(nothing, top, top",
    ),
]

PREFIX = [
    Mutation("no prefix forward", "flash.py", "PREFIX=length > 0", "PREFIX=False", 2),
    Mutation("no prefix in dq", QUERIES, "    if PREFIX:", "    if PREFIX and False:"),
    Mutation(
        "no gradient of prefix keys",
        BEFORE,
        "store_tile(dk + place, sum_k * scale, first, prefix",
        "store_tile(dk + place, sum_k * 0, first, prefix",
    ),
    Mutation(
        "no gradient of prefix values",
        BEFORE,
        "store_tile(dv + place, sum_v, first, prefix",
        "store_tile(dv + place, sum_v * 0, first, prefix",
    ),
    Mutation(
        "the prefix under the mask",
        FORWARD,
        "WIDE, False, False, True,",
        "WIDE, CAUSAL, WINDOW, True,",
    ),
]

OTHERS = [
    Mutation("sine not negated backward", ROTARY, "sine = -sine", "sine = sine"),
    Mutation(
        "halves turned the wrong way",
        ROTARY,
        "(left * cos - right * sin).to(kind)",
        "(left * cos + right * sin).to(kind)",
    ),
    Mutation(
        "neighbours turned the wrong way",
        ROTARY,
        "tl.join(left * cos - right * sin",
        "tl.join(left * cos + right * sin",
    ),
    Mutation("the rest of a head not copied", ROTARY, "if REST > 0:", "if REST < 0:"),
    Mutation(
        "positions not counted from the sequence", ROTARY, "return token - begun", "return token"
    ),
    Mutation(
        "decode reads beyond the filled keys",
        DECODE,
        "high = tl.minimum(low + span, length)",
        "high = low + span",
    ),
    Mutation("decode forgets the prefix", DECODE, "tl.where(split == 0, prefix, 0)", "0"),
    Mutation(
        "decode weighs its spans alike",
        DECODE,
        "weights = tl.exp2(summed - tl.where",
        "weights = tl.exp2(0 * summed + 0 * tl.where",
    ),
]

MUTATIONS = [*MASKS, *BOUNDS, *TERMS, *PREFIX, *OTHERS]
