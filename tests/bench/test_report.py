"""The arithmetic of the bench, and what its tables say; measuring itself needs `make bench`."""

import pytest
from rich.progress import Progress

from .asked import verdicts
from .figures import Curve, Figure, Latency, Plan, Results
from .report import document, markdown
from .stats import paired_ratio, quantile, spread
from .world import QUICK, Scale


async def unmeasured(_seconds: float) -> float:
    raise AssertionError("not measured here")


def figure(name: str, rounds: list[float], *limits: str) -> Figure:
    return Figure(name, f"the {name}", "calls/s", unmeasured, limits, rounds=rounds)


def test_spread_is_half_the_range_of_the_median() -> None:
    assert spread([80, 100, 140]) == pytest.approx(0.3)
    assert spread([7]) == 0
    assert spread([0, 0]) == 0


def test_quantiles_are_values_that_were_measured() -> None:
    values = [float(n) for n in range(1000, 0, -1)]
    assert [quantile(values, part) for part in (0.5, 0.99, 0.999, 1.0)] == [500, 990, 999, 1000]
    assert quantile([3.0], 0.999) == 3
    assert quantile([1.0, 2.0], 0.99) == 2


def test_a_ratio_is_taken_round_by_round() -> None:
    """A machine that slows down for both leaves the ratio alone; medians would pair 20 with 30."""
    assert paired_ratio([10, 20, 60], [30, 40, 20]) == pytest.approx(0.5)
    assert pytest.approx(0.5) != 20 / 30


def test_ratio_to_a_figure_of_other_rounds_is_that_of_medians() -> None:
    found = Results(figures=[figure("a", [10, 20, 30]), figure("b", [40])])
    assert found.ratio("a", "b") == pytest.approx(0.5)
    assert found.ratio("a", "c") is None


def test_latency_gives_medians_of_each_rounds_quantiles() -> None:
    found = Latency("latency-home", "home", 100.0)
    for worst in (10.0, 30.0, 20.0):
        found.add([1.0] * 98 + [worst] * 2, late_p99=0.5)
    assert (found.median("p50"), found.median("p99"), found.median("samples")) == (1, 20, 100)


@pytest.mark.parametrize(("ours", "met"), [([20.0, 21.0], True), ([19.0, 19.5], False)])
def test_what_was_asked_is_judged(ours: list[float], met: bool) -> None:
    results = Results(figures=[figure("home-rest", ours), figure("baseline-home", [10.0, 10.0])])
    (verdict,) = [each for each in verdicts(results) if "50 followees" in each.text]
    assert verdict.met is met
    assert verdict.bound == "at least 2"


@pytest.mark.parametrize(("p99", "met"), [(5.0, True), (6.0, False)])
def test_upper_bounds_are_judged(p99: float, met: bool) -> None:
    home, baseline = Latency("latency-home", "h", 1.0), Latency("latency-baseline", "b", 1.0)
    home.add([p99])
    baseline.add([10.0])
    assert [v.met for v in verdicts(Results(latencies=[home, baseline]))] == [met]


def test_nothing_is_judged_that_was_not_measured() -> None:
    assert list(verdicts(Results(figures=[figure("home-rest", [5.0])]))) == []


def test_the_table_shows_each_limit_and_ratio() -> None:
    results = Results(
        figures=[figure("a", [50.0, 50.0], "b", "c"), figure("b", [200.0, 200.0]),
                 figure("c", [25.0, 25.0])],
        curves=[Curve("x", "cost", "followers", "ms", {1000: [2.0, 4.0], 10: [1.0]})],
    )  # fmt: skip
    text = markdown(results, {"cpu": "two cores"})
    assert "| the a | 50 calls/s | 0% | the b, 200 | 0.25 |" in text
    assert "|  |  |  | the c, 25 | 2 |" in text
    assert text.index("| 10 | 1 |") < text.index("| 1,000 | 3 | 33% |")


def test_the_document_holds_rounds_and_ratios() -> None:
    results = Results(figures=[figure("a", [1.0, 3.0], "b"), figure("b", [2.0, 2.0])])
    (a, _) = document(results, {}, {})["figures"]
    assert a["rounds"] == [1.0, 3.0]
    assert a["ratios"] == {"b": 1.0}


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ((), ["a", "b", "c"]),
        (("reads",), ["a", "b", "c"]),
        (("a",), ["a", "b"]),
        (("c",), ["c"]),
        (("posts",), []),
    ],
)
def test_what_is_chosen_comes_with_its_limits(only: tuple[str, ...], names: list[str]) -> None:
    figures = [figure("a", [], "b"), figure("b", []), figure("c", [])]
    plan = Plan(1.0, 1, False, frozenset(only), Progress(disable=True))
    assert [each.name for each in plan.chosen("reads", figures)] == names


async def test_figures_take_turns_after_a_warm_up() -> None:
    calls: list[str] = []

    def counting(name: str) -> Figure:
        async def measure(_seconds: float) -> float:
            calls.append(name)
            return float(len(calls))

        async def settle() -> None:
            calls.append(f"{name} settled")

        return Figure(name, name, "calls/s", measure, (), settle)

    a, b = counting("a"), counting("b")
    await Plan(1.0, 2, False, frozenset(), Progress(disable=True)).take_turns("stage", [a, b])
    assert calls == ["a", "a settled", "b", "b settled"] * 3
    assert (len(a.rounds), len(b.rounds)) == (2, 2)


@pytest.mark.parametrize("scale", [Scale(), QUICK])
def test_a_world_has_enough_people_to_follow(scale: Scale) -> None:
    assert max(scale.groups) < scale.people
    assert scale.active <= scale.people
    assert min(scale.followers) == 10
