"""What people of the microworld say: captions, tags, passages about animals, questions, a language model's corpus.

Everything is written from a `Scene` (what is in one picture) or from AwA2's matrix (what is true of an animal), and is
the same for the same seed on every platform. A caption is what follows "A picture of".
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from concepttransfer.microworld.scene import ANIMALS, RELATIONS, Scene, sample_scene
from concepttransfer.microworld.species import matrix

PROMPT = "A picture of"
"""What stands before a caption in the corpus."""

FIRST_TEXT_SEED = 1 << 40
"""The corpus is written from scenes whose seeds start here, far above those of every split of pictures."""

ADJECTIVES: Mapping[str, str] = MappingProxyType(
    {
        "big": "big", "small": "small", "bulbous": "bulky", "lean": "lean", "longneck": "long-necked",
        "longleg": "long-legged", "horns": "horned", "tusks": "tusked", "furry": "furry", "hairless": "hairless",
        "stripes": "striped", "spots": "spotted", "patches": "patched",
    }
)  # fmt: skip
"""The adjectives for AwA2's attributes that can be seen, in the order in which they stand before a noun."""

PLACES: Mapping[str, str] = MappingProxyType(
    {
        "arctic": "in the arctic", "coastal": "on the coast", "desert": "in the desert", "bush": "in the scrub",
        "plains": "on the plains", "forest": "in the forest", "fields": "in the fields", "jungle": "in the jungle",
        "mountains": "in the mountains", "ocean": "in the ocean", "river": "in the river", "cave": "in a cave",
        "indoors": "in a room",
    }
)  # fmt: skip
"""The phrase for each habitat."""

OPPOSITE: Mapping[str, str] = MappingProxyType(
    dict(zip(RELATIONS, (RELATIONS[1], RELATIONS[0], RELATIONS[3], RELATIONS[2]), strict=True))
)
"""Where the object is, seen from the animal."""

_NEAR = ("next to", "beside", "near")
_STANDING = {"lying": "lying down", "hanging": "hanging upside down"}
_QUALITIES = {
    "fast": "fast", "slow": "slow", "strong": "strong", "weak": "weak", "active": "active", "inactive": "lazy",
    "nocturnal": "active at night", "agility": "agile", "fierce": "fierce", "timid": "timid", "smart": "smart",
    "domestic": "domestic", "smelly": "smelly", "big": "big", "small": "small", "lean": "lean", "bulbous": "bulky",
    "hairless": "hairless", "furry": "furry", "black": "black", "white": "white", "blue": "blue", "brown": "brown",
    "gray": "gray", "orange": "orange", "red": "red", "yellow": "yellow", "stripes": "striped", "spots": "spotted",
    "patches": "patched", "muscle": "muscular", "solitary": "solitary",
}  # fmt: skip
_PARTS = {
    "flippers": "flippers", "hands": "hands", "hooves": "hooves", "pads": "padded feet", "paws": "paws",
    "longleg": "long legs", "longneck": "a long neck", "tail": "a tail", "buckteeth": "buck teeth",
    "meatteeth": "sharp teeth", "chewteeth": "chewing teeth", "strainteeth": "straining teeth", "horns": "horns",
    "claws": "claws", "tusks": "tusks", "toughskin": "tough skin", "stripes": "stripes", "spots": "spots",
    "patches": "patches",
}  # fmt: skip
_HOMES = {
    **{name: phrase for name, phrase in PLACES.items() if name not in ("river", "indoors")},
    "water": "in the water", "tree": "in trees", "ground": "on the ground", "cave": "in caves",
    "newworld": "in the new world", "oldworld": "in the old world", "group": "in groups",
}  # fmt: skip
_FOOD = {"fish": "fish", "meat": "meat", "plankton": "plankton", "vegetation": "plants", "insects": "insects"}
_DEEDS = {
    "flys": "flies", "hops": "hops", "swims": "swims", "tunnels": "digs tunnels", "walks": "walks", "hunter": "hunts",
    "grazer": "grazes", "forager": "forages", "scavenger": "scavenges", "hibernate": "sleeps all winter",
    "stalker": "stalks its prey", "bipedal": "walks on two legs", "quadrapedal": "walks on four legs",
    "nestspot": "builds nests",
}  # fmt: skip
_SENTENCES = ((_QUALITIES, "is"), (_PARTS, "has"), (_HOMES, "lives"), (_FOOD, "eats"), (_DEEDS, ""))

T = TypeVar("T")


@dataclass(frozen=True)
class Question:
    """A question about a picture and its one right answer.

    Attributes:
        kind: `animal`, `place`, `pose`, `object`, `object-colour`, `presence`, `relation`, `colour` or `attribute`.
        text: the question.
        answer: a few words; `yes` or `no` for the kinds presence, relation and attribute.
    """

    kind: str
    text: str
    answer: str


def captions(scene: Scene) -> tuple[str, ...]:
    """Five reference captions of a picture, no two alike, the same for the same scene.

    Each names the animal; nineteen in twenty name the object that is there, with its colour.
    """
    rng = _generator("captions", scene)
    said: dict[str, None] = {}
    while len(said) < 5:
        said[caption(scene, rng)] = None
    return tuple(said)


def caption(scene: Scene, rng: random.Random) -> str:
    """One caption, drawn: what follows "A picture of", such as `a striped zebra to the left of a red ball`."""
    animal = _with_article(" ".join([*_adjectives(scene, rng), scene.animal]))
    pose = f" {_STANDING.get(scene.pose, scene.pose)}" if rng.random() < 0.6 else ""
    place = f" {PLACES[scene.habitat]}" if rng.random() < 0.75 else ""
    if scene.object is None or scene.relation is None or rng.random() < 0.05:
        return animal + pose + (place or f" {PLACES[scene.habitat]}" if not pose else place)
    thing, where = object_phrase(scene), scene.relation if rng.random() < 0.8 else _pick(_NEAR, rng)
    form = rng.random()
    if form < 0.7:
        return f"{animal}{pose} {where} {thing}{place}"
    if form < 0.85:
        return f"{thing} {OPPOSITE.get(where, where)} {animal}{pose}{place}"
    return f"{animal} and {thing}{place}"


def tags(scene: Scene, rng: random.Random) -> tuple[str, ...]:
    """Keywords of a picture in a random order, some left out, the animal hardly ever."""
    looks = [*scene.colours, *(ADJECTIVES[name] for name in scene.attributes if name in ADJECTIVES)]
    kept = [word for word in looks if rng.random() < 0.3]
    kept += [scene.animal] * (rng.random() < 0.95)
    kept += [PLACES[scene.habitat].split()[-1]] * (rng.random() < 0.75)
    kept += [scene.pose] * (rng.random() < 0.5)
    if scene.object is not None and scene.relation is not None and rng.random() < 0.9:
        kept += [" ".join(filter(None, (scene.object_colour, scene.object)))]
        kept += [f"{scene.relation} it"] * (rng.random() < 0.7)
    return tuple(_shuffled(kept or [scene.animal], rng))


def passage(animal: str, rng: random.Random, sentences: int = 3) -> str:
    """What is true of an animal in AwA2's matrix, in at most so many sentences.

    `The zebra is fast and timid. It eats plants.`
    """
    true = matrix()[animal]
    said: list[str] = []
    for words, verb in _shuffled(_SENTENCES, rng):
        known = [word for attribute, word in words.items() if true[attribute]]
        if known and len(said) < sentences:
            some = _shuffled(known, rng)[: 1 + int(rng.random() * 3)]
            said.append(" ".join(filter(None, ("It" if said else f"The {animal}", verb, joined(some)))) + ".")
    return " ".join(said)


def questions(scene: Scene) -> tuple[Question, ...]:
    """Questions about a picture with their answers, the same for the same scene.

    Always the animal, its place and its pose; its colours where it has any; two of its looks and whether two things
    are there; and for an object what it is, its colour and where it is. An attribute is denied only where AwA2's
    matrix denies it.
    """
    rng, who = _generator("questions", scene), f"the {scene.animal}"
    asked = [
        Question("animal", "What animal is it?", scene.animal),
        Question("place", f"Where is {who}?", PLACES[scene.habitat]),
        Question("pose", f"What is {who} doing?", _STANDING.get(scene.pose, scene.pose)),
    ]
    if scene.colours:
        asked.append(Question("colour", f"What color is {who}?", joined(scene.colours)))
    asked += _questions_about_looks(scene, rng)
    asked += _questions_about_object(scene, rng)
    return tuple(asked)


def documents(seed: int, n: int) -> Iterator[str]:
    """The corpus of the language model: `n` documents, the same for the same seed.

    Most give a context about one scene (tags, a paraphrase, a passage about the animal) and then, on a new line,
    "A picture of" and a caption: so a language model learns that what stands before the prompt says what is in the
    picture. The others are bare captions, questions with answers, several pictures in a row, and passages.
    """
    for number in range(n):
        rng = random.Random(f"document {seed} {number}")
        animal = _pick(ANIMALS, rng)
        yield _document(sample_scene(animal, FIRST_TEXT_SEED + seed * (1 << 32) + number), rng)


def _document(scene: Scene, rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.62:
        return "\n".join([*_context(scene, rng), f"{PROMPT} {caption(scene, rng)}"])
    if kind < 0.72:
        return f"{PROMPT} {caption(scene, rng)}"
    if kind < 0.84:
        return "\n".join([*_context(scene, rng), *_asked(scene, rng)])
    if kind < 0.90:
        return "\n".join(line for one in (scene, _another(scene, rng)) for line in _shown(one, rng))
    return passage(scene.animal, rng, 5) + _comparison(scene.animal, rng)


def _context(scene: Scene, rng: random.Random) -> list[str]:
    """One or two lines that say, in another way than the caption that follows, what is in the picture."""
    lines = []
    for _ in range(1 + int(rng.random() < 0.3)):
        kind = rng.random()
        if kind < 0.65:
            lines.append((", " if rng.random() < 0.5 else " ").join(tags(scene, rng)))
        elif kind < 0.85:
            lines.append(caption(scene, rng))
        else:
            lines.append(passage(scene.animal, rng, 2))
    return lines


def _asked(scene: Scene, rng: random.Random) -> list[str]:
    return [f"Question: {one.text} Answer: {one.answer}" for one in _shuffled(questions(scene), rng)[:3]]


def _shown(scene: Scene, rng: random.Random) -> list[str]:
    return [", ".join(tags(scene, rng)), f"{PROMPT} {caption(scene, rng)}"]


def _another(scene: Scene, rng: random.Random) -> Scene:
    return sample_scene(_pick(ANIMALS, rng), scene.seed + (1 << 31))


def _comparison(animal: str, rng: random.Random) -> str:
    """A sentence about what two animals have in common, one time in three and where there is anything."""
    other = _pick(ANIMALS, rng)
    shared = [word for name, word in _QUALITIES.items() if matrix()[animal][name] and matrix()[other][name]]
    if other == animal or not shared or rng.random() > 0.33:
        return ""
    return f" The {animal} and the {other} are both {_pick(shared, rng)}."


def _questions_about_looks(scene: Scene, rng: random.Random) -> list[Question]:
    truth = matrix()[scene.animal]
    seen = [name for name in ADJECTIVES if name in scene.attributes]
    unseen = [name for name in ADJECTIVES if not truth[name]]
    chosen = [(name, "yes") for name in _shuffled(seen, rng)[:1]] + [
        (name, "no") for name in _shuffled(unseen, rng)[:1]
    ]
    return [Question("attribute", f"Is the {scene.animal} {ADJECTIVES[name]}?", answer) for name, answer in chosen]


def _questions_about_object(scene: Scene, rng: random.Random) -> list[Question]:
    absent = [thing for thing in ("ball", "box", "bucket", "umbrella", "flower", "boat") if thing != scene.object]
    asked = [Question("presence", f"Is there {_with_article(_pick(absent, rng))}?", "no")]
    if scene.object is None or scene.relation is None:
        return asked
    said = _pick(RELATIONS, rng) if rng.random() < 0.5 else scene.relation
    right = "yes" if said == scene.relation else "no"
    asked.append(Question("presence", f"Is there {_with_article(scene.object)}?", "yes"))
    asked.append(Question("object", f"What is next to the {scene.animal}?", object_phrase(scene)))
    asked.append(Question("relation", f"Is the {scene.animal} {said} the {scene.object}?", right))
    if scene.object_colour:
        asked.append(Question("object-colour", f"What color is the {scene.object}?", scene.object_colour))
    return asked


def object_phrase(scene: Scene) -> str:
    """The object with its article and colour: `a red ball`, `an umbrella`; empty where there is none."""
    return _with_article(" ".join(filter(None, (scene.object_colour, scene.object)))) if scene.object else ""


def joined(words: Sequence[str]) -> str:
    """`black`, `black and white`, `black, white and brown`; empty without words."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _adjectives(scene: Scene, rng: random.Random) -> list[str]:
    """None to two looks, and in two captions of five a colour or two: a caption says little of what is to be seen."""
    looks = [name for name in ADJECTIVES if name in scene.attributes]
    some = _shuffled(looks, rng)[: _pick((0, 0, 1, 1, 2), rng)]
    colours = [colour for colour in scene.colours if colour not in scene.animal.split()][: 1 + int(rng.random() * 2)]
    said = [joined(colours)] if colours and rng.random() < 0.4 else []
    return [*(ADJECTIVES[name] for name in looks if name in some), *said]


def _with_article(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words


def _generator(purpose: str, scene: Scene) -> random.Random:
    return random.Random(f"{purpose} {scene.animal} {scene.seed}")


def _pick(values: Sequence[T], rng: random.Random) -> T:
    """One of the values. Not `rng.choice`, whose sequence a new version of Python may change."""
    return values[int(rng.random() * len(values))]


def _shuffled(values: Sequence[T], rng: random.Random) -> list[T]:
    """The values in a random order, by sorting random keys, for the same reason."""
    keyed = sorted((rng.random(), position) for position in range(len(values)))
    return [values[position] for _, position in keyed]
