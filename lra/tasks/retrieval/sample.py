"""Made-up papers in pairs, in the format of the official files, to try the task without them."""

import random
from itertools import combinations
from pathlib import Path

from lra.seeds import derive
from lra.tasks.retrieval.official import FILES

# Words of each topic, then terms that only its papers use. Terms are rich in a letter of the
# topic's own, so that the frequencies of bytes already tell topics apart.
TOPICS = (
    ("rain cloud storm frost", "zuzarel mazzote ozzilum"),
    ("harbour anchor sail tide", "quoquin aqquel squiqua"),
    ("flour oven crust yeast", "xaxorin oxxel tixxam"),
    ("railway signal tunnel track", "jujal ajjorin bijjen"),
    ("clock spring dial pendulum", "kekkor akkalim tokkuk"),
    ("violin string bow melody", "vuvvel avvorin tivvov"),
)
TERMS = (2, 3)  # of each of its topics in a paper: any two papers of a topic share one
SENTENCES = (6, 15)  # on the topics of a paper
FEWEST = 30  # papers: every pair of topics has two
ON_TOPIC = (
    "We treat {term} as a kind of {word}, and {other} as its rule.",
    "Our {term} with {other} is better than the {word} of earlier work.",
    "Table {number} shows {term} and {other} beside {word} for {number} cases.",
    "One more {word} does not change {term} or {other}.",
    "Why {term} needs a {word} and {other} is an open question.",
    "In section {number} we say how {term} was built from {other} and a {word}.",
)
ASIDES = (
    "The reader's patience is assumed.",
    'This is what others call a "closed" case.',
    "We thank three reviewers for their notes.",
    "All numbers are means of {number} runs.",
    "Earlier studies did not look into this.",
)
AUTHORS = ("A. Moreau", "B. Lindqvist", "C. Núñez", "D. Öztürk", "E. Costa", "F. O'Dea")


def write(folder: Path, sizes: dict[str, int], seed: int) -> None:
    """Writes `folder/lra_release/lra_release/tsv_data/new_aan_pairs.{train,eval,test}.tsv`.

    sizes: pairs in train, val and test, half of them linked (the larger half where odd). A paper
    has two of six topics. Linked papers share a topic, and with it a term at least; the others
    share no topic and no term. Pairs come in fours, A1–B1 and A2–B2 linked, A1–B2 and A2–B1 not:
    each document stands in a linked pair as often as in another, so neither says anything alone.
    There is a paper for two pairs, and splits share papers but no pair. Deterministic in the
    arguments. Raises FileExistsError where the folder is there.
    """
    target = folder / "lra_release/lra_release/tsv_data"
    target.mkdir(parents=True)
    count = max(FEWEST, sum(sizes.values()) // 2)
    topics = list(combinations(range(len(TOPICS)), 2))
    papers = [topics[i % len(topics)] for i in range(count)]
    texts = [
        repr(paper(random.Random(derive(seed, "retrieval sample", i)), papers[i]).encode())
        for i in range(count)
    ]
    rng = random.Random(derive(seed, "retrieval sample", "pairs"))
    names = [
        f"{'CDEHJNPW'[i % 8]}{i // 8 % 20:02}-{i // 160 + 1001}"
        for i in rng.sample(range(160 * 8_999), count)
    ]
    used: set[frozenset[int]] = set()
    for split, size in sizes.items():
        rows = []
        while len(rows) < size:
            rows += four(rng, papers, used)
        rows = rows[:size]
        rng.shuffle(rows)
        with open(target / f"new_aan_pairs.{FILES[split]}.tsv", "xb") as file:
            for i, j, label in rows:
                row = (f"{label:.1f}", names[i], names[j], texts[i], texts[j])
                file.write("\t".join(row).encode("ascii") + b"\n")


def four(
    rng: random.Random, papers: list[tuple[int, int]], used: set[frozenset[int]]
) -> list[tuple[int, int, int]]:
    """Four pairs of four papers that are not used yet, as (number, number, label)."""
    while True:
        a1, a2, b1, b2 = rng.sample(range(len(papers)), 4)
        pairs = [(a1, b1, 1), (a1, b2, 0), (a2, b2, 1), (a2, b1, 0)]
        linked = [not set(papers[i]).isdisjoint(papers[j]) for i, j, _ in pairs]
        keys = {frozenset(pair[:2]) for pair in pairs}
        if linked == [True, False, True, False] and used.isdisjoint(keys):
            used |= keys
            return pairs


def paper(rng: random.Random, topics: tuple[int, int]) -> str:
    """The text of a paper; every term that it has is spread over the whole of it."""
    chosen = []  # term, words of its topic
    for topic in topics:
        words, terms = (part.split() for part in TOPICS[topic])
        chosen += [(term, words) for term in rng.sample(terms, rng.choice(TERMS))]
    sentences = []
    for i in range(rng.randint(*SENTENCES)):
        if i % len(chosen) == 0:
            rng.shuffle(chosen)
        term, words = chosen[i % len(chosen)]
        other, _ = rng.choice(chosen)
        sentences.append(fill(rng, ON_TOPIC, term=term, other=other, word=rng.choice(words)))
        if rng.random() < 0.25:
            sentences.append(fill(rng, ASIDES))
    title = "On " + " and ".join(term.capitalize() for term, _ in rng.sample(chosen, 2))
    authors = " and ".join(rng.sample(AUTHORS, 2))
    return "\n".join([title, authors, "Abstract", *sentences])


def fill(rng: random.Random, patterns: tuple[str, ...], **words: str) -> str:
    return rng.choice(patterns).format(number=rng.randint(2, 9), **words)
