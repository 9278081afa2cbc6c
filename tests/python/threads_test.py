"""Long computations: other threads run meanwhile, several compute at once, and signals are heard."""
import copy
import pickle
import signal
import threading
import time

import numpy as np
import pytest

import tg
from tg import Tensor


def heavy():
    """Some hundredths of a second of computing."""
    x = tg.rand(600, 600)
    return (x @ x @ x).sum()


def step(loss):
    w = tg.ones(2, requires_grad=True)
    optimizer = tg.optim.SGD([w], lr=0.1)
    (w * loss).sum().backward()
    optimizer.step(loss)


WAITING = {
    "realize": lambda: heavy().realize(), "tg.realize": lambda: tg.realize(heavy()), "item": lambda: heavy().item(),
    "float": lambda: float(heavy()), "int": lambda: int(heavy()), "bool": lambda: bool(heavy()), "str": lambda: str(heavy()),
    "repr": lambda: repr(heavy()), "tolist": lambda: heavy().tolist(), "numpy": lambda: heavy().numpy(),
    "asarray": lambda: np.asarray(heavy()), "memoryview": lambda: memoryview(heavy()), "dlpack": lambda: np.from_dlpack(heavy()),
    "data_ptr": lambda: heavy().data_ptr(), "pickle": lambda: pickle.dumps(heavy()), "deepcopy": lambda: copy.deepcopy(heavy()).item(),
    "a mask": lambda: tg.ones(1)[heavy().reshape(1) > 0], "nonzero": lambda: tg.nonzero(heavy().reshape(1)),
    "index": lambda: [1, 2][(heavy() < 0).int()], "an element": lambda: Tensor([heavy()]),
    "a step": lambda: step(heavy()),
}


def ticks(compute):
    """How often another thread came to run while it computed: once or twice where it holds Python's lock."""
    stop, started, count = threading.Event(), threading.Event(), 0

    def ticking():
        nonlocal count
        while not stop.is_set():
            time.sleep(0)
            count += 1
            started.set()
    thread = threading.Thread(target=ticking)
    thread.start()
    started.wait()
    before = count
    compute()
    during = count - before
    stop.set()
    thread.join()
    return during


@pytest.mark.parametrize("compute", WAITING.values(), ids=WAITING)
def test_other_threads_run_while_one_computes(compute):
    heavy().realize()  # compiled
    assert any(ticks(compute) > 8 for _ in range(5))


def test_threads_compute_at_once():
    results = {}

    def work(i):
        results[i] = [float(((tg.ones(10) * i + k).sum())) for k in range(20)]
    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert results == {i: [10.0 * (i + k) for k in range(20)] for i in range(8)}


def test_signals_end_long_computations():
    """Between two kernels, and all values are as they were."""
    class Enough(Exception):
        pass

    def enough(*_):
        raise Enough

    x = tg.rand(512, 512).realize()
    before, y = x.numpy().copy(), x
    for _ in range(400):
        y = (x @ y).softmax(-1)  # of all rows of the one before: a kernel each
    old = signal.signal(signal.SIGALRM, enough)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Enough):
            y.realize()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert len(tg.explain(y, "graph").splitlines()) > 400  # not computed
    assert (x.numpy() == before).all() and (x @ x).shape == (512, 512) and not (x @ x).isnan().any()
