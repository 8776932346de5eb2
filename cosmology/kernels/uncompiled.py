"""What a compiler of the whole network leaves out.

``torch.compiler.disable`` does the same, but it loads torch's compiler at once: 2 s of every rank.
"""

from torch._compile import _disable_dynamo as uncompiled

__all__ = ["uncompiled"]
