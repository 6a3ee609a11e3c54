"""When training ends."""

from dataclasses import asdict, dataclass
from enum import IntEnum
from math import gcd

from simbias._checks import fail, real, whole
from simbias._types import Settings

# A mean training loss above this many times that of a constant guess, log(classes) of
# cross-entropy, is beyond every useful range: with two classes, the geometric mean of the
# likelihoods of true labels is then 1e-30.
MOST_GUESSES = 100
FINE, COARSE = 200, 1000  # updates between checks: ``FINE`` up to update ``COARSE``


class End(IntEnum):
    """Why a network's training ended, as an integer of the compiled program.

    ``LOST`` is assigned afterwards, to a network that ended without reaching a goal at a training
    loss over a hundred times that of a constant guess; only the last check counts, so a loss that
    comes down again does not matter.
    """

    RUNNING = 0
    ACCURACY = 1
    LOSS = 2
    BUDGET = 3
    PATIENCE = 4
    DIVERGED = 5
    SELECT = 6
    LOST = 7


@dataclass(frozen=True)
class Stop:
    """A stop rule, evaluated at checks, which lie at the same updates whatever the budget.

    Reaching ``train_accuracy``, ``train_loss`` or ``select_accuracy`` is convergence. With none of
    them set, training is done after ``max_updates``; with one set, a network that spends them is
    not converged. A network has diverged as soon as its training loss is not finite, or where it
    ends, without having reached a goal, at a loss over a hundred times that of a constant guess,
    100 log(classes) of cross-entropy.

    Args:
        train_accuracy: converged at this accuracy on the whole training set or above, in (0, 1];
            None: no such rule.
        train_loss: converged at this mean loss (nats of cross-entropy) or below, >= 0; None: no
            such rule.
        select_accuracy: converged at this accuracy on fresh select draws (never those that
            certify) or above, in (0, 1]; None: no such rule.
        max_updates: the budget.
        patience: give up (not converged) after this many checks without a lower training loss;
            None: never.
        check_every: updates between checks; None: every 200 to 1000, every 1000 from there on. The
            last check is at max_updates.

    Raises:
        ValueError: an argument outside its range.

    Examples:
        >>> import simbias
        >>> stop = simbias.Stop(train_accuracy=0.995, max_updates=2000)
        >>> stop.has_goal, stop.spacing
        (True, (200, 1000))
        >>> [updates for updates in range(1, 2001) if stop.checked_at(updates)]
        [200, 400, 600, 800, 1000, 2000]
    """

    train_accuracy: float | None = None
    train_loss: float | None = None
    max_updates: int = 40_000
    patience: int | None = None
    check_every: int | None = None
    select_accuracy: float | None = None

    def __post_init__(self) -> None:
        # equal rules must have equal settings, down to the type, because keys are made from them
        for name in ("train_accuracy", "select_accuracy"):
            if getattr(self, name) is not None:
                accuracy = real(name, getattr(self, name), 0, 1, open_low=True)
                object.__setattr__(self, name, accuracy)
        if self.train_loss is not None:
            object.__setattr__(self, "train_loss", real("train_loss", self.train_loss, 0))
        for name in ("max_updates", "patience", "check_every"):
            value = getattr(self, name)
            if value is not None or name == "max_updates":
                object.__setattr__(self, name, whole(name, value))
        if self.check_every is not None and self.check_every > self.max_updates:
            allowed = f"an integer in [1, max_updates = {self.max_updates}], or None"
            raise fail("check_every", self.check_every, allowed)

    @property
    def spacing(self) -> tuple[int, int]:
        """Updates between checks up to update ``COARSE``, and after it."""
        return (FINE, COARSE) if self.check_every is None else (self.check_every,) * 2

    @property
    def stride(self) -> int:
        """The greatest common divisor of the updates at which there are checks."""
        return gcd(*self.spacing, self.max_updates)

    def checked_at(self, updates: int) -> bool:
        """Whether there is a check after this many updates."""
        every = self.spacing[updates > COARSE]
        return 0 < updates <= self.max_updates and (
            updates == self.max_updates or updates % every == 0
        )

    @property
    def checks(self) -> list[int]:
        """The updates at which there are checks."""
        return [update for update in range(1, self.max_updates + 1) if self.checked_at(update)]

    @property
    def settings(self) -> Settings:
        """Its values as plain data."""
        return asdict(self)

    @property
    def has_goal(self) -> bool:
        """Whether something counts as convergence."""
        goals = (self.train_accuracy, self.train_loss, self.select_accuracy)
        return any(goal is not None for goal in goals)

    def ended(self, end: End, loss: float, guess: float) -> End:
        """Why a network ended, in view of its last training loss and that of a constant guess."""
        spent = end in (End.BUDGET, End.PATIENCE)
        return End.LOST if spent and loss > MOST_GUESSES * guess else end

    def outcome(self, end: End, updates: int) -> tuple[str, str]:
        """The status of a network that ended in this way, and the reason in words."""
        match end:
            case End.ACCURACY:
                return "done", f"train accuracy >= {self.train_accuracy:g}"
            case End.LOSS:
                return "done", f"train loss <= {self.train_loss:g}"
            case End.SELECT:
                return "done", f"accuracy on select draws >= {self.select_accuracy:g}"
            case End.BUDGET if not self.has_goal:
                return "done", f"trained for {updates} updates"
            case End.BUDGET:
                return "not-converged", f"budget of {self.max_updates} updates spent"
            case End.PATIENCE:
                return "not-converged", f"no lower train loss in {self.patience} checks"
            case End.DIVERGED:
                return "diverged", f"train loss not finite at update {updates}"
            case End.LOST:
                return (
                    "diverged",
                    f"train loss over {MOST_GUESSES} times that of a guess at update {updates}",
                )
            case _:
                return "interrupted", f"stopped after {updates} updates"
