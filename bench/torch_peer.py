"""What the peers in PyTorch share: numbers that both sides make alike, timing, and the lines they say."""
import resource
import sys
import time

import torch


def begin(threads):
    """Computes on so many threads from here on; the clock to use: one thread's time is its own, whatever else runs."""
    torch.set_num_threads(threads)
    return time.thread_time if threads == 1 else time.perf_counter


def numbers(shape, period):
    """Whole and small, so that sums are exact."""
    n = torch.Size(shape).numel()
    return (torch.arange(n) % period - period // 2).float().reshape(shape)


def seconds(f, repeats, clock):
    f()
    start = clock()
    for _ in range(repeats):
        f()
    return (clock() - start) / repeats


def ready():
    capability = [line.split()[-1] for line in torch.__config__.show().splitlines() if "CPU capability" in line]
    print("ready", torch.__version__, capability[0] if capability else "?", flush=True)


def train(step):
    """Makes as many steps as each line of standard input says; says seconds and page faults of one on average, and the last loss."""
    ready()
    for line in sys.stdin:
        steps = int(line)
        faults, start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.perf_counter()
        for _ in range(steps):
            loss = step()
        spent = time.perf_counter() - start
        print(spent / steps, (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults) / steps, loss, flush=True)
