"""Schedules of learning rates, the C++ ones.

    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=1000)
    optimizer.step(loss)
    schedule.step()
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tg import _tg


class _Kept:
    """What schedules have beside the C++ ones: copies and pickles, which go on alike with the optimizer copied with them."""

    optimizer: Any
    state_dict: Callable[[], dict[str, Any]]
    _given: tuple[Any, ...]  # the arguments and keywords that it was made with, and the rates at that time

    def _remember(self, optimizer: Any, *given: Any) -> None:
        self.optimizer, self._given = optimizer, (*given, [group["lr"] for group in optimizer.param_groups])

    def __reduce__(self) -> Any:
        return _again, (type(self), self.optimizer, *self._given, self.state_dict())

    def get_last_lr(self) -> list[float]:
        """The rates of the groups."""
        return [group["lr"] for group in self.optimizer.param_groups]


class _Steps(_Kept):
    """What is known by the number of steps."""

    steps: Any

    @property
    def last_epoch(self) -> int:
        """Steps taken."""
        return int(self.steps)

    def state_dict(self) -> dict[str, Any]:
        """What changes: the number of steps; the rates are the optimizer's."""
        return {"last_epoch": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from what state_dict() gave."""
        self.steps = state["last_epoch"]


def _again(cls: Any, optimizer: Any, arguments: Sequence[Any], keywords: Mapping[str, Any], first: Sequence[float],
           state: Mapping[str, Any]) -> Any:
    """The schedule made of an optimizer with its first rates; the optimizer keeps the rates it has."""
    now = [group["lr"] for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, first):
        group["lr"] = rate
    schedule = cls(optimizer, *arguments, **keywords)
    schedule.load_state_dict(state)
    for group, rate in zip(optimizer.param_groups, now):
        group["lr"] = rate
    return schedule


class _Schedule(_Steps, _tg._LrSchedule):
    """A rule of rates, given to an optimizer: _rule makes it of the arguments."""

    _rule: Callable[..., Any]

    def __init__(self, optimizer: Any, *arguments: Any, **keywords: Any):
        self._remember(optimizer, arguments, keywords)
        self.rule = type(self)._rule(*arguments, **keywords)
        super().__init__(optimizer, self.rule)


class StepLR(_Schedule):
    """Times gamma every step_size steps."""

    _rule = staticmethod(_tg._step_lr)


class MultiStepLR(_Schedule):
    """Times gamma at each milestone."""

    _rule = staticmethod(_tg._multistep_lr)


class LambdaLR(_Schedule):
    """Times lr_lambda(step)."""

    _rule = staticmethod(_tg._lambda_lr)


class ExponentialLR(_Schedule):
    """Times gamma every step."""

    _rule = staticmethod(_tg._exponential_lr)


class LinearLR(_Schedule):
    """From start_factor to end_factor times the rate in total_iters steps: a warmup."""

    _rule = staticmethod(_tg._linear_lr)


class CosineAnnealingLR(_Schedule):
    """Half a cosine down to eta_min in T_max steps."""

    _rule = staticmethod(_tg._cosine_lr)


class ConstantLR(_Schedule):
    """Times factor for the first total_iters steps."""

    _rule = staticmethod(_tg._constant_lr)


class PolynomialLR(_Schedule):
    """Times (1 - step / total_iters)^power, down to 0."""

    _rule = staticmethod(_tg._polynomial_lr)


class CosineAnnealingWarmRestarts(_Schedule):
    """Half a cosine down to eta_min, from the first rate again after T_0 steps, then each time after T_mult as many."""

    _rule = staticmethod(_tg._cosine_restarts_lr)


def _momentum_stays(cycle_momentum: bool) -> None:
    if cycle_momentum:
        raise _tg.ValueError("cycle_momentum=True: only rates are scheduled; leave it out")


class CyclicLR(_Schedule):
    """From base_lr to max_lr and back on lines, again and again; momentum stays as it is."""

    @staticmethod
    def _rule(*arguments: Any, cycle_momentum: bool = False, **keywords: Any) -> Any:
        _momentum_stays(cycle_momentum)
        return _tg._cyclic_lr(*arguments, **keywords)


class OneCycleLR(_Schedule):
    """Up to max_lr and down again in total_steps steps, or in epochs of steps_per_epoch; momentum stays as it is."""

    @staticmethod
    def _rule(*arguments: Any, cycle_momentum: bool = False, **keywords: Any) -> Any:
        _momentum_stays(cycle_momentum)
        return _tg._one_cycle_lr(*arguments, **keywords)


class SequentialLR(_Steps, _tg._LrSchedule):
    """One schedule after another, changing at the milestones."""

    def __init__(self, optimizer: Any, schedulers: Sequence[_Schedule], milestones: Sequence[int]):
        self._remember(optimizer, (schedulers, milestones), {})
        super().__init__(optimizer, _tg._sequential_lr([s.rule for s in schedulers], list(milestones)))


class ReduceLROnPlateau(_Kept, _tg._ReduceLROnPlateau):
    __doc__ = _tg._ReduceLROnPlateau.__doc__

    def __init__(self, optimizer: Any, *arguments: Any, **keywords: Any):
        self._remember(optimizer, arguments, keywords)
        super().__init__(optimizer, *arguments, **keywords)

    def state_dict(self) -> dict[str, Any]:
        """What changes: the best metric, and how long it has been so; the rates are the optimizer's."""
        return dict(zip(("best", "num_bad_epochs", "cooldown_counter"), self._progress))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from what state_dict() gave."""
        self._progress = (state["best"], state["num_bad_epochs"], state["cooldown_counter"])
