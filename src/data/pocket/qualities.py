"""Words for qualities and kinds: adjectives with their opposites, names with what they are.

Train and test share no word. In `QUALITIES` a line has two opposite meanings; in `KINDS` a line
is the kind, then a colon, then its members.
"""

from __future__ import annotations

from collections.abc import Mapping

from .meanings import Family, Part, families, words

Quality = tuple[tuple[str, ...], Family]
"""Who or what has a quality, and its two opposite meanings."""


def kinds(block: str) -> Mapping[str, tuple[str, ...]]:
    """Read one kind a line: its name, a colon, its members."""
    lines = (line.split(":") for line in block.splitlines() if line.strip())
    return {name.strip(): words(members) for name, members in lines}


def qualities(block: str) -> tuple[Quality, ...]:
    """Read one quality a line: its bearers, a colon, its opposite meanings."""
    lines = (line.split(":") for line in block.splitlines() if line.strip())
    return tuple((words(bearers), families(line)[0]) for bearers, line in lines)


QUALITIES: Mapping[Part, tuple[Quality, ...]] = {
    "train": qualities("""
village island cupboard: big large | small little
woman visitor uncle: rich wealthy | poor penniless
guest cousin puppy: sick ill | healthy well
kitchen bathroom plate: clean spotless | dirty filthy
hall bucket theatre: empty vacant | full packed
window gate drawer: shut closed | open unlocked
exam puzzle lesson: hard difficult | easy simple
ticket watch jacket: cheap inexpensive | expensive costly
towel lawn blanket: wet soaked | dry parched
noise dream custom: strange weird | normal ordinary
baby kitten patient: asleep sleeping | awake waking
path ladder descent: dangerous risky | safe harmless
"""),
    "test": qualities("""
widow winner neighbour: happy glad | sad unhappy
apprentice nephew robot: smart clever | foolish silly
soldier prince hero: brave courageous | cowardly timid
castle temple painting: old ancient | new modern
suburb engine classroom: quiet silent | loud noisy
locomotive runner horse: fast quick | slow sluggish
driver swimmer miner: tired exhausted | rested energetic
mirror heater vase: broken faulty | intact undamaged
singer novelist band: famous renowned | unknown obscure
desk bedroom closet: tidy neat | messy untidy
rumour report claim: true correct | false wrong
knife blade razor: sharp keen | blunt dull
"""),
}
"""Adjectives; the two meanings of a line are opposites."""

KINDS: Mapping[Part, Mapping[str, tuple[str, ...]]] = {
    "train": kinds("""
fruit: apple banana cherry mango pear
dog: poodle beagle terrier spaniel bulldog
tool: hammer saw screwdriver wrench drill
vehicle: tractor bus van tram ambulance
flower: rose tulip daisy lily orchid
drink: coffee lemonade wine beer cider
toy: doll marble kite puppet yoyo
weapon: sword dagger rifle spear pistol
jewel: diamond ruby emerald sapphire opal
building: church hospital factory mosque barn
sport: tennis hockey rugby golf cricket
reptile: lizard snake crocodile tortoise gecko
"""),
    "test": kinds("""
instrument: violin trumpet flute piano cello
bird: eagle sparrow owl parrot pigeon
vegetable: carrot cabbage onion spinach potato
fish: salmon trout shark herring tuna
tree: oak maple willow birch pine
insect: beetle butterfly mosquito wasp ant
metal: copper silver iron zinc tin
language: French Spanish Greek Polish Latin
"""),
}
"""Kinds and their members."""
