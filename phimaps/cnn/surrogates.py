"""Which torch function has which surrogate: the rules of `phimaps.cnn.mixing`, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import mixing

__all__ = ["RULES", "Rule"]

Rule = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]

_NAMES: dict[Rule, str] = {
    mixing.native: """
        reshape view view_as reshape_as flatten unflatten ravel permute transpose swapaxes
        swapdims movedim moveaxis t squeeze unsqueeze contiguous clone expand expand_as
        repeat tile repeat_interleave broadcast_to broadcast_tensors narrow select
        index_select gather take_along_dim hsplit squeeze_ unsqueeze_ transpose_ t_
        swapaxes_ swapdims_ vsplit dsplit stack cat concat concatenate hstack vstack dstack
        row_stack column_stack atleast_1d atleast_2d atleast_3d flip fliplr flipud roll
        rot90 tril triu diagonal diag diag_embed pad constant_pad_nd unfold fold
        pixel_shuffle pixel_unshuffle channel_shuffle cumsum adaptive_avg_pool1d
        adaptive_avg_pool2d adaptive_avg_pool3d __getitem__ __setitem__ fill_ zero_ copy_
        scatter scatter_add index_copy index_fill masked_select take as_strided positive .T
        .mT __iter__ dim ndimension size numel nelement stride storage_offset is_contiguous
        is_floating_point is_complex get_device element_size data_ptr __len__ __hash__
        is_same_size is_pinned is_tensor is_storage result_type requires_grad_ __repr__
        __format__ _is_view .shape .dtype .device .ndim .layout .is_cuda .is_cpu .is_mps
        .is_quantized .is_sparse .is_leaf .is_meta .is_nested .is_mkldnn .is_xpu
        .requires_grad .grad_fn .itemsize .nbytes ._version zeros_like ones_like empty_like
        full_like rand_like randn_like new_zeros new_ones new_empty new_full
    """,
    mixing.pieces: "chunk split split_with_sizes tensor_split unbind unsafe_chunk",
    mixing.pointwise: """
        add sub subtract mul multiply div divide true_divide floor_divide rsub __rsub__
        __rdiv__ __rtruediv__ __rfloordiv__ __rpow__ __rmod__ __pow__ __and__ __or__ __xor__
        __rand__ __ror__ __rxor__ remainder fmod pow float_power maximum minimum fmax fmin
        lerp addcmul addcdiv atan2 hypot copysign xlogy logaddexp logaddexp2 ldexp heaviside
        gt ge lt le eq ne greater greater_equal less less_equal not_equal __eq__ __ne__
        logical_and logical_or logical_xor logical_not __invert__ bitwise_not bitwise_and
        bitwise_or clamp clip clamp_min clamp_max isclose abs absolute __abs__ neg negative
        __neg__ __pos__ exp exp2 expm1 log log2 log10 log1p sqrt rsqrt square reciprocal sin
        cos tan sinh cosh tanh asin acos atan arcsin arccos arctan asinh acosh atanh erf
        erfc erfinv sigmoid expit logit floor ceil round trunc frac fix sign sgn isnan isinf
        isfinite nan_to_num sinc digamma lgamma i0 deg2rad rad2deg
    """,
    mixing.same: """
        relu relu6 gelu silu mish elu celu selu leaky_relu prelu rrelu hardtanh hardsigmoid
        hardswish hardshrink softshrink tanhshrink softsign softplus logsigmoid log_sigmoid
        threshold dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
        feature_dropout
    """,
    mixing.itself: """
        detach detach_ .data to float double half bfloat16 type type_as cpu int long bool
        short byte
    """,
    mixing.chosen: "where masked_fill",
    mixing.gated: "glu",
    mixing.reduced: """
        sum mean nansum nanmean max min amax amin aminmax median nanmedian mode argmax
        argmin logsumexp norm linalg_norm linalg_vector_norm std var std_mean var_mean prod
        any all count_nonzero
    """,
    mixing.spread: "softmax log_softmax sort argsort",
    mixing.greatest: "topk",
    mixing.running: "cumprod cummax cummin logcumsumexp",
    mixing.last_axes: "layer_norm rms_norm",
    mixing.in_groups: "group_norm",
    mixing.by_channel: "batch_norm instance_norm",
    mixing.convolved: """
        conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
    """,
    mixing.max_pooled: """
        max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices
        max_pool3d_with_indices
    """,
    mixing.average_pooled: "avg_pool1d avg_pool2d avg_pool3d",
    mixing.adaptive_max_pooled: """
        adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
        adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices
        adaptive_max_pool3d_with_indices
    """,
    mixing.resampled: "interpolate",
    mixing.multilinear: """
        matmul mm bmm mv dot inner outer ger einsum tensordot kron bilinear addmm addmv
        addbmm baddbmm addr __matmul__ __rmatmul__ chain_matmul
    """,
    mixing.transformed: "linear",
    mixing.attended: "scaled_dot_product_attention",
    mixing.asked: """
        __bool__ item tolist __float__ __int__ __index__ __complex__ numpy __array__
        __contains__ equal allclose is_nonzero nonzero unique
    """,
}

RULES: dict[str, Rule] = {name: rule for rule, names in _NAMES.items() for name in names.split()}
