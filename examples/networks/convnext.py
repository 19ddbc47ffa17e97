"""ConvNeXt-Tiny (Liu and others, 2022, https://arxiv.org/abs/2201.03545), under torchvision's names
of the parameters and under timm's."""

import suanzi as torch
import suanzi.nn.functional as F
from suanzi import nn

DEPTHS, DIMS = (3, 3, 9, 3), (96, 192, 384, 768)


class LayerNorm2d(nn.LayerNorm):
    """Over the channels of a picture."""

    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class Permute(nn.Module):
    def __init__(self, *dims):
        super().__init__()
        self.dims = dims

    def forward(self, x):
        return x.permute(*self.dims)


class Block(nn.Module):
    """7x7 depthwise, a perceptron for each pixel, scaled and added to the input."""

    def __init__(self, dim):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, 7, padding=3, groups=dim),
            Permute(0, 2, 3, 1),
            nn.LayerNorm(dim, eps=1e-6),
            nn.Linear(dim, 4 * dim),
            nn.GELU(),
            nn.Linear(4 * dim, dim),
            Permute(0, 3, 1, 2),
        )
        self.layer_scale = nn.Parameter(torch.ones(dim, 1, 1) * 1e-6)

    def forward(self, x):
        return x + self.layer_scale * self.block(x)


class ConvNeXt(nn.Module):
    """Under torchvision's names (convnext_tiny)."""

    def __init__(self, num_classes=1000):
        super().__init__()
        layers = [nn.Sequential(nn.Conv2d(3, DIMS[0], 4, 4), LayerNorm2d(DIMS[0], eps=1e-6))]
        for number, (depth, dim) in enumerate(zip(DEPTHS, DIMS, strict=True)):
            if number:
                before = DIMS[number - 1]
                layers.append(
                    nn.Sequential(LayerNorm2d(before, eps=1e-6), nn.Conv2d(before, dim, 2, 2))
                )
            layers.append(nn.Sequential(*[Block(dim) for _ in range(depth)]))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            LayerNorm2d(DIMS[-1], eps=1e-6), nn.Flatten(1), nn.Linear(DIMS[-1], num_classes)
        )

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)))


class TimmMlp(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


class TimmBlock(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.conv_dw = nn.Conv2d(dim, dim, 7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = TimmMlp(dim)
        self.gamma = nn.Parameter(torch.ones(dim) * 1e-6)

    def forward(self, x):
        y = self.mlp(self.norm(self.conv_dw(x).permute(0, 2, 3, 1))) * self.gamma
        return x + y.permute(0, 3, 1, 2)


class TimmStage(nn.Module):
    def __init__(self, before, dim, depth):
        super().__init__()
        self.downsample = nn.Identity()
        if before != dim:
            self.downsample = nn.Sequential(
                LayerNorm2d(before, eps=1e-6), nn.Conv2d(before, dim, 2, 2)
            )
        self.blocks = nn.Sequential(*[TimmBlock(dim) for _ in range(depth)])

    def forward(self, x):
        return self.blocks(self.downsample(x))


class TimmHead(nn.Module):
    def __init__(self, dim, num_classes):
        super().__init__()
        self.norm = LayerNorm2d(dim, eps=1e-6)
        self.fc = nn.Linear(dim, num_classes)

    def forward(self, x):
        return self.fc(self.norm(x.mean((2, 3), keepdim=True)).flatten(1))


class TimmConvNeXt(nn.Module):
    """Under timm's names (convnext_tiny)."""

    def __init__(self, num_classes=1000):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, DIMS[0], 4, 4), LayerNorm2d(DIMS[0], eps=1e-6))
        before = (DIMS[0], *DIMS[:-1])
        self.stages = nn.Sequential(*map(TimmStage, before, DIMS, DEPTHS))
        self.head = TimmHead(DIMS[-1], num_classes)

    def forward(self, x):
        return self.head(self.stages(self.stem(x)))
