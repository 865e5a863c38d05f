"""What each task is called, where it runs and what it takes: checked before anything is queued."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.core import masking
from backend.core.errors import Invalid, NotFound

QUEUES = ("ai_evaluation", "data_collection", "maintenance", "monitoring", "orders", "research")
DEFAULT_QUEUE = "maintenance"
MAX_TEXT = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One argument of a task.

    Attributes:
        kind: str, int, float or bool.
        default: Its value when it is not given; None leaves it out, `REQUIRED` where it must be given.
        minimum: Smallest integer, or None.
        maximum: Largest integer, or None.
    """

    kind: type
    default: Any
    minimum: int | None = None
    maximum: int | None = None

    def check(self, name: str, value: Any) -> Any:
        """The value, or `Invalid` ``bad_argument`` saying what is allowed."""
        kinds = (int, float) if self.kind is float else self.kind
        good = isinstance(value, kinds) and isinstance(value, bool) == (self.kind is bool)
        if good and self.kind is float:
            good = math.isfinite(value)
        if good and self.kind is int:
            good = (self.minimum is None or value >= self.minimum) and (
                self.maximum is None or value <= self.maximum
            )
        if good and self.kind is str:
            good = 0 < len(value) <= MAX_TEXT and value.isprintable()
        if not good:
            raise Invalid(
                "bad_argument",
                f"{name} is {value!r}; it must be {self.allowed()}",
                argument=name,
                allowed=self.allowed(),
            )
        return value

    def allowed(self) -> str:
        """What may be given, in words."""
        if self.kind is bool:
            return "true or false"
        if self.kind is float:
            return "a number"
        if self.kind is int:
            if self.minimum is not None and self.maximum is not None:
                return f"an integer from {self.minimum} to {self.maximum}"
            return "an integer"
        return f"a text of 1 to {MAX_TEXT} printable characters"


REQUIRED: Any = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How often and how late a job that met `Unavailable` is tried again.

    Attributes:
        tries: Runs in all, the first one counted.
        first_delay: Seconds before the second run; doubled for each further one.
        longest_delay: No delay exceeds this, in seconds.
    """

    tries: int = 3
    first_delay: float = 5.0
    longest_delay: float = 300.0

    def delay(self, runs: int) -> float | None:
        """Seconds to wait after that many failed runs; None when there is no further one."""
        if runs >= self.tries:
            return None
        return min(self.first_delay * 2.0 ** (runs - 1), self.longest_delay)


NO_RETRY = RetryPolicy(tries=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSpec:
    """One task of the desk.

    Attributes:
        name: Full name, as Celery knows it.
        queue: Where it runs unless a schedule says otherwise.
        summary: What it does, one line.
        parameters: What it takes, by name.
        deadline: Seconds of run time after which its next step stops it.
        retry: Its policy.
        once: Whether it acts where nobody can take it back: acknowledged before it runs and begun at
            most once. A run that does not come to its end is a failed job, never a second run; what it
            left half done is for the code that looks at the outside world again.
    """

    name: str
    queue: str
    summary: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    deadline: float = 300.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    once: bool = False

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All arguments with defaults filled in.

        Raises:
            Invalid: ``unknown_argument``, ``missing_argument``, ``bad_argument``, or ``secret_argument``:
                what everybody may read of a task would tell a secret of this desk.
        """
        if masking.hide_in(given) != given:
            raise Invalid(
                "secret_argument",
                f"a secret of this desk stands in the arguments of {self.name}, which everybody may read; "
                "nothing was queued. Secrets are given with `mt5ui secret set` and `mt5ui calendar key`",
            )
        for name in given:
            if name not in self.parameters:
                raise Invalid(
                    "unknown_argument",
                    f"{self.name} takes no {name!r}; it takes {', '.join(self.parameters) or 'nothing'}",
                    argument=str(name),
                    allowed=[*self.parameters],
                )
        values = {}
        for name, parameter in self.parameters.items():
            if name in given:
                values[name] = parameter.check(name, given[name])
            elif parameter.default is REQUIRED:
                raise Invalid(
                    "missing_argument",
                    f"{self.name} needs {name}: {parameter.allowed()}",
                    argument=name,
                    allowed=parameter.allowed(),
                )
            elif parameter.default is not None:
                values[name] = parameter.default
        return values


class Catalogue:
    """The tasks that this process knows, by full name."""

    def __init__(self) -> None:
        self._specs: dict[str, TaskSpec] = {}

    def add(self, spec: TaskSpec) -> None:
        """Make a task known; one of the same name is replaced, as when its module is loaded again."""
        if spec.queue not in QUEUES:
            raise Invalid(
                "unknown_queue", f"{spec.name}: {spec.queue} is no queue; one of {', '.join(QUEUES)}"
            )
        self._specs[spec.name] = spec

    def get(self, name: str) -> TaskSpec:
        """The task of that full name, or of that last part when only one has it; else `NotFound`."""
        if name in self._specs:
            return self._specs[name]
        short = [spec for full, spec in self._specs.items() if full.rpartition(".")[2] == name]
        if len(short) == 1:
            return short[0]
        raise NotFound("unknown_task", f"there is no task {name}", task=name, known=sorted(self._specs))

    def find(self, name: str) -> TaskSpec | None:
        """The task of that full name, or None."""
        return self._specs.get(name)

    def __iter__(self) -> Iterator[TaskSpec]:
        return iter(sorted(self._specs.values(), key=lambda spec: spec.name))


CATALOGUE = Catalogue()
