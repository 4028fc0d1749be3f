"""The social graph that the main job runs on: a real one where it is at hand, else a generated one.

Real: socfb-Reed98 (962 people, 18,812 friendships), from Network Repository,
http://networkrepository.com (Ryan A. Rossi and Nesreen K. Ahmed, AAAI 2015).
"""

import random
from pathlib import Path

REAL = Path(__file__).parents[3] / "shared" / "data" / "socfb-Reed98.edges"
PEOPLE, FRIENDS_EACH, SEED = 300, 12, 98


def edge_file(folder: Path) -> Path:
    """A file with an undirected edge a line."""
    if REAL.exists():
        return REAL
    file = folder / "generated.edges"
    file.write_text("# generated\n" + "".join(f"{a} {b}\n" for a, b in sorted(_generated())))
    return file


def _generated() -> set[tuple[int, int]]:
    """Preferential attachment: a few people have very many friends, as in real graphs."""
    dice = random.Random(SEED)
    ends = list(range(FRIENDS_EACH))
    edges: set[tuple[int, int]] = set()
    for person in range(FRIENDS_EACH, PEOPLE):
        for friend in {dice.choice(ends) for _ in range(FRIENDS_EACH)}:
            edges.add((friend, person))
            ends += [friend, person]
    return edges
