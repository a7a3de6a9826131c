"""Our training step beside plain reimplementations of how others compute it, on real batches:
`python -m benchmarks.peers`."""

from attention_zoo.errors import unknown
from benchmarks.peers.model import PEERS, build_peer
from benchmarks.peers.steps import beside, command, guarded, parser_of, report, setting, theirs
from lra.tasks import get_task

# What a peer's attention is here, and by which factor ours is to be faster.
OURS = {"softmax": "sdpa", "hf": "sdpa", "hf-sdpa": "sdpa"}
GOALS = {"linear": 1.8, "performer": 2, "nystrom": 2, "linformer": 2, "softmax": 2}


def rows(names, batches, protocol, options):
    """Every peer by those names beside ours."""
    classes = get_task("listops").metadata.classes
    for name in names:
        peer = theirs(build_peer(name, protocol.model, classes), protocol, options.device)
        attention, least = OURS.get(name, name), GOALS.get(name)
        yield beside(f"{name}, others' way", attention, peer, batches, protocol, options, least)


def main():
    options = parser_of(__doc__).parse_args()
    names = options.attn or list(PEERS)
    for name in names:
        if name not in PEERS:
            raise unknown("peer", name, PEERS)
    protocol, batches = setting(options)
    report(rows(names, batches, protocol, options), options, batches, command("benchmarks.peers"))


if __name__ == "__main__":
    guarded(main)
