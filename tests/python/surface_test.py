"""Every public name is shown to be right: it has a row against PyTorch, or a test that is named here.

Rows are in conformance_test.py (functions), network_test.py (windows, norms, losses) and here: operators, conversions, in-place forms,
and layers that are functions. What has none is listed in SHOWN, with the test that uses it.
"""
import importlib
import operator
import re
import types
from pathlib import Path

import conformance_test
import network_test
import numpy as np
import pytest
import random_test
import torch

import tg
from tg import nn

ROWS = conformance_test.ROWS + network_test.ROWS

SHOWN = {
    "tensor_test.py": {
        "test_construction": "Tensor", "test_dtypes": "dtype promote_types bool double to", "test_values": "item tolist",
        "test_creation": "zeros ones full eye arange zeros_like full_like rand randn randint manual_seed",
        "test_writing": "assign clone zero_ fill_", "test_other_names_of_sizes": "ndimension nelement type_as new_zeros new_ones new_empty "
        "new_full new_tensor",
        "test_a_tensor_knows_what_it_is": "shape ndim dim size numel element_size device is_leaf T is_floating_point contiguous cpu "
        "realize ones_like empty_like",
        "test_gradients": "grad requires_grad requires_grad_ backward no_grad gradient detach is_leaf", "test_numpy_and_back": "numpy",
        "test_zero_grad": "zero_grad", "test_settings": "settings",
        "test_errors": "Error ShapeError DTypeError IndexError ValueError DeviceError GradientError",
        "test_files_say_what_is_wrong": "IoError", "test_our_own_mistakes": "InternalError", "test_explain": "explain",
        "test_the_tensor_module": "tensor",
        "test_numpys_names": "array array_equal identity flipud fliplr take_along_axis copy nbytes itemsize inf nan pi e newaxis "
        "linalg.norm is_tensor broadcast_shapes",
    },
    "autograd_test.py": {
        "test_modes": "is_grad_enabled enable_grad inference_mode set_grad_enabled",
        "test_grad_of_several": "autograd.grad autograd.backward",
        "test_functions_with_gradients_of_their_own": "autograd.Function", "test_mistakes_in_functions": "autograd.FunctionCtx",
        "test_functional": "autograd.functional", "test_checkpoint_of_a_module": "utils.checkpoint.checkpoint",
    },
    "differences_test.py": {"row": "data cuda.is_available cuda.device_count",
    },
    "dtypes_test.py": {"test_finfo": "finfo", "test_iinfo": "iinfo"},
    "conformance_test.py": {
        "test_creation": "linspace meshgrid logspace tril_indices triu_indices",
        "test_tri_and_empty": "tri empty",
        "test_allclose": "allclose", "test_what_was_found_is_a_named_tuple": "Found"},
    "share_test.py": {
        "test_tensors_read_numpys_memory": "asarray data_ptr", "test_an_array_is_kept_as_long_as_its_tensor": "from_numpy",
        "test_dlpack_with_numpy": "from_dlpack", "test_files_are_mapped": "from_file load_npy load save bitcast",
        "test_a_list_as_a_tensor": "as_tensor"},
    "random_test.py": {
        "test_generators_agree": "Generator Drawing",
        "test_generators_are_pickled_and_put_back": "get_rng_state set_rng_state", "test_in_place": "uniform_ normal_ bernoulli_",
        "test_weights_in_place": "nn.init.constant_ nn.init.zeros_ nn.init.ones_ nn.init.uniform_ nn.init.normal_",
        "DRAWS": "rand randn rand_like randn_like randint uniform normal kaiming_uniform kaiming_normal xavier_uniform xavier_normal "
        "glorot_uniform glorot_normal randperm bernoulli multinomial"},
    "transform_test.py": {
        "test_against_torch": "jacrev jacfwd jacobian hessian hvp vjp jvp", "test_arguments_may_be_trees": "value_and_grad grad",
        "test_vmap_is_the_loop": "vmap", "test_checkpoint_and_own_gradients": "checkpoint custom_gradient stop_gradient",
        "test_checks": "gradcheck gradgradcheck"},
    "nn_test.py": {
        "test_layers_are_pytorchs": "nn.Linear nn.Conv1d nn.Conv2d nn.Conv3d nn.ConvTranspose1d nn.ConvTranspose2d nn.ConvTranspose3d "
        "nn.GroupNorm nn.InstanceNorm1d nn.InstanceNorm2d nn.InstanceNorm3d nn.BatchNorm1d nn.BatchNorm2d nn.BatchNorm3d nn.LayerNorm "
        "nn.TransformerEncoderLayer",
        "test_attention_and_decoder_are_pytorchs": "nn.MultiheadAttention nn.TransformerDecoderLayer",
        "test_state_is_found_in_pytorchs_manner": "nn.ReLU", "test_training_and_evaluation": "nn.Dropout",
        "test_embedding": "nn.Embedding", "test_rms_norm": "nn.RMSNorm", "Net": "nn.Module", "test_parameters": "nn.Parameters",
        "test_a_function_as_a_layer": "nn.Apply", "test_files": "save load load_into",
        "test_parameters_and_what_modules_hold": "nn.Parameter nn.ModuleList nn.ModuleDict",
        "test_stacks_of_transformer_layers": "nn.TransformerEncoder nn.TransformerDecoder",
        "test_first_weights_spread_as_pytorchs": "nn.init.eye_",
        "test_a_function_as_a_module_knows_its_arguments": "nn.PReLU nn.ParameterList",
        "test_sequences_of_layers": "nn.Sequential nn.Loaded", "test_the_digits": "mnist",
        "test_parameters_as_a_vector": "nn.utils.parameters_to_vector nn.utils.vector_to_parameters"},
    "optim_test.py": {
        "test_optimizers_are_pytorchs": "optim.SGD optim.Adam optim.AdamW optim.RMSprop optim.Adagrad optim.Adadelta optim.Adamax "
        "optim.NAdam optim.RAdam",
        "test_lamb_and_muon_are_their_formulas": "optim.LAMB optim.Muon",
        "test_groups_clipping_and_averages": "optim.ExponentialAverage nn.utils.clip_grad_norm_ nn.utils.clip_grad_value_",
        "test_schedules_are_pytorchs": "optim.lr_scheduler.StepLR optim.lr_scheduler.MultiStepLR optim.lr_scheduler.ExponentialLR "
        "optim.lr_scheduler.LinearLR optim.lr_scheduler.CosineAnnealingLR optim.lr_scheduler.OneCycleLR "
        "optim.lr_scheduler.ConstantLR optim.lr_scheduler.PolynomialLR optim.lr_scheduler.CyclicLR "
        "optim.lr_scheduler.CosineAnnealingWarmRestarts",
        "test_schedules_have_a_state": "optim.lr_scheduler.LambdaLR",
        "test_warmup_and_plateau": "optim.lr_scheduler.SequentialLR optim.lr_scheduler.ReduceLROnPlateau"},
    "recurrent_test.py": {"KINDS": "nn.RNN nn.LSTM nn.GRU", "test_cells_are_pytorchs": "nn.RNNCell nn.LSTMCell nn.GRUCell"},
    "data_test.py": {
        "test_batches_are_pytorchs": "data.DataLoader data.TensorDataset", "Squares": "data.Dataset",
        "test_a_function_is_a_data_set": "data.FunctionDataset",
        "test_parts_and_sums_of_data_sets": "data.Subset data.ConcatDataset", "test_random_split": "data.random_split",
        "test_samplers_are_pytorchs": "data.Sampler data.SequentialSampler data.RandomSampler data.SubsetRandomSampler "
        "data.WeightedRandomSampler data.BatchSampler"},
}
DTYPES = {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "bfloat16", "float32", "float64"}
DTYPES |= {"half", "float", "double", "short", "int", "long"}  # PyTorch's other names
CONVERSIONS = {"bool": "bool", "char": "int8", "short": "int16", "int": "int32", "long": "int64", "byte": "uint8", "half": "float16",
               "bfloat16": "bfloat16", "float": "float32", "double": "float64"}
MODULES = ["tg", "tg.nn", "tg.nn.functional", "tg.nn.init", "tg.nn.utils", "tg.optim", "tg.optim.lr_scheduler", "tg.data",
           "tg.autograd", "tg.cuda", "tg.linalg", "tg.utils.checkpoint"]


def shown():
    """The names in SHOWN, with their tests."""
    return {name: (file, test) for file, tests in SHOWN.items() for test, names in tests.items() for name in names.split()}


def public():
    """(full name, value) of everything that users find."""
    for module in map(importlib.import_module, MODULES):
        prefix = re.sub(r"^tg\.?(nn\.functional)?", "", module.__name__)
        for name, value in vars(module).items():
            foreign = isinstance(value, types.ModuleType) or not getattr(value, "__module__", "tg").startswith("tg")
            if not name.startswith("_") and not (foreign and name not in DTYPES) and name not in ("annotations", "TYPE_CHECKING"):
                yield f"{prefix}.{name}".lstrip("."), value
    for name in dir(tg.Tensor):
        if not name.startswith("_"):
            yield f"Tensor.{name}", getattr(tg.Tensor, name)


def test_every_public_name_is_shown():
    rows = {row.name for row in ROWS}
    same = {id(f) for row in rows for owner in (tg._tg, tg.Tensor) if (f := getattr(owner, row, None)) is not None}
    known = rows | DTYPES | set(shown())
    missing = []
    for name, value in public():
        own = name.removeprefix("Tensor.")
        last = own.split(".")[-1]
        inplace = name.startswith("Tensor.") and name.endswith("_") and own[:-1] in rows
        layer = name.startswith("nn.") and last in LAYER_NAMES
        again = "." in name and (last in ("Tensor", "Generator", "Module", "Parameters") or getattr(tg, last, None) is value)
        conversion = name.startswith("Tensor.") and own in CONVERSIONS
        initial = name.startswith("nn.init.") and last.rstrip("_") in random_test.DRAWS
        other = name in ("Tensor.copy_", "Tensor.cast", "Tensor.type", "Tensor.astype", "optim.named", "nn.BatchNorm", "nn.InstanceNorm")
        if not (own in known or id(value) in same or inplace or layer or again or conversion or initial or other or last == "Source"):
            missing.append(name)
    assert missing == []


@pytest.mark.parametrize("file", SHOWN)
def test_what_is_said_to_show_a_name_uses_it(file):
    source = (Path(__file__).parent / file).read_text()
    for test, names in SHOWN[file].items():
        assert re.search(rf"^(def|class) {test}\b|^{test} = ", source, re.M), (file, test)
        for name in names.split():
            assert re.search(rf"\b{re.escape(name.split('.')[-1])}\b", source), (file, test, name)


def test_nothing_is_listed_that_is_not_there():
    there = {name for name, _ in public()} | {name.removeprefix("Tensor.") for name, _ in public()}
    assert {n for n in shown() if n not in there} == set()


# ---- operators, against NumPy ----

ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow]
BITS = [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift]
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_operators_are_numpys(dtype):
    a, b = np.array([[7, 3, 5], [1, 4, 2]], dtype), np.array([2, 3, 1], dtype)
    x, y = tg.Tensor(a), tg.Tensor(b)
    pairs = []
    for f in ARITHMETIC + COMPARISONS + (BITS if "int" in dtype else []):
        pairs += [(f(x, y), f(a, b)), (f(x, 2), f(a, a.dtype.type(2))), (f(2, y), f(b.dtype.type(2), b)), (f(x, b), f(a, b))]
    pairs += [(-x, -a), (+x, a), (abs(-x), a), (x @ y, a @ b)] + ([(~x, ~a)] if "int" in dtype else [])
    tg.realize(*(mine for mine, _ in pairs))
    for mine, theirs in pairs:
        assert mine.shape == theirs.shape and np.allclose(mine.double().numpy(), theirs.astype("f8"), rtol=1e-6)


INPLACE = [n for n in dir(tg.Tensor) if n.endswith("_") and not n.startswith("_") and n[:-1] in {row.name for row in ROWS}]


@pytest.mark.parametrize("name", INPLACE)
def test_in_place_is_the_function_written_back(name):
    """x.add_(y) is x = x.add(y), in x's dtype."""
    row = next(r for r in reversed(ROWS) if r.name == name[:-1])
    arrays = row.inputs(row.shapes[-1], "float32" if "float32" in row.dtypes else row.dtypes[0])
    called = []

    class Recorder:
        """Stands for the module `t` of a row: t.name(x, ...) is x.name_(...)."""
        def __getattr__(self, function):
            def call(x, *others, **keywords):
                x = x.clone()
                called.append(function)
                assert getattr(x, function + "_")(*others, **keywords) is x
                return x
            return call if function == row.name else getattr(tg, function)
    conformance_test.index[recorder := Recorder()] = conformance_test.index[tg]
    inputs = [tg.Tensor(a, dtype="float32" if "float32" in row.dtypes else row.dtypes[0]) for a in arrays]
    mine, expected = row.f(recorder, *inputs), row.f(tg, *inputs).to(inputs[0].dtype)
    assert called and np.allclose(mine.double().numpy(), expected.double().numpy(), equal_nan=True)


@pytest.mark.parametrize("name, dtype", CONVERSIONS.items())
def test_conversions(name, dtype):
    x = tg.Tensor([0.0, 1.75, -2.5, 300.0])
    expected = np.array([0, 1, -2, 300]) if dtype.startswith("int") else x.numpy()
    if dtype in ("int8", "uint8"):  # saturates
        expected = np.clip(np.trunc(x.numpy()), *((-128, 127) if dtype == "int8" else (0, 255)))
    y = getattr(x, name)()
    assert y.dtype == dtype and y.to("float64").tolist() == [float(bool(v)) if dtype == "bool" else v for v in expected]
    for same in (x.cast(dtype), x.type(dtype), x.astype(dtype), x.to(dtype), x.to(dtype=getattr(tg, dtype)), x.to("cpu", dtype)):
        assert same.dtype == dtype and same.tolist() == y.tolist()


# ---- layers that are functions ----

WIDE, IMAGE = (3, 4), (2, 4, 6, 6)
LAYERS = [(name, (), WIDE) for name in ("ReLU", "ReLU6", "Sigmoid", "LogSigmoid", "Tanh", "SiLU", "Mish", "SELU", "Softsign", "Hardsigmoid",
                                        "Hardswish", "GELU", "Softplus", "GLU", "Hardtanh", "Identity")] + [
    ("LeakyReLU", (0.2,), WIDE), ("ELU", (2.0,), WIDE), ("CELU", (2.0,), WIDE), ("Hardtanh", (-0.5, 0.25), WIDE),
    ("Softplus", (2, 1), WIDE),
    ("GELU", {"approximate": "tanh"}, WIDE), ("GLU", (0,), (4, 3)), ("Softmax", (1,), WIDE), ("LogSoftmax", (0,), WIDE),
    ("Softmin", (1,), WIDE), ("Tanhshrink", (), WIDE), ("Hardshrink", (1.0,), WIDE), ("Softshrink", (), WIDE),
    ("Threshold", (0.5, 7.0), WIDE),
    ("PixelShuffle", (2,), IMAGE), ("PixelUnshuffle", (3,), IMAGE), ("ChannelShuffle", (2,), IMAGE), ("ZeroPad2d", (2,), IMAGE),
    ("ConstantPad1d", ((1, 2), 3.5), (2, 4, 6)), ("ConstantPad2d", ((1, 2, 0, 3), 3.5), IMAGE),
    ("ConstantPad3d", (1, 2.0), (1, 2, 3, 4, 5)),
    ("ReflectionPad1d", (2,), (2, 4, 6)), ("ReflectionPad2d", ((1, 2, 0, 3),), IMAGE), ("ReflectionPad3d", (1,), (1, 2, 3, 4, 5)),
    ("ReplicationPad1d", (2,), (2, 4, 6)), ("ReplicationPad2d", ((1, 2, 0, 3),), IMAGE), ("ReplicationPad3d", (1,), (1, 2, 3, 4, 5)),
    ("UpsamplingNearest2d", (None, 2), IMAGE), ("UpsamplingBilinear2d", {"scale_factor": 2}, IMAGE),
    ("Flatten", (), IMAGE), ("Flatten", (0, 2), IMAGE), ("Unflatten", (1, (2, 2)), IMAGE),
    *((f"{kind}{n}d", (2,), (2, 3, *[5] * n)) for kind in ("MaxPool", "AvgPool", "AdaptiveMaxPool", "AdaptiveAvgPool") for n in (1, 2, 3)),
    ("MaxPool2d", (3, 2, 1), IMAGE), ("AvgPool2d", {"kernel_size": 3, "padding": 1, "ceil_mode": True}, IMAGE),
    ("Upsample", {"scale_factor": 2, "mode": "bilinear", "align_corners": True}, IMAGE), ("Upsample", (9,), IMAGE)]
LOSSES = [(name, {}) for name in ("MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss", "BCEWithLogitsLoss", "KLDivLoss", "CrossEntropyLoss",
                                  "BCELoss", "NLLLoss")] + [
    ("HuberLoss", {"delta": 0.5, "reduction": "sum"}), ("CrossEntropyLoss", {"label_smoothing": 0.1})]
PAIRED = [("CosineSimilarity", {}, 0), ("CosineSimilarity", {"dim": -1}, 0), ("PairwiseDistance", {"p": 1.0, "keepdim": True}, 0),
          ("SoftMarginLoss", {}, 1), ("HingeEmbeddingLoss", {"margin": 0.5, "reduction": "sum"}, 1), ("MultiLabelSoftMarginLoss", {}, 0),
          ("PoissonNLLLoss", {"full": True}, 0), ("PoissonNLLLoss", {"log_input": False}, 0)]
TRIPLES = [("MarginRankingLoss", {"margin": 0.2}, (3, 4)), ("CosineEmbeddingLoss", {"margin": 0.2}, (3,)),
           ("TripletMarginLoss", {"swap": True, "p": 3.0}, (3, 4)), ("GaussianNLLLoss", {"full": True}, (3, 4))]
LAYER_NAMES = {name for name, *_ in PAIRED + TRIPLES} | {name for name, *_ in LAYERS} | {name for name, _ in LOSSES}


def made(library, name, given):
    return getattr(library, name)(**given) if isinstance(given, dict) else getattr(library, name)(*given)


@pytest.mark.parametrize("name, given, shape", LAYERS, ids=lambda v: v if isinstance(v, str) else "")
def test_layers_of_functions_are_pytorchs(name, given, shape):
    x = np.random.default_rng(0).normal(size=shape).astype("f")
    mine, theirs = made(nn, name, given), made(torch.nn, name, given)
    assert np.allclose(mine(tg.Tensor(x)).numpy(), theirs(torch.tensor(x)).numpy(), rtol=1e-5, atol=1e-6)
    assert isinstance(mine, nn.Module) and list(mine.state_dict()) == []


@pytest.mark.parametrize("name, given, signs", PAIRED)
def test_layers_of_two_inputs_are_pytorchs(name, given, signs):
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0.1, 0.9, (3, 4)), rng.choice([-1.0, 1.0], (3, 4)) if signs else rng.uniform(0.1, 0.9, (3, 4))
    mine, theirs = (made(library, name, given)(make(x), make(y)) for library, make in ((nn, tg.Tensor), (torch.nn, torch.tensor)))
    assert mine.shape == tuple(theirs.shape) and np.allclose(mine.numpy(), theirs.numpy(), rtol=1e-5)


@pytest.mark.parametrize("name, given, shape", TRIPLES)
def test_layers_of_three_inputs_are_pytorchs(name, given, shape):
    rng = np.random.default_rng(0)
    x, y, z = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.choice([-1.0, 1.0], shape)
    z = abs(z) + 0.1 if name == "GaussianNLLLoss" else z
    mine, theirs = (made(library, name, given)(*map(make, (x, y, z))) for library, make in ((nn, tg.Tensor), (torch.nn, torch.tensor)))
    assert np.allclose(mine.item(), theirs.item(), rtol=1e-5)


@pytest.mark.parametrize("name, given", LOSSES)
def test_losses_as_layers_are_pytorchs(name, given):
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0.1, 0.9, (3, 4)).astype("f"), rng.uniform(0.1, 0.9, (3, 4)).astype("f")
    y = np.array([1, 0, 3]) if name in ("NLLLoss", "CrossEntropyLoss") else y
    mine, theirs = made(nn, name, given)(tg.Tensor(x), tg.Tensor(y)), made(torch.nn, name, given)(torch.tensor(x), torch.tensor(y))
    assert np.isclose(mine.item(), theirs.item(), rtol=1e-5)


# ---- keyword arguments ----

OTHER_NAMES = [
    ("clamp", (), {"min": 2, "max": 5}), ("add", (), {"other": 3, "alpha": 2}),
    ("permute", (), {"dims": (1, 0)}), ("reshape", (), {"shape": (4, 3)}), ("flip", (), {"dims": (0,)}), ("tile", (), {"dims": (2, 1)}),
    ("broadcast_to", (), {"size": (2, 3, 4)}), ("mm", (), {"mat2": "T"}), ("pow", (), {"exponent": 2}),
    ("split", (), {"split_size_or_sections": 2}),
    ("std", (), {"dim": 0, "unbiased": False}), ("var", (), {"dim": 1, "unbiased": True}), ("roll", (), {"shifts": 1, "dims": 0}),
    ("sort", (), {"dim": 0, "stable": True, "descending": True}), ("argsort", (), {"dim": 1, "stable": True}),
    ("topk", (), {"k": 2, "sorted": True}), ("round", (), {"decimals": -1}),
    ("tensor_split", (), {"sections": 2}), ("tensor_split", (), {"indices": (1, 2), "dim": 1}),
    ("var_mean", (), {"dim": 0, "unbiased": False}),
    ("dot", (), {"tensor": "T"}), ("diagonal", (), {"offset": 1, "dim1": 0, "dim2": 1}), ("outer", (), {"vec2": "T"}),
    ("tensordot", (), {"b": "T", "dims": 1})]


@pytest.mark.parametrize("name, given, keywords", OTHER_NAMES, ids=[n for n, *_ in OTHER_NAMES])
def test_keywords_are_pytorchs(name, given, keywords):
    a = np.arange(12, dtype="f").reshape(3, 4)
    a = a[0] if name in ("outer", "dot") else a
    mine, theirs = ({k: v if not isinstance(v, str) else make(a.T.copy()) for k, v in keywords.items()}
                    for make in (tg.Tensor, torch.tensor))
    got, expected = getattr(tg, name)(tg.Tensor(a), *given, **mine), getattr(torch, name)(torch.tensor(a), *given, **theirs)
    for x, y in zip(got, expected) if isinstance(got, (list, tuple)) else [(got, expected)]:
        assert np.allclose(x.numpy(), y.numpy())


def arguments(f):
    """The names of a function's arguments, by its docstring."""
    return set(re.findall(r"[(,] ?(\w+)(?:: |=)", " ".join(re.findall(r"^.*\) -> .*$", f.__doc__ or "", re.M))))


def outcome(f, *arguments, **keywords):
    """What it gives, as text, or the error of tg's that it raises."""
    try:
        return repr(f(*arguments, **keywords))
    except tg.Error as e:
        return str(e)


def test_axis_is_taken_wherever_dim_is():
    """Every function and method that has an argument dim takes it as axis: the same error, or none, and never that of an unknown name."""
    tried = 0
    for owner in (tg._tg, tg.Tensor):
        for name, f in vars(owner).items():
            if name.startswith("_") or not {"dim", "dimension"} & arguments(f) or "axis" in arguments(f):  # max, min, median: extrema_test
                continue
            own = "dimension" if "dimension" in arguments(f) else "dim"
            input = {"tensors": [tg.ones(2, 3)] * 2, "input": tg.ones(2, 3), "x1": tg.ones(2, 3), "x2": tg.ones(2, 3), "y": tg.ones(2, 3)}
            input = {k: v for k, v in input.items() if k in arguments(f)}
            more = {"index": tg.zeros(1, 3, dtype="int32"), "src": tg.ones(1, 3), "source": tg.ones(1, 3), "chunks": 1, "split_size": 1,
                    "k": 1, "sizes": (2, 1), "size": 1, "step": 1, "repeats": 1, "shifts": 1, "reduce": "sum", "p": 2.0,
                    "start": 0, "length": 1, "other": tg.ones(2, 3), "indices_or_sections": 1, "value": 2.0, "q": 0.5,
                    "indices": tg.zeros(1, 3, dtype="int32")}
            given = {k: v for k, v in more.items() if k in arguments(f)}
            if name == "select":
                given["index"] = 0
            if name == "index_add":
                given["index"] = tg.zeros(1, dtype="int32")
            if name in ("take", "index_select", "index_fill"):
                given["index"] = tg.zeros(1, dtype="int32")
            keywords = given if owner is tg.Tensor else {**input, **given}
            one, other = (outcome(f, *([tg.ones(2, 3)] if owner is tg.Tensor else []), **keywords, **{k: 0}) for k in (own, "axis"))
            assert one == other, name
            tried += 1
    assert tried > 80
