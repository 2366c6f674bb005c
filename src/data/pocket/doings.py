"""What people do, grouped by meaning as the names in `meanings` are, apart for train and for test.

All verbs stand in the past tense, and have a participle of the same form, for the passive.
"""

from __future__ import annotations

from collections.abc import Mapping

from .meanings import Family, Part, families

DEEDS: Mapping[Part, tuple[Family, ...]] = {
    "train": families("""
bought purchased | rented hired | ordered
repaired fixed mended | polished | painted
found discovered | concealed buried | lost
tossed flung | dragged hauled | lifted hoisted
ruined destroyed | burned torched | scratched
noticed spotted | ignored overlooked | inspected examined
picked selected | refused rejected | accepted
craved desired | liked enjoyed | hated detested
built constructed | designed planned | weighed
swapped exchanged | kept retained | won
stacked piled | hung suspended | wrapped enveloped
sought wanted | criticised condemned | recommended endorsed
demanded requested | offered | copied duplicated
guarded protected | abandoned deserted | followed
scaled_frequencies | enlarged expanded | reduced shrunk
lowered | shifted moved | rotated turned
watched observed | studied
sent posted mailed | collected gathered
invented devised | tested tried | improved bettered
cut sliced | glued | shredded
"""),
    "test": families("""
cleaned washed | decorated adorned | covered
cracked smashed | damaged harmed | stained
fetched brought | sold | borrowed
carried transported | dropped | delivered
photographed filmed | described depicted | displayed exhibited
needed required | loved adored | disliked loathed
returned | seized grabbed | misplaced mislaid
"""),
}
"""What people do to things, in the past tense."""
