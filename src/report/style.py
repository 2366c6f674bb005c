"""The page's style, inline so that the page is one file."""

from __future__ import annotations

LIGHT = """
  --paper: #f6f5f1; --card: #ffffff; --ink: #1e2126; --muted: #656b75; --line: #dfddd6;
  --accent: #24598a; --soft: #e4edf5; --warn: #7a5200; --warn-soft: #fbf0d6;
  --bad: #9c2f28; --bad-soft: #fbe7e4;
  --heat-0: #fdeee3; --heat-1: #fbd9bf; --heat-2: #f6bd94; --heat-3: #ee9e68; --cool: #d9ebf7;
  --series-0: #1f6fb4; --series-1: #c4541a; --series-2: #2a8a57; --series-3: #8a4fb0;
  --series-4: #a67c00; --series-5: #c23b6b; --series-6: #0f8291; --series-7: #5b6470;
"""
DARK = """
  --paper: #14161a; --card: #1c1f25; --ink: #e9e7e2; --muted: #a0a7b1; --line: #343942;
  --accent: #8fc0ee; --soft: #24364a; --warn: #f0cd83; --warn-soft: #3a3018;
  --bad: #f2a79f; --bad-soft: #43231f;
  --heat-0: #33291f; --heat-1: #4a3422; --heat-2: #634026; --heat-3: #7d4c2a; --cool: #1f3a4a;
  --series-0: #6ab0f0; --series-1: #f0935a; --series-2: #62c98d; --series-3: #c397e6;
  --series-4: #e0b94f; --series-5: #f285a9; --series-6: #52c8d4; --series-7: #a7b0bc;
"""
# Paper stays white whatever the screen prefers, hence "screen".
COLOURS = f"""
:root {{ color-scheme: light dark; {LIGHT} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}
"""
LAYOUT = """
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.55;
  font: 16px/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: anywhere; }
main { max-width: 1240px; margin: 0 auto; padding: 3.5rem 1.5rem 4rem; }
h1, h2 { font-family: "Iowan Old Style", Palatino, "Palatino Linotype", Georgia, serif;
  font-weight: 600; line-height: 1.15; letter-spacing: -0.01em; }
h1 { font-size: clamp(2rem, 5vw, 3rem); margin: 0.2rem 0 1.2rem; }
h2 { font-size: 1.6rem; margin: 0; }
h3 { font-size: 0.95rem; margin: 0 0 0.6rem; }
p { margin: 0.6rem 0; }
a { color: var(--accent); }
.eyebrow { color: var(--muted); font-size: 0.9rem; margin: 0; }
.answer { font-size: 1.35rem; line-height: 1.4; max-width: 50rem; margin: 0 0 0.7rem; }
.doubt { color: var(--muted); max-width: 50rem; margin: 0 0 1.5rem; }
.badges { display: flex; flex-wrap: wrap; gap: 0.5rem; margin: 0; padding: 0; list-style: none; }
.badge { display: inline-block; padding: 0.18rem 0.7rem; border-radius: 1rem; font-size: 0.85rem;
  background: var(--soft); color: var(--accent); }
.badge.warn { background: var(--warn-soft); color: var(--warn); }
.badge.bad { background: var(--bad-soft); color: var(--bad); }
.badge.small { font-size: 0.75rem; padding: 0.05rem 0.5rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.3rem 1.1rem; margin: 2rem 0 0; font-size: 0.95rem; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 1.6rem 1.8rem; margin: 1.6rem 0 0; }
.about { color: var(--muted); margin: 0.3rem 0 1.1rem; font-size: 0.92rem; }
.wide { overflow-x: auto; }
.frame { position: relative; }
.frame.more::after { content: "→" / ""; position: absolute; top: 0; bottom: 0; right: 0;
  width: 2.2rem; padding: 0.35rem 0.2rem; text-align: right; color: var(--accent);
  pointer-events: none; background: linear-gradient(to right, transparent, var(--card) 75%); }
.under { color: var(--muted); font-size: 0.9rem; margin: 0.7rem 0 0; }
.pair { display: grid; gap: 1.4rem 2rem; grid-template-columns: repeat(2, minmax(0, 1fr));
  margin-top: 1.6rem; }
figure { margin: 0; min-width: 0; }
figcaption { font-weight: 600; font-size: 0.95rem; margin-bottom: 0.5rem; }
.plot { display: block; width: 100%; height: auto; }
.plot text { fill: currentColor; }
.plot * { stroke-linejoin: round; }
.point:hover { stroke-width: 3; filter: brightness(1.15); }
.multiples { display: grid; gap: 1rem 1.2rem; margin-top: 1.2rem;
  grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); }
.multiples figcaption { font-size: 0.85rem; margin-bottom: 0.1rem; }
.multiple { display: block; width: 100%; max-width: 320px; height: auto; }
.multiple text { fill: var(--muted); font-size: 9px; }
.multiple .grid { stroke: var(--line); stroke-width: 0.7; }
.multiple polyline { fill: none; stroke: var(--key); stroke-width: 1.8; }
.multiple circle { fill: var(--key); }
.multiple .thin { stroke-width: 0.8; opacity: 0.5; }
.multiple .level { stroke: var(--muted); stroke-width: 1; stroke-dasharray: 4 3; }
.multiple .band { fill: var(--key); opacity: 0.16; }
.keys { display: flex; flex-wrap: wrap; gap: 0.1rem 1rem; font-size: 0.85rem; margin: 0.4rem 0 0;
  padding: 0; list-style: none; color: var(--muted); }
.key { display: inline-block; width: 0.65em; height: 0.65em; border-radius: 50%;
  margin-right: 0.55em; background: var(--key, transparent); }
pre { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; margin: 0.8rem 0;
  padding: 0.8rem 1rem; white-space: pre-wrap; font-size: 0.92rem; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr);
  gap: 0.35rem 1.4rem; margin: 1rem 0;
  font-size: 0.92rem; }
dt { color: var(--muted); }
dd { margin: 0; }
details { margin-top: 1rem; font-size: 0.92rem; }
summary { cursor: pointer; color: var(--accent); }
ul.notes { padding-left: 1.2rem; margin: 0.8rem 0; font-size: 0.92rem; }
footer { color: var(--muted); font-size: 0.88rem; margin-top: 2rem; }
"""
TABLES = """
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; overflow-wrap: normal;
  font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 0.42rem 0.6rem; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
thead th { color: var(--muted); font-weight: 500; vertical-align: bottom; font-size: 0.85rem; }
th:first-child, td:first-child, .left { text-align: left; }
tbody th { font-weight: 500; position: sticky; left: 0; background: var(--card); }
tbody tr:hover td, tbody tr:hover th { background-color: var(--paper); }
table.text th, table.text td { text-align: left; vertical-align: top; }
table.text td:last-child { white-space: normal; width: 100%; }
tr.best th, tr.best td.score, td.best { font-weight: 700; }
tr.plain th, tr.plain td { color: var(--muted); }
tr.failed td { text-align: left; white-space: normal; }
table.pairs th:nth-child(2), table.pairs th:nth-child(n + 6) { text-align: left; }
table.beside th:nth-child(2) { text-align: left; }
table.tuning th:last-child { text-align: left; }
td.words { white-space: normal; min-width: 15.5rem; width: 100%; }
td.group button { all: unset; cursor: pointer; padding: 0.2rem 0.3rem; min-width: 1rem;
  text-align: center; border-radius: 5px; color: var(--accent); }
td.group button:focus-visible { outline: 2px solid var(--accent); }
td.group button[aria-pressed=true] { background: var(--soft); }
tr.member th { box-shadow: inset 4px 0 var(--accent); }
tr.member td.group { background: var(--soft); }
.pair-interval { width: 100px; height: 16px; vertical-align: middle; }
.pair-interval .margin { fill: var(--soft); }
.pair-interval .zero { stroke: var(--muted); stroke-width: 1; }
.pair-interval .interval { stroke: var(--accent); stroke-width: 2; }
.pair-interval circle { fill: var(--accent); }
.heat-faster { background: var(--cool); }
.heat-same { background: var(--paper); }
.heat-slower-0 { background: var(--heat-0); }
.heat-slower-1 { background: var(--heat-1); }
.heat-slower-2 { background: var(--heat-2); }
.heat-slower-3 { background: var(--heat-3); }
.swatch { display: inline-block; width: 1.1em; height: 0.8em; margin-right: 0.45em;
  border: 1px solid var(--line); border-radius: 3px; }
table.heat td { border-left: 2px solid var(--card); }
table.bars td:nth-child(2) { width: 100%; min-width: 9rem; }
table.bars th:nth-child(2) { text-align: left; }
.bar { display: block; width: 100%; height: 16px; }
.swatch.peak { width: 3px; background: var(--ink); }
.bar .mark { fill: var(--ink); }
.part-0 { fill: var(--series-7); background: var(--series-7); }
.part-1 { fill: var(--series-0); background: var(--series-0); }
.part-2 { fill: var(--series-2); background: var(--series-2); }
.part-3 { fill: var(--series-4); background: var(--series-4); }
.part-4 { fill: var(--series-3); background: var(--series-3); }
#lab h3 { margin-top: 1.6rem; }
.verdict, .across { margin: 1.6rem 0; }
.across h3, #sizes h3 { margin-top: 1.4rem; }
.sliders { display: grid; gap: 0.5rem 1.8rem; align-items: center; margin: 0.8rem 0;
  grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); font-size: 0.92rem; }
.sliders div { display: grid; gap: 0 0.7rem; align-items: center;
  grid-template-columns: minmax(0, 7rem) minmax(0, 1fr) 3rem; }
.sliders input { width: 100%; accent-color: var(--accent); }
.sliders output { text-align: right; font-variant-numeric: tabular-nums; color: var(--muted); }
.sliders button { justify-self: start; font: inherit; color: var(--accent); cursor: pointer;
  background: var(--soft); border: 1px solid var(--line); border-radius: 8px;
  padding: 0.3rem 0.9rem; }
.ranks { max-width: 34rem; margin-top: 1.4rem; }
.absent { color: var(--muted); font-size: 0.85em; font-weight: 400; }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
th[aria-sort=ascending] button::after { content: " ↑"; }
th[aria-sort=descending] button::after { content: " ↓"; }
"""
SCREENS = """
@media screen and (max-width: 820px) {
  main { padding: 1.8rem 1rem 3rem; }
  section { padding: 1.1rem 1rem; border-radius: 10px; }
  .pair { grid-template-columns: minmax(0, 1fr); }
  .answer { font-size: 1.15rem; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0 0; }
  dd { margin-bottom: 0.6rem; }
  th, td { padding: 0.42rem 0.5rem; }
}
@media print {
  :root { color-scheme: light; }
  html, body { background: #ffffff; font-size: 10px; }
  main { max-width: none; padding: 0; }
  nav, .weights.equal, .sliders button { display: none; }
  section { border: none; padding: 0; margin-top: 1.5rem; }
  figure, tr, pre { break-inside: avoid; }
  h2, .about { break-after: avoid; }
  .wide { overflow: visible; }
  .frame.more::after { display: none; }
  th, td { padding: 0.2rem 0.35rem; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
STYLE = COLOURS + LAYOUT + TABLES + SCREENS
