"""Networks from their papers' definitions. Parameters are called as in gradflow's files, which
for the networks of torchvision is as there."""

import torch
from torch import nn
from torch.nn import functional as F

SLOPE = 0.01  # of leaky ReLU in the study


class Study(nn.Module):
    """The study's plain and residual networks: an entry, three stages of blocks of two 3x3
    convolutions, each closed by a reduction, whose convolutions alone have a bias. The entry has
    a norm, and with norm every other convolution, too."""

    def __init__(self, classes, blocks, shortcut=False, norm=False, filters=32):
        super().__init__()
        self.shortcut = shortcut
        self.names = []
        self.input_conv = nn.Conv2d(3, filters, 3, padding=1, bias=False)
        self.input_norm = nn.BatchNorm2d(filters)
        for stage in range(3):
            self.names += [f"block_{stage}_{i}" for i in range(blocks)]
            self.names += [f"reduction_{stage}"]
        for name in self.names:
            for i in range(2):
                conv = nn.Conv2d(filters, filters, 3, padding=1, bias=name.startswith("reduction"))
                self.add_module(f"{name}_conv_{i}", conv)
                if norm:
                    self.add_module(f"{name}_norm_{i}", nn.BatchNorm2d(filters))
        self.logit_linear = nn.Linear(filters, classes)

    def convolve(self, name, i, x):
        y = getattr(self, f"{name}_conv_{i}")(x)
        norm = getattr(self, f"{name}_norm_{i}", None)
        return norm(y) if norm else y

    def forward(self, x):
        x = F.leaky_relu(self.input_norm(self.input_conv(x)), SLOPE)
        for name in self.names:
            y = F.leaky_relu(self.convolve(name, 0, x), SLOPE)
            if name.startswith("reduction"):
                x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
            y = self.convolve(name, 1, y)
            x = F.leaky_relu(y + x if self.shortcut else y, SLOPE)
        return self.logit_linear(x.mean((2, 3)))


class ResNetCifar(nn.Module):
    """He et al., 2015, section 4.2: 6n + 2 layers; where filters double, the shortcut (option A)
    is every second pixel, with zeros in the new channels."""

    def __init__(self, classes, depth):
        super().__init__()
        self.input_conv = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.input_norm = nn.BatchNorm2d(16)
        self.blocks = []
        channels = 16
        for stage in range(3):
            for i in range((depth - 2) // 6):
                filters, name = 16 << stage, f"stage_{stage}_block_{i}"
                stride = filters // channels
                self.blocks.append((name, stride))
                for k, (c, s) in enumerate([(channels, stride), (filters, 1)]):
                    self.add_module(f"{name}_conv_{k}", nn.Conv2d(c, filters, 3, s, 1, bias=False))
                    self.add_module(f"{name}_norm_{k}", nn.BatchNorm2d(filters))
                channels = filters
        self.logit_linear = nn.Linear(64, classes)

    def convolve(self, name, i, x):
        return getattr(self, f"{name}_norm_{i}")(getattr(self, f"{name}_conv_{i}")(x))

    def forward(self, x):
        x = F.relu(self.input_norm(self.input_conv(x)))
        for name, stride in self.blocks:
            y = self.convolve(name, 1, F.relu(self.convolve(name, 0, x)))
            if stride > 1:
                x = x[:, :, ::stride, ::stride]
                x = torch.cat([x, torch.zeros_like(x)], 1)
            x = F.relu(y + x)
        return self.logit_linear(x.mean((2, 3)))


class BasicBlock(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.downsample = nn.Identity()
        if channels != filters:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.downsample(x))


class ResNet18(nn.Module):
    """He et al., 2015, table 1, with projections where shapes change (option B)."""

    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        channels = 64
        for stage in range(4):
            filters = 64 << stage
            blocks = (BasicBlock(channels, filters, filters // channels),
                      BasicBlock(filters, filters, 1))
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
            channels = filters
        self.fc = nn.Linear(512, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class Separable(nn.Module):
    """A small network of depthwise-separable blocks (Howard et al., 2017), with a grouped
    convolution and a channel multiplier."""

    WINDOWS = [  # filters, kernel, stride, padding (four: top, bottom, ...), dilation, groups
        (8, 3, 1, 1, 1, 1),
        (8, 3, 2, 1, 1, 8),
        (18, 1, 1, 0, 1, 2),
        (36, (5, 3), 1, (2, 2), (1, 2), 18),
        (12, 3, 2, (0, 1, 2, 0), 1, 3),
        (12, 7, 1, 3, 1, 12),
    ]

    def __init__(self, classes):
        super().__init__()
        channels = 3
        for i, (filters, kernel, stride, padding, dilation, groups) in enumerate(self.WINDOWS):
            inside = 0 if isinstance(padding, tuple) and len(padding) == 4 else padding
            self.add_module(f"conv_{i}", nn.Conv2d(channels, filters, kernel, stride, inside,
                                                   dilation, groups, bias=i % 2 == 1))
            self.add_module(f"norm_{i}", nn.BatchNorm2d(filters))
            channels = filters
        self.up = nn.ConvTranspose2d(channels, 9, (3, 4), 2, (1, 0), (1, 0), 3, dilation=(1, 2))
        self.last = nn.Linear(9, classes)

    def forward(self, x):
        for i, (_, _, _, padding, _, _) in enumerate(self.WINDOWS):
            if isinstance(padding, tuple) and len(padding) == 4:
                top, bottom, left, right = padding
                x = F.pad(x, (left, right, top, bottom))
            x = getattr(self, f"norm_{i}")(getattr(self, f"conv_{i}")(x))
            x = F.leaky_relu(x, 0.1)
        x = F.leaky_relu(self.up(x), 0.1)
        return self.last(x.mean((2, 3)))


def torchvision_network(name):
    def make(classes):
        from torchvision import models
        return getattr(models, name)(num_classes=classes)
    return make


NETWORKS = {
    "plain37": lambda classes: Study(classes, 5),
    "residual37_batch_norm": lambda classes: Study(classes, 5, shortcut=True, norm=True),
    "resnet20": lambda classes: ResNetCifar(classes, 20),
    "resnet18": ResNet18,
    "separable": Separable,
    **{f"torchvision_{name}": torchvision_network(name)
       for name in ("resnet18", "resnext50_32x4d", "mobilenet_v2")},
}
