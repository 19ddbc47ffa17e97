"""What each operator means, in NumPy alone: one module a family."""

import sys
from types import ModuleType

from suanzi.operators._operator import OPERATORS, Cost, Example, Operator, TensorType
from suanzi.operators.activation import (
    Celu,
    Clip,
    Elu,
    Gelu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    Mish,
    PRelu,
    Relu,
    Selu,
    Shrink,
    Sigmoid,
    Softplus,
    Softsign,
    SwiGLU,
    Swish,
    Tanh,
    ThresholdedRelu,
)
from suanzi.operators.adaptive_pooling import (
    AdaptiveAveragePool,
    AdaptiveMaxPool,
    FractionalMaxPool,
)
from suanzi.operators.arithmetic import (
    Abs,
    Add,
    Ceil,
    Div,
    Erf,
    Exp,
    Floor,
    Log,
    Max,
    Mean,
    Min,
    Mod,
    Mul,
    Neg,
    Pow,
    Reciprocal,
    Round,
    Sign,
    Sqrt,
    Sub,
    Sum,
)
from suanzi.operators.attention import Attention
from suanzi.operators.bitwise import (
    BitShift,
    BitwiseAnd,
    BitwiseNot,
    BitwiseOr,
    BitwiseXor,
)
from suanzi.operators.cast import (
    BitCast,
    Cast,
    CastLike,
    Identity,
)
from suanzi.operators.channel_shuffle import ChannelShuffle
from suanzi.operators.contributed import DynamicQuantizeLSTM, GroupQueryAttention, Inverse
from suanzi.operators.convolution import Conv, ConvTranspose, ConvWeightGradient
from suanzi.operators.ctc_loss import CTCLoss, CTCLossGradient
from suanzi.operators.cumulative import (
    CumProd,
    CumSum,
)
from suanzi.operators.deformable_convolution import DeformConv
from suanzi.operators.dropout import (
    Dropout,
)
from suanzi.operators.einsum import Einsum
from suanzi.operators.embedding_bag import EmbeddingBag, EmbeddingBagGradient
from suanzi.operators.filling import (
    ConstantOfShape,
    EyeLike,
    OneHot,
    Range,
    Shape,
    Size,
)
from suanzi.operators.fourier import DFT, STFT
from suanzi.operators.grid_sampling import AffineGrid, GridSample
from suanzi.operators.grid_sampling_gradient import GridSampleGradient
from suanzi.operators.image import CenterCropPad, ImageDecoder
from suanzi.operators.indexing import (
    Gather,
    GatherElements,
    GatherND,
    NonZero,
    ScatterElements,
    ScatterND,
    TopK,
    Trilu,
)
from suanzi.operators.integer_convolution import ConvInteger, QLinearConv
from suanzi.operators.joining import (
    Concat,
    Pad,
    Slice,
    Split,
    Tile,
)
from suanzi.operators.linear import Det, Gemm, MatMul
from suanzi.operators.linear_attention import CausalConvWithState, LinearAttention
from suanzi.operators.logic import (
    And,
    Equal,
    Greater,
    GreaterOrEqual,
    IsInf,
    IsNaN,
    Less,
    LessOrEqual,
    Not,
    Or,
    Where,
    Xor,
)
from suanzi.operators.loss import (
    NegativeLogLikelihoodLoss,
    SoftmaxCrossEntropyLoss,
    SoftmaxCrossEntropyLossGradient,
)
from suanzi.operators.ml_encoders import (
    CastMap,
    CategoryMapper,
    DictVectorizer,
    LabelEncoder,
    OneHotEncoder,
    ZipMap,
)
from suanzi.operators.ml_features import (
    ArrayFeatureExtractor,
    Binarizer,
    FeatureVectorizer,
    Imputer,
    Normalizer,
    Scaler,
)
from suanzi.operators.ml_linear import LinearClassifier, LinearRegressor
from suanzi.operators.ml_svm import SVMClassifier, SVMRegressor
from suanzi.operators.ml_trees import TreeEnsemble, TreeEnsembleClassifier, TreeEnsembleRegressor
from suanzi.operators.normalization import (
    LRN,
    BatchNormalization,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    RMSNormalization,
)
from suanzi.operators.optionals import Optional, OptionalGetElement, OptionalHasElement
from suanzi.operators.pooling import (
    AveragePool,
    GlobalAveragePool,
    GlobalLpPool,
    GlobalMaxPool,
    LpPool,
    MaxPool,
)
from suanzi.operators.pooling_gradient import AveragePoolGradient, MaxPoolGradient
from suanzi.operators.quantization import (
    DequantizeLinear,
    DynamicQuantizeLinear,
    MatMulInteger,
    QLinearMatMul,
    QuantizeLinear,
)
from suanzi.operators.randomness import (
    Bernoulli,
    Multinomial,
    RandomNormal,
    RandomNormalLike,
    RandomUniform,
    RandomUniformLike,
)
from suanzi.operators.recurrent import GRU, LSTM, RNN
from suanzi.operators.reduction import (
    ArgMax,
    ArgMin,
    ReduceL1,
    ReduceL2,
    ReduceLogSum,
    ReduceLogSumExp,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProd,
    ReduceSum,
    ReduceSumSquare,
)
from suanzi.operators.regions import MaxRoiPool, RoiAlign
from suanzi.operators.resize import Resize
from suanzi.operators.resize_gradient import ResizeGradient
from suanzi.operators.rotary_embedding import RotaryEmbedding
from suanzi.operators.selecting import (
    Compress,
    Unique,
)
from suanzi.operators.sequences import (
    ConcatFromSequence,
    SequenceAt,
    SequenceConstruct,
    SequenceEmpty,
    SequenceErase,
    SequenceInsert,
    SequenceLength,
    SplitToSequence,
)
from suanzi.operators.shape import (
    DepthToSpace,
    Expand,
    Flatten,
    Reshape,
    SpaceToDepth,
    Squeeze,
    Transpose,
    Unsqueeze,
)
from suanzi.operators.signal_windows import (
    BlackmanWindow,
    HammingWindow,
    HannWindow,
    MelWeightMatrix,
)
from suanzi.operators.softmax import Hardmax, LogSoftmax, Softmax
from suanzi.operators.strings import (
    RegexFullMatch,
    StringConcat,
    StringNormalizer,
    StringSplit,
)
from suanzi.operators.suppression import NonMaxSuppression
from suanzi.operators.tfidf import (
    TfIdfVectorizer,
)
from suanzi.operators.time_axis import (
    ReverseSequence,
    TensorScatter,
)
from suanzi.operators.training import Adagrad, Adam, Momentum
from suanzi.operators.trigonometry import (
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    Cos,
    Cosh,
    Sin,
    Sinh,
    Tan,
)
from suanzi.operators.unfold import Unfold
from suanzi.operators.unscaled_normalization import LpNormalization, MeanVarianceNormalization
from suanzi.operators.unwinding import Col2Im, MaxUnpool


class _ByName(ModuleType):
    """The package itself gives an operator by its name in OPERATORS.

    >>> import suanzi
    >>> suanzi.operators["Conv"]
    <class 'suanzi.operators.convolution.Conv'>
    """

    def __getitem__(self, name: str) -> type[Operator]:
        return OPERATORS[name]


sys.modules[__name__].__class__ = _ByName

__all__ = [
    "DFT",
    "GRU",
    "LRN",
    "LSTM",
    "OPERATORS",
    "RNN",
    "STFT",
    "Abs",
    "Acos",
    "Acosh",
    "Adagrad",
    "Adam",
    "AdaptiveAveragePool",
    "AdaptiveMaxPool",
    "Add",
    "AffineGrid",
    "And",
    "ArgMax",
    "ArgMin",
    "ArrayFeatureExtractor",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Attention",
    "AveragePool",
    "AveragePoolGradient",
    "BatchNormalization",
    "Bernoulli",
    "Binarizer",
    "BitCast",
    "BitShift",
    "BitwiseAnd",
    "BitwiseNot",
    "BitwiseOr",
    "BitwiseXor",
    "BlackmanWindow",
    "CTCLoss",
    "CTCLossGradient",
    "Cast",
    "CastLike",
    "CastMap",
    "CategoryMapper",
    "CausalConvWithState",
    "Ceil",
    "Celu",
    "CenterCropPad",
    "ChannelShuffle",
    "Clip",
    "Col2Im",
    "Compress",
    "Concat",
    "ConcatFromSequence",
    "ConstantOfShape",
    "Conv",
    "ConvInteger",
    "ConvTranspose",
    "ConvWeightGradient",
    "Cos",
    "Cosh",
    "Cost",
    "CumProd",
    "CumSum",
    "DeformConv",
    "DepthToSpace",
    "DequantizeLinear",
    "Det",
    "DictVectorizer",
    "Div",
    "Dropout",
    "DynamicQuantizeLSTM",
    "DynamicQuantizeLinear",
    "Einsum",
    "Elu",
    "EmbeddingBag",
    "EmbeddingBagGradient",
    "Equal",
    "Erf",
    "Example",
    "Exp",
    "Expand",
    "EyeLike",
    "FeatureVectorizer",
    "Flatten",
    "Floor",
    "FractionalMaxPool",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalLpPool",
    "GlobalMaxPool",
    "Greater",
    "GreaterOrEqual",
    "GridSample",
    "GridSampleGradient",
    "GroupNormalization",
    "GroupQueryAttention",
    "HammingWindow",
    "HannWindow",
    "HardSigmoid",
    "HardSwish",
    "Hardmax",
    "Identity",
    "ImageDecoder",
    "Imputer",
    "InstanceNormalization",
    "Inverse",
    "IsInf",
    "IsNaN",
    "LabelEncoder",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "LinearAttention",
    "LinearClassifier",
    "LinearRegressor",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "LpPool",
    "MatMul",
    "MatMulInteger",
    "Max",
    "MaxPool",
    "MaxPoolGradient",
    "MaxRoiPool",
    "MaxUnpool",
    "Mean",
    "MeanVarianceNormalization",
    "MelWeightMatrix",
    "Min",
    "Mish",
    "Mod",
    "Momentum",
    "Mul",
    "Multinomial",
    "Neg",
    "NegativeLogLikelihoodLoss",
    "NonMaxSuppression",
    "NonZero",
    "Normalizer",
    "Not",
    "OneHot",
    "OneHotEncoder",
    "Operator",
    "Optional",
    "OptionalGetElement",
    "OptionalHasElement",
    "Or",
    "PRelu",
    "Pad",
    "Pow",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
    "RMSNormalization",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Range",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "RegexFullMatch",
    "Relu",
    "Reshape",
    "Resize",
    "ResizeGradient",
    "ReverseSequence",
    "RoiAlign",
    "RotaryEmbedding",
    "Round",
    "SVMClassifier",
    "SVMRegressor",
    "Scaler",
    "ScatterElements",
    "ScatterND",
    "Selu",
    "SequenceAt",
    "SequenceConstruct",
    "SequenceEmpty",
    "SequenceErase",
    "SequenceInsert",
    "SequenceLength",
    "Shape",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Size",
    "Slice",
    "Softmax",
    "SoftmaxCrossEntropyLoss",
    "SoftmaxCrossEntropyLossGradient",
    "Softplus",
    "Softsign",
    "SpaceToDepth",
    "Split",
    "SplitToSequence",
    "Sqrt",
    "Squeeze",
    "StringConcat",
    "StringNormalizer",
    "StringSplit",
    "Sub",
    "Sum",
    "SwiGLU",
    "Swish",
    "Tan",
    "Tanh",
    "TensorScatter",
    "TensorType",
    "TfIdfVectorizer",
    "ThresholdedRelu",
    "Tile",
    "TopK",
    "Transpose",
    "TreeEnsemble",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
    "Trilu",
    "Unfold",
    "Unique",
    "Unsqueeze",
    "Where",
    "Xor",
    "ZipMap",
]
