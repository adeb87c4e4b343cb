"""Torch modules as maps: what any layer returns, before or after its activation."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, final

import torch

from ..cache import through
from ..errors import OperandError, ParameterError, PhimapsError, ShapeError
from ..map import FeatureMap, show
from ..rows import cached_rows
from .frozen import Frozen
from .pictures import arranged, check_pictures, configured, explained, normalised, scaled
from .places import Place, place_of
from .pooled import check_pool, feature_names, pooled
from .precision import PRECISIONS, computing
from .taken import Survey, survey, take
from .translate import known_module

__all__ = ["Network", "from_torch", "rows_kept"]


def rows_kept(owner: FeatureMap, x: torch.Tensor, value: Any) -> torch.Tensor:
    """The value, where it has one feature vector for each row of x."""
    if not isinstance(value, torch.Tensor) or value.shape[:1] != x.shape[:1]:
        raise ShapeError(
            f"{owner!r} did not give one feature vector for each row.",
            got=show(value) if isinstance(value, torch.Tensor) else type(value).__name__,
            need=f"a tensor with {x.shape[0]} rows",
            do="return a tensor whose first dimension is that of the input",
        )
    return value if value.ndim > 1 else value[:, None]


@final
class Network(FeatureMap):
    """x ↦ what a layer of a torch module returns for x, in evaluation mode; see `from_torch`.

    Nothing is known about it. The module is a private copy that clones share. Its parameters are
    cast to the dtype and device of x.

    Parameters
    ----------
    module : Frozen
        A handle on the module.
    layer : str or sequence of str, optional
        Names as in ``module.named_modules()``, ``"name@k"`` for the k-th call; default: the whole
        module.
    stage : {None, "pre", "post"}
        Which side of the layer's activation.
    call : int, default 0
        Which call of the layer, where its name does not say so.
    pool : None, "avg", "max", "ppv", "moments", ("grid", rows, columns), ("max", rows, columns)
    mean, std : sequence of float, optional
        One number for each channel; images are normalised to (x - mean) / std.
    in_shape : tuple of int, optional
        (channels, height, width), to read rows as images.
    precision : {None, "float32", "bfloat16", "float16"}
        In which floating-point numbers convolutions and products are computed.

    Examples
    --------
    >>> phi = Network(Frozen(torch.nn.Hardtanh()))
    >>> phi.fit_transform([[2.0]])
    array([[1.]])
    """

    module: Frozen
    layer: Any = None
    stage: str | None = None
    call: int = 0
    pool: Any = None
    mean: Any = None
    std: Any = None
    in_shape: Any = None
    precision: Any = None

    _parameter_constraints = {"module": [Frozen]}

    # --- parameters --------------------------------------------------------------------------
    @property
    def whole(self) -> bool:
        """Whether x goes into the module as it is, and all that comes out is wanted."""
        given = (self.layer, self.stage, self.pool, self.mean, self.std, self.in_shape)
        return all(v is None for v in (*given, self.precision)) and self.call == 0

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.whole:
            return
        if self.stage not in (None, "pre", "post"):
            raise ParameterError(
                "The 'stage' parameter of Network cannot be used.",
                got=f"stage={show(self.stage)}",
                need="'pre' (before the activation), 'post' (after it), or None",
                do="stage='post'",
            )
        if not isinstance(self.call, int) or isinstance(self.call, bool) or self.call < 0:
            raise ParameterError(
                "The 'call' parameter of Network cannot be used.",
                got=f"call={show(self.call)}",
                need="an int >= 0; the first call is 0",
                do="call=0",
            )
        if self.precision not in PRECISIONS:
            # Whether a device is made for one that exists shows where it computes.
            computing(self.precision, torch.device("cpu"))
        check_pool("Network", self.pool)
        check_pictures("Network", self.mean, self.std, self.in_shape)
        self.places()

    def places(self) -> list[Place]:
        """Where in the forward pass the features are taken."""
        kept = self._cache.get("places")
        if kept is None:
            many = isinstance(self.layer, list | tuple)
            kept = [
                place_of(self.module.module, name, self.call, self.stage)
                for name in (self.layer if many else [self.layer])
            ]
            if not kept or len(set(kept)) < len(kept):
                raise ParameterError(
                    "The 'layer' parameter of Network names a layer twice."
                    if kept
                    else "The 'layer' parameter of Network names no layer.",
                    got=f"layer={show(self.layer)}",
                    need="names of different layers or calls, at least one",
                    do="layer=[...] with each name once",
                )
            self._cache["places"] = kept
        return kept

    # --- evaluating --------------------------------------------------------------------------
    @property
    def bytes(self) -> bool:
        return not self.whole

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not _undisturbed():
            return self._whole(x) if self.whole else self._features(x, False)
        return self._known(x, None)

    def _whole(self, x: torch.Tensor) -> torch.Tensor:
        value = self.module.run(lambda call, module: call(x.clone()), x)
        return rows_kept(self, x, value)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        if not _undisturbed():
            super().write(x, out)
        else:
            self._known(x, out)

    def _known(self, x: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
        # What is kept must serve outside inference mode too.
        with torch.inference_mode(False), torch.no_grad():
            run = self._whole if self.whole else lambda rows: self._features(rows, True)
            return through(self.content_key(), x, run, out)

    def _features(self, x: torch.Tensor, fast: bool) -> torch.Tensor:
        images, places = self._images(x), self.places()
        values = self._taken(images, places, fast)
        for place, value in zip(places, values, strict=True):
            if value.shape[:1] != x.shape[:1]:
                raise ShapeError(
                    f"What {place.title} returns has not one value for each row.",
                    got=f"shape {tuple(value.shape)} for {x.shape[0]} rows",
                    need="a layer whose first dimension is that of the input",
                    do="a layer before the rows are joined or split",
                )
        shapes = [tuple(v.shape[1:]) for v in values]
        self._seen["shapes", tuple(x.shape[1:])] = shapes
        if isinstance(self.layer, list | tuple):
            return torch.cat([v.flatten(1) if v.ndim > 1 else v[:, None] for v in values], dim=1)
        return values[0] if values[0].ndim > 1 else values[0][:, None]

    def _taken(self, images: torch.Tensor, places: list[Place], fast: bool) -> list[torch.Tensor]:
        if self.pool is not None and torch._C._len_torch_function_stack():
            # The pass is watched without being watched itself: a mode is to see the pooling too.
            plain = self._shallow_copy()
            plain.pool = None
            values = plain._taken(images, places, fast)
            return [pooled(v.to(images.dtype), self.pool) for v in values]

        def run(call: Any, module: Any) -> list[torch.Tensor]:
            with computing(self.precision, images.device):
                return take(call, module, images, places, pool, hints)

        def pool(value: torch.Tensor) -> torch.Tensor:
            return pooled(value.to(images.dtype), self.pool)

        handle = self.module
        hints = handle.memo.setdefault("hints", {})
        part, keep = (tuple(places), self.precision), {p.layer for p in places}
        faster = handle.faster(part, keep, images) if fast else None
        try:
            if faster is not None:
                values = faster(lambda module: run(module, module))
                self._seen["widest", images[0].numel()] = faster.widest
                return values
            return handle.run(run, images)
        except PhimapsError:
            raise
        except Exception as error:
            raise explained(error, images) from error

    def _images(self, x: torch.Tensor) -> torch.Tensor:
        images = arranged(scaled(x, self.mean), self.module, self.in_shape)
        return normalised(images, self.mean, self.std)

    def rebuild(self, change: Any, path: str = "") -> Any:
        twin = self._shallow_copy()
        names = [n for n, _ in self.module.module.named_parameters()]
        state = self.module.tensors()
        twin.module = self.module.with_tensors({n: change(f"{path}{n}", state[n]) for n in names})
        return twin

    # --- what is known -----------------------------------------------------------------------
    def content_key(self) -> str | None:
        """What the features depend on beside x; None while a parameter is trained."""
        if self.module.trained:
            return None
        if self.whole:
            return self.module.digest()
        asked = (self.places(), self.pool, self.mean, self.std, self.in_shape, self.precision)
        many = isinstance(self.layer, list | tuple)
        return f"{self.module.digest()} {many} {' '.join(map(show, asked))}"

    @property
    def _seen(self) -> dict[Any, Any]:
        """What passes have shown, to all maps that take the same of this module."""
        asked = (self.layer, self.stage, self.call, self.pool, self.in_shape, self.precision)
        return self.module.memo.setdefault(" ".join(map(show, asked)), {})

    def _survey(self, shape: tuple[int, ...]) -> Survey | None:
        """What a pass over one image of zeros shows; None where it does not reach the places."""
        key = ("survey", shape)
        if key not in self._seen:
            places = self.places()
            try:
                with torch.no_grad():
                    images = self._images(torch.zeros((1, *shape)))
                    self._seen[key] = self.module.run(
                        lambda call, m: survey(
                            call, m, images, places, lambda value: pooled(value, self.pool)
                        ),
                        images,
                    )
            except Exception:
                # What a module does may depend on the numbers; those of X will show.
                self._seen[key] = None
        return self._seen[key]

    def known_shape(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        return self.out_shape(shape) if ("shapes", shape) in self._seen else None

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if self.whole:
            return super().out_shape(shape)
        shapes = self._shapes(shape)
        if isinstance(self.layer, list | tuple):
            return (sum(map(prod, shapes)),)
        return shapes[0] or (1,)

    def _shapes(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        key = ("shapes", shape)
        if key not in self._seen:
            with torch.no_grad():
                self._features(torch.zeros((1, *shape)), False)
        return self._seen[key]

    def chunk_rows(self, shape: tuple[int, ...], itemsize: int) -> int | None:
        widest = None if self.whole else self._seen.get(("widest", prod(shape)))
        return None if widest is None else cached_rows(widest, itemsize)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        if self.whole:
            return super().names_out(names, shape, label)
        places, known, result = self.places(), self._survey(shape), []
        stages = [p.stage for p in places] if known is None else known.stages
        for place, stage, item in zip(places, stages, self._shapes(shape), strict=True):
            stem = str(place) if place.layer else f"{label}{place}"
            result += feature_names(f"{stem}[{stage}]" if stage else stem, item, self.pool)
        return result

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(Frozen(torch.nn.Hardtanh()))

    def __repr__(self) -> str:
        names = ("layer", "stage", "call", "pool", "mean", "std", "in_shape", "precision")
        given = [(n, getattr(self, n)) for n in names]
        shown = [f"{n}={show(v)}" for n, v in given if v is not None and (n, v) != ("call", 0)]
        return f"from_torch({', '.join([repr(self.module), *shown])})"


def _undisturbed() -> bool:
    """Whether what is computed now is what the map says, without gradients or other modes."""
    return not (
        torch.is_grad_enabled()
        or torch._C._len_torch_function_stack()
        or torch._C._len_torch_dispatch_stack()
        or torch._C._functorch.peek_interpreter_stack() is not None
        or torch.autograd.forward_ad._current_level >= 0
        or torch.is_autocast_enabled("cpu")
        or torch.is_autocast_enabled("cuda")
    )


def from_torch(
    module: torch.nn.Module,
    layer: Any = None,
    stage: str | None = None,
    call: int = 0,
    pool: Any = None,
    *,
    mean: Any = None,
    std: Any = None,
    in_shape: tuple[int, int, int] | None = None,
    precision: Any = None,
) -> FeatureMap:
    """x ↦ module(x), or what a layer of it returns, in evaluation mode.

    The module is never changed, nor what training makes of it later seen: the map holds a copy.
    With the module alone, layers whose mathematics is known (Linear, Conv2d, activations, pools,
    and Sequentials of these) become maps of this library. With a layer, the forward pass ends
    where all that is wanted is there.

    Parameters
    ----------
    module : torch.nn.Module
    layer : str or list of str, optional
        A name as in ``module.named_modules()``; ``"name@k"`` is its k-th call, from 0. The features
        of several layers are flattened and stand side by side, from one forward pass.
    stage : {None, "pre", "post"}
        None: what the layer returns. ``"post"``: if that came out of an activation inside it, the
        same; else the result of the activation that is applied next to that very tensor.
        ``"pre"``: the activation's input, if what the layer returns came out of one; else what it
        returns. Of a ReLU post = max(pre, 0) always, whether it is a module, a function or a
        method, in place or not.
    call : int, default 0
        Which call of the layer.
    pool : None, "avg", "max", "ppv", "moments", ("grid", rows, columns), ("max", rows, columns)
        For each channel the average, the maximum, the fraction of positive values, the mean and
        the standard deviation; average or maximum over the cells of a grid.
    mean, std : sequence of float, optional
        One number for each channel: images from 0 to 1 are normalised to (x - mean) / std. Taken
        from the module's ``pretrained_cfg``, with a warning, where it has one.
    in_shape : tuple of int, optional
        (channels, height, width), to read rows of numbers as images.
    precision : {None, "float32", "bfloat16", "float16"}
        In which floating-point numbers to compute; refused where the hardware gains nothing by it.

    Returns
    -------
    FeatureMap
        With a layer or another option a `Network`. It takes images of shape (n, channels, height,
        width), or with the channels last where only that fits the first convolution. Bytes are
        divided by 255.

    Raises
    ------
    OperandError, ParameterError
        When the module has no such layer, or is scripted or quantised.

    Examples
    --------
    >>> from_torch(torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU()))
    Relu() @ Affine(weight=float32[3, 2], bias=float32[2])
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(inplace=True))
    >>> z, a = (from_torch(net, layer="0", stage=s) for s in ("pre", "post"))
    >>> x = torch.ones(1, 3, 8, 8)
    >>> torch.equal(a(x), z(x).relu()), a(x).shape
    (True, torch.Size([1, 4, 6, 6]))
    """
    if not isinstance(module, torch.nn.Module):
        raise OperandError(
            "from_torch takes a torch module.",
            got=show(module),
            need="an instance of torch.nn.Module",
            do="pm.from_torch(torch.nn.Linear(3, 2)); pm.from_function(f) for functions",
        )
    # What torch.compile returns calls the module that it was given.
    module = getattr(module, "_orig_mod", module)
    given = (layer, stage, pool, mean, std, in_shape, precision)
    if all(v is None for v in given) and call == 0:
        return known_module(module) or Network(Frozen(module))
    if mean is None and std is None:
        mean, std = configured(module)
    phi = Network(Frozen(module), layer, stage, call, pool, mean, std, in_shape, precision)
    phi.check_parameters()
    return phi
