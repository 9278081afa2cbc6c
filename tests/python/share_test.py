"""One memory for tg, NumPy and PyTorch, and what happens to it; pickles and copies."""
import copy
import ctypes
import gc
import pickle
import weakref

import numpy as np
import pytest
import torch

import tg
from tg import Tensor

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]


def aligned(shape, dtype):
    return np.ones(shape, dtype)  # malloc's memory, aligned to 16


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_reads_the_tensors_memory(dtype):
    t = tg.arange(6).to(dtype).reshape(2, 3)
    a, b = np.asarray(t), t.numpy()
    assert a.ctypes.data == b.ctypes.data == t.data_ptr() == np.frombuffer(memoryview(t), dtype=dtype).ctypes.data
    assert a.dtype == dtype and a.tolist() == t.tolist() and not a.flags.writeable
    view = memoryview(t)
    assert view.shape == (2, 3) and view.nbytes == 6 * np.dtype(dtype).itemsize and view.readonly
    assert np.array(t).flags.writeable


def test_what_numpy_reads_stays_as_it_is():
    t = Tensor([1.0, 2.0, 3.0])
    a = t.numpy()
    t += 1
    t[0] = 9
    assert t.tolist() == [9, 3, 4] and a.tolist() == [1, 2, 3]
    u = (t * 2).numpy()
    del t
    gc.collect()
    assert u.tolist() == [18, 6, 8]


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_read_numpys_memory(dtype):
    a = aligned((4, 5), dtype)
    t = tg.asarray(a)
    assert t.data_ptr() == a.ctypes.data and t.tolist() == a.tolist()
    a[2, 3] = 0
    assert t[2, 3].item() == 0  # one memory
    t[0] = 0
    assert a[0].all() and not t[0].any().item()  # which tg never writes
    assert Tensor(a).data_ptr() != a.ctypes.data
    strided = tg.asarray(a[:, 1:4])
    assert strided.tolist() == a[:, 1:4].tolist()


def test_an_array_is_kept_as_long_as_its_tensor():
    class Array(np.ndarray):
        pass
    a = aligned(1000, "f").view(Array)
    died = weakref.ref(a)
    t = tg.from_numpy(a)
    del a
    gc.collect()
    assert died() is not None and t.sum().item() == 1000
    del t
    gc.collect()
    for _ in range(1000):  # Python does what is pending between two of its instructions
        pass
    assert died() is None


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in ("uint16", "uint32", "uint64", "bool")] + ["bfloat16"])
def test_dlpack_with_pytorch(dtype):
    t = tg.arange(6).to(dtype).reshape(2, 3)
    theirs = torch.from_dlpack(t)
    assert theirs.data_ptr() == t.data_ptr() and theirs.tolist() == t.tolist() and str(theirs.dtype) == f"torch.{dtype}"
    x = torch.arange(12).reshape(3, 4).to(theirs.dtype)
    mine = tg.from_dlpack(x)
    assert mine.data_ptr() == x.data_ptr() and mine.dtype == dtype and mine.tolist() == x.tolist()
    assert tg.from_dlpack(x.T).tolist() == x.T.tolist() and tg.from_dlpack(x[:, 1:]).tolist() == x[:, 1:].tolist()
    assert Tensor(x).tolist() == x.tolist() if dtype != "bfloat16" else True
    assert tg.asarray(x).dtype == dtype


def test_dlpack_with_numpy():
    t = tg.arange(6).float().reshape(2, 3)
    a = np.from_dlpack(t)
    assert a.ctypes.data == t.data_ptr() and a.tolist() == t.tolist()
    b = aligned((3, 4), "f")
    assert tg.from_dlpack(b).data_ptr() == b.ctypes.data
    b[0, 0] = 5
    used = t.__dlpack__()
    tg.from_dlpack(used)
    with pytest.raises(ValueError):
        tg.from_dlpack(used)
    with pytest.raises(TypeError):
        tg.from_dlpack(np.zeros(2, "complex64"))
    assert t.__dlpack_device__() == (1, 0)


def test_dlpack_owners_are_let_go():
    died = []

    class Source:
        def __init__(self):
            self.array = aligned(100, "f")

        def __dlpack__(self):
            return self.array.__dlpack__()

        def __del__(self):
            died.append(True)
    source = Source()
    t = tg.from_dlpack(source)
    reference = weakref.ref(source.array)
    del source
    gc.collect()
    assert died and reference() is not None and t.sum().item() == 100
    del t
    gc.collect()
    for _ in range(1000):
        pass
    assert reference() is None


def test_other_devices_copy():
    t = tg.arange(4, device="null")
    assert np.asarray(tg.arange(4, device="interpreter").float()).tolist() == [0, 1, 2, 3] and t.shape == (4,)


@pytest.mark.parametrize("make", [
    lambda: tg.arange(6).reshape(2, 3), lambda: Tensor(2.5), lambda: tg.ones(3, dtype="bfloat16"), lambda: tg.zeros(0, 2),
    lambda: Tensor([1.0], requires_grad=True)])
def test_pickles_and_copies(make):
    t = make()
    for other in (pickle.loads(pickle.dumps(t)), copy.deepcopy(t), copy.copy(t)):
        assert repr(other) == repr(t)
    other = copy.deepcopy(t)
    other.assign(7)
    assert t.float().tolist() == make().float().tolist()
    assert pickle.loads(pickle.dumps(tg.float16)) == tg.float16


def test_files_are_mapped(tmp_path):
    a = np.arange(12, dtype="float32").reshape(3, 4)
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "f.npy", np.asfortranarray(a))
    a.tofile(tmp_path / "a.bin")
    tg.save({"a": tg.Tensor(a)}, tmp_path / "a.safetensors")
    loaded = [tg.load_npy(tmp_path / "a.npy"), tg.from_file(tmp_path / "a.bin", (3, 4)), tg.load(tmp_path / "a.safetensors")["a"]]
    maps = [range(*(int(n, 16) for n in line.split()[0].split("-"))) for line in open("/proc/self/maps") if str(tmp_path) in line]
    for t in loaded:
        assert any(t.data_ptr() in part for part in maps) and (t.numpy() == a).all()
    assert (tg.load_npy(tmp_path / "f.npy").numpy() == a).all()
    assert tg.from_file(tmp_path / "a.bin", 2, "int32", 4).bitcast("float32").tolist() == [1, 2]
    with pytest.raises(OSError, match="needs 400 bytes"):
        tg.from_file(tmp_path / "a.bin", 100)


def test_a_list_as_a_tensor():
    assert tg.as_tensor([1, 2]).tolist() == [1, 2] and tg.as_tensor([1, 2], "float64").dtype == tg.float64
    t = tg.ones(2)
    assert tg.as_tensor(t).data_ptr() == t.data_ptr()


def test_a_foreign_pointer():
    memory = (ctypes.c_float * 8).from_buffer(bytearray(32))
    memory[5] = 7
    pointer = ctypes.addressof(memory)
    t = tg.asarray((ctypes.c_float * 8).from_address(pointer))
    assert t.dtype == tg.float32 and t.tolist() == list(memory)
    assert t.data_ptr() == pointer or pointer % 16
