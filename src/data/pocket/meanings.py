"""Words grouped by meaning: who and what, apart for train and for test.

A line is a family of related things, `|` parts its meanings, and the words of one meaning can
stand for each other. No word of the test lists occurs in the train lists, in any form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Part = Literal["train", "test"]
"""Which half of the vocabulary: the two share function words only."""

Family = tuple[tuple[str, ...], ...]
"""Related meanings, each a tuple of words that mean the same."""


def words(block: str) -> tuple[str, ...]:
    """Read words parted by white space."""
    return tuple(block.split())


def families(block: str) -> tuple[Family, ...]:
    """Read one family a line, `|` between meanings, spaces between words."""
    lines = (line for line in block.splitlines() if line.strip())
    return tuple(tuple(tuple(part.split()) for part in line.split("|")) for line in lines)


PEOPLE: Mapping[Part, tuple[Family, ...]] = {
    "train": families("""
doctor physician | nurse | surgeon
lawyer attorney | judge magistrate | detective
student pupil | professor lecturer | librarian
thief robber | banker | guard watchman
actor performer | dancer | comedian comic
author writer | editor | poet
merchant trader | customer client | cashier
traveller wanderer | tourist sightseer | porter
king monarch | servant attendant | knight
infant baby | toddler | nanny babysitter
farmer grower | shepherd herder | miller
worker labourer | foreman overseer | plumber
teenager adolescent | pensioner retiree | orphan
politician statesman | voter elector | mayor
barber hairdresser | tailor dressmaker | cobbler shoemaker
hunter trapper | ranger warden | archer
tenant lodger | landlord | builder
coach trainer | athlete sportsman | referee umpire
expert specialist | beginner novice | champion
rival competitor | friend companion | stranger
motorist chauffeur | cyclist biker | pedestrian walker
applicant candidate | inspector examiner | clerk
uncle | grandmother grandma granny | grandfather grandpa
husband spouse | son | mother mum
drummer percussionist | violinist fiddler | conductor maestro
president chairman | ambassador envoy | treasurer
psychologist therapist | optician | midwife
astronaut cosmonaut | astronomer stargazer | explorer discoverer
thinker philosopher | historian | mathematician
swindler fraudster | burglar housebreaker | gangster mobster
millionaire tycoon | beggar pauper | heir inheritor
wizard sorcerer | witch enchantress | giant
firefighter fireman | policeman constable | paramedic
gambler bettor | loser | bookkeeper accountant
"""),
    "test": families("""
teacher instructor | headmaster principal | janitor caretaker
sailor seaman | captain skipper | fisherman angler
pilot aviator | steward | mechanic repairman
journalist reporter | photographer cameraman | columnist
cook chef | waiter server | baker
priest clergyman | monk friar | pilgrim
boy lad | girl lass | neighbour
scientist researcher | chemist | inventor
"""),
}
"""People by calling."""

THINGS: Mapping[Part, tuple[Family, ...]] = {
    "train": families("""
couch sofa | armchair | mattress
car automobile | truck lorry | tyre
picture photograph | drawing sketch | statue sculpture
coat jacket | sweater pullover | scarf shawl
cup mug | plate dish | kettle
book volume | diary journal | dictionary
bike bicycle | helmet | scooter
garbage trash | broom | bucket pail
ship vessel | anchor | raft
gift present | ribbon | balloon
phone telephone | radio | antenna
basket hamper | blanket | tent
lamp lantern | candle | chandelier
rope cord | chain | wire cable
box crate | barrel cask | trunk
necklace pendant | bracelet bangle | brooch
umbrella parasol | raincoat | boot
television telly | microphone | headset
medicine remedy | bandage | thermometer
flag banner | poster placard | badge
bottle flask | jug pitcher | spoon
stove cooker | fridge refrigerator | toaster
newspaper gazette | magazine periodical | leaflet brochure
perfume fragrance | soap | comb
ferry ferryboat | canoe kayak | yacht sailboat
oven | freezer | grill barbecue
cookie biscuit | sweet candy | jelly
blouse shirt | sandal slipper | sock
hat cap | glove mitten | belt
spade shovel | hoe | axe hatchet
gown robe | frock dress | skirt
ladder | bench pew | stool
clock timepiece | calendar almanac | compass
medal award | trophy prize | crown
map chart | globe | telescope
pebble stone | brick | plank board
"""),
    "test": families("""
rug carpet | curtain drape | pillow cushion
computer laptop | printer | keyboard
film movie | camera | projector
song tune | guitar | drum
meal dinner | cake | soup broth
cash money | purse wallet | cheque
plane aircraft | helicopter chopper | parachute
letter note | parcel package | stamp
"""),
}
"""Things that people own, use and lose."""
