"""What a program does that tg is a part of: fork, Python's own default on Linux, while other threads compute; dlclose."""
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import threading
import warnings

import pytest

import tg


def loss(n):
    w = tg.ones(n, requires_grad=True)
    (w * w).sum().backward()
    return w.grad.sum().item()


def children(count, work):
    """What became of so many children that did that, each ended by a signal where it hangs."""
    statuses = []
    for i in range(count):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 3.12 warns of fork beside threads
            child = os.fork()
        if child == 0:
            signal.alarm(30)
            good = False
            try:
                good = work(i)
            finally:
                os._exit(0 if good else 1)
        statuses.append(os.waitpid(child, 0)[1])
    return statuses


@pytest.fixture
def busy():
    stop, size = threading.Event(), [1000]

    def compute(number):
        while not stop.is_set():
            size[0] += 1  # a kernel that is new
            if number == 0:
                loss(size[0])
            elif number == 1:
                (tg.rand(200, 200) @ tg.rand(200, 200)).sum().item()
            else:
                tg.explain((tg.ones(size[0]) * 2).sum(), "source")
    threads = [threading.Thread(target=compute, args=(i,)) for i in range(3)]
    for t in threads:
        t.start()
    yield
    stop.set()
    for t in threads:
        t.join()


def test_children_compute_whatever_other_threads_do(busy):
    assert children(6, lambda i: loss(70_000 + i) == 2.0 * (70_000 + i)) == [0] * 6


def test_a_pool_of_processes(busy):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map_async(loss, [3, 4, 5, 6]).get(timeout=60) == [6.0, 8.0, 10.0, 12.0]


def test_a_loader_of_the_parent_is_an_error_in_the_child():
    loader = tg.data.DataLoader(tg.data.TensorDataset(tg.arange(32)), batch_size=4, num_workers=1)
    batches = iter(loader)
    next(batches)

    def in_child(_):
        try:
            next(batches)
        except ValueError as e:
            return "begin an epoch here" in str(e) and len(list(loader)) == 8
        return False
    assert children(1, in_child) == [0]
    assert len(list(batches)) == 7


def test_the_library_stays_when_it_is_closed():
    library = next(pathlib.Path(os.environ["TG_TEST_BUILD"]).glob("**/libtg.so"), None)
    if library is None:
        pytest.skip("tg is linked statically")
    script = ("import _ctypes, sys; handle = _ctypes.dlopen(sys.argv[1], 2); _ctypes.dlclose(handle); "
              "print('libtg' in open('/proc/self/maps').read())")
    out = subprocess.run([sys.executable, "-c", script, str(library)], capture_output=True, text=True, check=True)
    assert out.stdout == "True\n"
