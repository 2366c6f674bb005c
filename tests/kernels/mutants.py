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
        "no mask of keys that are not there", TILES, "visible = key < end", "visible = key < 2**30"
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
        "no mask of rows when log-sums are saved", FORWARD, "summed, mask=rows < end_q", "summed"
    ),
    Mutation("no mask of rows when products are saved", QUERIES, "1), mask=rows < tokens", "1)"),
    Mutation(
        "tiles loaded without a mask", TILES, "pointers, mask=inside, other=0.0", "pointers", 2
    ),
    Mutation("tiles stored without a mask", TILES, "element_ty), mask=inside)", "element_ty))"),
    Mutation(
        "sequences that are not there counted",
        TILES,
        "<= tile_number) & (index < sequences)",
        "<= tile_number)",
    ),
    Mutation(
        "lengths read beyond the last",
        TILES,
        "cu_seqlens + index, mask=index < sequences, other=0",
        "cu_seqlens + index",
    ),
    Mutation(
        "log-sums and products read beyond the last query",
        QUERIES,
        "tl.minimum(rows, end_q - 1)",
        "rows",
    ),
    Mutation(
        "rows read beyond the last",
        TILES,
        "tl.minimum(tl.arange(0, TILE), end - first - 1)",
        "tl.arange(0, TILE)",
    ),
    Mutation(
        "log-sums read beyond the last, for the keys",
        KEYS,
        ', mask=row < end, other=float("inf")',
        "",
    ),
    Mutation(
        "products read beyond the last, for the keys", KEYS, ", mask=row < end, other=0.0", ""
    ),
    Mutation(
        "absent queries weigh something",
        KEYS,
        'mask=row < end, other=float("inf")',
        "mask=row < 0, other=0.0",
    ),
]

BOUNDS = [
    Mutation(
        "queries not aligned with the last keys",
        FORWARD,
        "place = rows + shift",
        "place = rows",
    ),
    Mutation("alignment lost in the gradient of keys", KEYS, "shift = end_k - end_q", "shift = 0"),
    Mutation(
        "unmasked keys one too many",
        TILES,
        "upper = tl.minimum(upper, first + 1)",
        "upper = tl.minimum(upper, last + 1)",
    ),
    Mutation(
        "unmasked queries too early", TILES, "(middle, last - shift)", "(middle, first - shift)"
    ),
    Mutation(
        "the window's first keys forgotten",
        TILES,
        "(begin, first - window,",
        "(begin, last - window,",
    ),
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
        "the last queries forgotten, for the keys",
        KEYS,
        "tl.cdiv(middle - low + high - full, TILE_Q)",
        "tl.cdiv(middle - low, TILE_Q)",
    ),
    Mutation(
        "whole tiles of queries forgotten, for the keys",
        KEYS,
        "range(0, tl.cdiv(full - middle, TILE_Q))",
        "range(0, 0)",
    ),
    Mutation(
        "the last tile of queries not moved to the end",
        KEYS,
        "tl.where(start < middle, start, full)",
        "start",
    ),
    Mutation(
        "a last tile counted as whole",
        TILES,
        "tl.maximum(end - begin, 0) // TILE",
        "tl.cdiv(tl.maximum(end - begin, 0), TILE)",
    ),
    Mutation("tiles begin where others do", TILES, "low + tile * TILE, high", "low, high"),
    Mutation(
        "the group's first head only", KEYS, "key_head * group + group)", "key_head * group + 1)"
    ),
    Mutation(
        "the prefix's first head only", BEFORE, "key_head * group + group)", "key_head * group + 1)"
    ),
    Mutation("one chunk of the prefix only", BEFORE, "low = part * chunk", "low = 0"),
    Mutation("key heads not shared", FORWARD, "key_head = head // group", "key_head = head * 0"),
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
        "scale = scale * LOG2E",
        "scale = LOG2E",
    ),
    Mutation("no scale in scores anew, queries", QUERIES, "scale_two = scale *", "scale_two ="),
    Mutation("no scale in scores anew, keys", KEYS, "scale_two = scale *", "scale_two ="),
    Mutation("no scale in scores anew, prefix", BEFORE, "scale_two = scale *", "scale_two ="),
    Mutation("natural exponent in queries", QUERIES, "scale * LOG2E", "scale"),
    Mutation("natural exponent in keys", KEYS, "scale * LOG2E", "scale"),
    Mutation("natural exponent in the prefix", BEFORE, "scale * LOG2E", "scale"),
    Mutation("outputs not divided by their sum", FORWARD, "output / total[:, None]", "output"),
    Mutation("natural exponent", FORWARD, "scale = scale * LOG2E", "scale = scale"),
    Mutation("no scale of dq", QUERIES, "result * scale,", "result,"),
    Mutation(
        "no scale of dk",
        KEYS,
        "store_tile(dk + place, sum_k * scale, first, end_k",
        "store_tile(dk + place, sum_k, first, end_k",
    ),
    Mutation(
        "no scale of the prefix's dk",
        BEFORE,
        "store_tile(dk + place, sum_k * scale, first, prefix",
        "store_tile(dk + place, sum_k, first, prefix",
    ),
    Mutation(
        "largest scores not scaled", FORWARD, "tl.max(scores, 1) * scale", "tl.max(scores, 1)"
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
        "scale,\n        TILE_K, HEAD, WIDE, False, False, True,",
        "scale,\n        TILE_K, HEAD, WIDE, True, False, True,",
    ),
]

ROTATION = [
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
    Mutation("the rest not masked", ROTARY, "exists & (rest < HEAD)", "exists & (rest >= 0)"),
    Mutation("no mask of tokens", ROTARY, "(first + row < tokens) & ", ""),
    Mutation("no mask of heads", ROTARY, " & (head < heads)", ""),
    Mutation("no mask of halves", ROTARY, "exists & (half < HALF)", "exists & (half >= 0)"),
    Mutation("no mask of pairs", ROTARY, "exists & (whole < 2 * HALF)", "exists & (whole >= 0)"),
    Mutation("positions read beyond the last", ROTARY, "token, mask=alive, other=0", "token"),
    Mutation("tables read for no token", ROTARY, "known = alive[:, None] & ", "known = "),
    Mutation(
        "tables read beyond their width", ROTARY, "(column[None, :] < HALF)", "(column >= 0)[None]"
    ),
    Mutation(
        "lengths read beyond the last, for positions",
        ROTARY,
        "cu_seqlens + index, mask=index < sequences, other=0",
        "cu_seqlens + index",
    ),
    Mutation(
        "later sequences begin too",
        ROTARY,
        "begin[None, :] <= token[:, None]",
        "token[:, None] >= 0",
    ),
    Mutation(
        "positions not counted from the sequence", ROTARY, "return token - begun", "return token"
    ),
]

SPLIT = [
    Mutation("decode without its scale", DECODE, "scale = scale * LOG2E", "scale = LOG2E"),
    Mutation("decode with a natural exponent", DECODE, "scale = scale * LOG2E", "scale = scale"),
    Mutation(
        "decode reads beyond the filled keys",
        DECODE,
        "high = tl.minimum(low + span, length)",
        "high = low + span",
    ),
    Mutation(
        "the prefix's split reads keys", DECODE, "tl.where(part < 0, length, part * span)", "0"
    ),
    Mutation("decode forgets the prefix", DECODE, "tl.where(split == 0, prefix, 0)", "0"),
    Mutation("every split reads the prefix", DECODE, "tl.where(split == 0, prefix, 0)", "prefix"),
    Mutation("spans not divided by their sum", DECODE, "output / total[:, None]", "output"),
    Mutation("log-sums stored for no head", DECODE, "summed, mask=row < group", "summed"),
    Mutation(
        "decode weighs its spans alike",
        DECODE,
        "weights = tl.exp2(summed - tl.where",
        "weights = tl.exp2(0 * summed + 0 * tl.where",
    ),
    Mutation(
        "spans that are not there weigh something",
        DECODE,
        'mask=split < splits, other=float("-inf")',
        "mask=split < splits, other=0.0",
    ),
    Mutation(
        "log-sums read beyond the spans",
        DECODE,
        ', mask=split < splits, other=float("-inf")',
        "",
    ),
    Mutation(
        "parts read beyond the spans", DECODE, "(split < splits)[:, None]", "(split >= 0)[:, None]"
    ),
    Mutation(
        "parts read beyond the head", DECODE, "(column < HEAD)[None, :]", "(column >= 0)[None, :]"
    ),
    Mutation("outputs stored beyond the head", DECODE, ", mask=column < HEAD", ""),
]

MUTATIONS = [*MASKS, *BOUNDS, *TERMS, *PREFIX, *ROTATION, *SPLIT]
