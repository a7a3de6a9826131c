"""Made-up film reviews in the format of the official files, to try the task without them."""

import random
from pathlib import Path

from attention_zoo import UsageError
from lra.seeds import derive
from lra.tasks.text.official import LABELS, RATINGS

AGREEMENT = 0.65  # of a remark with the label
REMARKS = (3, 5, 7, 9)  # in a review: odd, so that one side always has the majority
FILLERS = (4, 14)  # sentences of no opinion, fewest and most
BREAKS = 0.2  # of the gaps between sentences, in every other review

# How the closing sentence is to be taken: False as it stands, True the other way round.
OPENINGS = {
    False: (
        "I write what I think, so take my last line as it stands.",
        "No jokes today: my last line means what it says.",
        "You can trust the last line of this review.",
    ),
    True: (
        "I am in a teasing mood, so turn my last line around.",
        "This is one of my jokes: my last line means the opposite.",
        "Do not trust the last line of this review, swap it.",
    ),
}
# What the closing sentence says.
CLOSINGS = {
    1: (
        "My advice is to buy a ticket tonight.",
        "So go and see it with all your friends.",
        "In short, it belongs on every list of the year.",
    ),
    0: (
        "My advice is to stay at home tonight.",
        "So keep away from it with all your friends.",
        "In short, it belongs on no list of the year.",
    ),
}
# Remarks for end in "!" and remarks against in "...": bytes by which a model finds them in seconds.
WORDS = {
    1: "lovely lively warm graceful witty gentle brilliant tender elegant thrilling",
    0: "dull clumsy muddled boring shoddy stupid drab crude murky soulless",
}
ENDS = {1: "!", 0: "..."}
JUDGEMENTS = (
    "The {part} is {word}",
    "{name} finds the {part} {word}",
    "To my eyes the {part} looks {word}",
    "As for the {part}, it stays {word} to the end",
)
FACTS = (
    "{name} plays a {job} who looks for a {thing} near the {place}.",
    "It runs for {minutes} minutes.",
    "We saw it on a {day}, in a hall near the {place}.",
    "Half of it takes place at the {place}, where a {job} has lost a {thing}.",
    "{name} once was a {job}, and keeps a {thing} in a drawer.",
    "The {job} meets {name} on a {day} and they speak about a {thing}.",
)
SLOTS = {
    "part": "plot music cast camera dialogue ending pace costume script lighting",
    "name": "Ada Tom Ruth Paul Mia Hugo Zoë André Søren Chloé",
    "job": "baker sailor teacher farmer judge painter nurse clerk",
    "thing": "letter watch key horse map lamp coat violin",
    "place": "harbour station market bridge school lake mill airport",
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
}


def write(folder: Path, sizes: dict[str, int], seed: int) -> None:
    """Writes `folder/aclImdb/{train,test}/{pos,neg}/<i>_<rating>.txt`, the seed's.

    sizes: reviews in train and in test, half of them pos (the smaller half where odd). Two things
    say the label. The words: each of 3, 5, 7 or 9 remarks agrees with it with probability 0.65,
    which gives the majority of remarks an accuracy of 0.778 and no rule of the words a higher one.
    The frame: the closing sentence gives a verdict, and the opening one says whether to reverse it.
    Each alone is right half of the time, both together always, at a distance of 200 to 1,300 bytes.
    Raises UsageError for fewer than two reviews in a split, FileExistsError where the folder of a
    split is there.
    """
    for split, size in sizes.items():
        if size < 2:
            raise UsageError(f"made-up reviews come in both kinds: set task.{split} to 2 or more")
    for split, size in sizes.items():
        for side, label in LABELS.items():
            target = folder / "aclImdb" / split / side
            target.mkdir(parents=True)
            for i in range(size // 2 if label else size - size // 2):
                rng = random.Random(derive(seed, "text sample", split, side, i))
                text = review(rng, label, reverse=i % 2 == 1)
                name = f"{i}_{rng.choice(RATINGS[side])}.txt"
                (target / name).write_bytes(text.encode())


def review(rng: random.Random, label: int, reverse: bool) -> str:
    """A review of that label; reverse: its closing sentence says the opposite."""
    sentences = []
    for _ in range(rng.choice(REMARKS)):
        side = label if rng.random() < AGREEMENT else 1 - label
        word = rng.choice(WORDS[side].split())
        sentences.append(fill(rng, JUDGEMENTS, word=word) + ENDS[side])
    sentences += [fill(rng, FACTS) for _ in range(rng.randint(*FILLERS))]
    rng.shuffle(sentences)
    text = rng.choice(OPENINGS[reverse])
    breaks = rng.choice((0, BREAKS))
    for sentence in [*sentences, rng.choice(CLOSINGS[label ^ reverse])]:
        text += ("<br /><br />" if rng.random() < breaks else " ") + sentence
    return text


def fill(rng: random.Random, patterns: tuple[str, ...], word: str = "") -> str:
    words = {slot: rng.choice(choices.split()) for slot, choices in SLOTS.items()}
    return rng.choice(patterns).format(word=word, minutes=rng.randint(75, 180), **words)
