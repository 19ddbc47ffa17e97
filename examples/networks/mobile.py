"""MobileNetV3-Large and EfficientNet-B0: inverted bottlenecks with gates on their channels.

Howard and others, 2019, https://arxiv.org/abs/1905.02244; Tan and Le, 2019,
https://arxiv.org/abs/1905.11946. Each is here under torchvision's names of the parameters and under
timm's.
"""

from suanzi import nn

MOBILENET_V3_LARGE = (
    # kernel, expanded, out, gate, activation, stride; a stage a line
    ((3, 16, 16, 0, "relu", 1),),
    ((3, 64, 24, 0, "relu", 2), (3, 72, 24, 0, "relu", 1)),
    ((5, 72, 40, 24, "relu", 2), (5, 120, 40, 32, "relu", 1), (5, 120, 40, 32, "relu", 1)),
    (
        (3, 240, 80, 0, "swish", 2),
        (3, 200, 80, 0, "swish", 1),
        (3, 184, 80, 0, "swish", 1),
        (3, 184, 80, 0, "swish", 1),
    ),
    ((3, 480, 112, 120, "swish", 1), (3, 672, 112, 168, "swish", 1)),
    (
        (5, 672, 160, 168, "swish", 2),
        (5, 960, 160, 240, "swish", 1),
        (5, 960, 160, 240, "swish", 1),
    ),
)
EFFICIENTNET_B0 = (
    # expansion, kernel, stride, out, how many
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


def efficient_stages(channels=32):
    """EFFICIENTNET_B0 with a line for each block, as MOBILENET_V3_LARGE has."""
    stages = []
    for expansion, kernel, stride, out, count in EFFICIENTNET_B0:
        stage = []
        for i in range(count):
            gate = channels // 4
            stage.append((kernel, channels * expansion, out, gate, "silu", 1 if i else stride))
            channels = out
        stages.append(tuple(stage))
    return tuple(stages)


def activation(name):
    return {"relu": nn.ReLU, "swish": nn.Hardswish, "silu": nn.SiLU}[name]()


def conv_bn(inp, out, kernel=1, stride=1, groups=1, act=None, eps=1e-5, momentum=0.1):
    """A convolution, its normalization, its activation."""
    layers = [
        nn.Conv2d(inp, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out, eps=eps, momentum=momentum),
    ]
    return nn.Sequential(*layers, *([activation(act)] if act else []))


class SqueezeExcitation(nn.Module):
    """A gate on each channel, made of all channels' means."""

    def __init__(self, channels, squeezed, act, gate):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation, self.scale_activation = act, gate

    def forward(self, x):
        return x * self.scale_activation(self.fc2(self.activation(self.fc1(self.avgpool(x)))))


class InvertedResidual(nn.Module):
    """1x1 to more channels, depthwise, gate, 1x1 to fewer; the input added where it fits."""

    def __init__(self, inp, kernel, expanded, out, squeezed, act, stride, eps, momentum):
        super().__init__()
        self.adds = stride == 1 and inp == out
        norm = {"eps": eps, "momentum": momentum}
        layers = [conv_bn(inp, expanded, act=act, **norm)] if expanded != inp else []
        layers.append(conv_bn(expanded, expanded, kernel, stride, expanded, act, **norm))
        if squeezed:
            mobile = act != "silu"
            inner, gate = (nn.ReLU(), nn.Hardsigmoid()) if mobile else (nn.SiLU(), nn.Sigmoid())
            layers.append(SqueezeExcitation(expanded, squeezed, inner, gate))
        layers.append(conv_bn(expanded, out, **norm))
        self.block = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.block(x) if self.adds else self.block(x)


class MobileNetV3(nn.Module):
    """MobileNetV3-Large under torchvision's names."""

    def __init__(self, num_classes=1000):
        super().__init__()
        norm = {"eps": 0.001, "momentum": 0.01}
        layers, channels = [conv_bn(3, 16, 3, 2, act="swish", **norm)], 16
        for stage in MOBILENET_V3_LARGE:
            for kernel, expanded, out, squeezed, act, stride in stage:
                layers.append(
                    InvertedResidual(channels, kernel, expanded, out, squeezed, act, stride, **norm)
                )
                channels = out
        layers.append(conv_bn(channels, 960, act="swish", **norm))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(960, 1280), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(1280, num_classes)
        )

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class EfficientNet(nn.Module):
    """EfficientNet-B0 under torchvision's names."""

    def __init__(self, num_classes=1000):
        super().__init__()
        norm = {"eps": 1e-5, "momentum": 0.1}
        layers, channels = [conv_bn(3, 32, 3, 2, act="silu")], 32
        for stage in efficient_stages():
            blocks = []
            for kernel, expanded, out, squeezed, act, stride in stage:
                blocks.append(
                    InvertedResidual(channels, kernel, expanded, out, squeezed, act, stride, **norm)
                )
                channels = out
            layers.append(nn.Sequential(*blocks))
        layers.append(conv_bn(channels, 1280, act="silu"))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, num_classes))

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class TimmGate(nn.Module):
    """SqueezeExcitation under timm's names."""

    def __init__(self, channels, squeezed, act, gate):
        super().__init__()
        self.conv_reduce = nn.Conv2d(channels, squeezed, 1)
        self.conv_expand = nn.Conv2d(squeezed, channels, 1)
        self.act1, self.gate = act, gate

    def forward(self, x):
        means = x.mean((2, 3), keepdim=True)
        return x * self.gate(self.conv_expand(self.act1(self.conv_reduce(means))))


class TimmBlock(nn.Module):
    """InvertedResidual under timm's names; without expansion the parts have other names."""

    def __init__(self, inp, kernel, expanded, out, squeezed, act, stride):
        super().__init__()
        self.adds, self.expands = stride == 1 and inp == out, expanded != inp
        self.act = activation(act)
        pad = kernel // 2
        depthwise = nn.Conv2d(expanded, expanded, kernel, stride, pad, groups=expanded, bias=False)
        mobile = act != "silu"
        inner, gate = (nn.ReLU(), nn.Hardsigmoid()) if mobile else (nn.SiLU(), nn.Sigmoid())
        se = TimmGate(expanded, squeezed, inner, gate) if squeezed else nn.Identity()
        if self.expands:
            self.conv_pw = nn.Conv2d(inp, expanded, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(expanded)
            self.conv_dw, self.bn2, self.se = depthwise, nn.BatchNorm2d(expanded), se
            self.conv_pwl = nn.Conv2d(expanded, out, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(out)
        else:
            self.conv_dw, self.bn1, self.se = depthwise, nn.BatchNorm2d(expanded), se
            self.conv_pw = nn.Conv2d(expanded, out, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(out)

    def forward(self, x):
        if self.expands:
            y = self.act(self.bn1(self.conv_pw(x)))
            y = self.se(self.act(self.bn2(self.conv_dw(y))))
            y = self.bn3(self.conv_pwl(y))
        else:
            y = self.se(self.act(self.bn1(self.conv_dw(x))))
            y = self.bn2(self.conv_pw(y))
        return x + y if self.adds else y


class TimmLast(nn.Module):
    """The last stage of timm's MobileNetV3: a 1x1 convolution."""

    def __init__(self, inp, out):
        super().__init__()
        self.conv = nn.Conv2d(inp, out, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.act = nn.Hardswish()

    def forward(self, x):
        return self.act(self.bn1(self.conv(x)))


class TimmMobile(nn.Module):
    """What the two share under timm's names."""

    def __init__(self, stages, channels, act):
        super().__init__()
        self.conv_stem = nn.Conv2d(3, channels, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.act = activation(act)
        made = []
        for stage in stages:
            blocks = []
            for kernel, expanded, out, squeezed, inner, stride in stage:
                blocks.append(TimmBlock(channels, kernel, expanded, out, squeezed, inner, stride))
                channels = out
            made.append(nn.Sequential(*blocks))
        self.blocks, self.channels = nn.Sequential(*made), channels

    def features(self, x):
        return self.blocks(self.act(self.bn1(self.conv_stem(x))))


class TimmMobileNetV3(TimmMobile):
    """MobileNetV3-Large under timm's names (mobilenetv3_large_100)."""

    def __init__(self, num_classes=1000):
        super().__init__(MOBILENET_V3_LARGE, 16, "swish")
        self.blocks.append(nn.Sequential(TimmLast(self.channels, 960)))
        self.conv_head = nn.Conv2d(960, 1280, 1)
        self.classifier = nn.Linear(1280, num_classes)

    def forward(self, x):
        means = self.features(x).mean((2, 3), keepdim=True)
        return self.classifier(self.act(self.conv_head(means)).flatten(1))


class TimmEfficientNet(TimmMobile):
    """EfficientNet-B0 under timm's names (efficientnet_b0)."""

    def __init__(self, num_classes=1000):
        super().__init__(efficient_stages(), 32, "silu")
        self.conv_head = nn.Conv2d(self.channels, 1280, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(1280)
        self.classifier = nn.Linear(1280, num_classes)

    def forward(self, x):
        y = self.act(self.bn2(self.conv_head(self.features(x))))
        return self.classifier(y.mean((2, 3)))
