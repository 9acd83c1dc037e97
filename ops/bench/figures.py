"""Measured times and how they are told."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One measured quantity; times in microseconds, rates per second."""

    name: str
    unit: str
    p50: float
    p99: float
    count: int
    budget: str = ""
    ratios: dict[str, float] = field(default_factory=dict)

    def line(self) -> str:
        """Write it for a person."""
        ratios = "  ".join(f"{value:.2f} × {name}" for name, value in self.ratios.items())
        spread = (
            f"p50 {self.p50:>10,.1f}  p99 {self.p99:>10,.1f}" if self.p99 else f"    {self.p50:>10,.0f}" + " " * 17
        )
        return f"{self.name:<42} {spread} {self.unit:<4} n={self.count:<7} {ratios:<32} {self.budget}".rstrip()


def figure(name: str, times_us: list[float], budget: str = "", **ratios: float) -> Figure:
    """Make a figure of single times."""
    ordered = sorted(times_us)
    last = len(ordered) - 1
    return Figure(name, "µs", ordered[last // 2], ordered[last * 99 // 100], len(ordered), budget, ratios)
