"""What a wrong order costs `vt.LightGCN`: losses over the graph of people and items, one file each. Public as `vt.graph`."""

from vitrina.models.graph.base import GraphLoss, Step
from vitrina.models.graph.pairwise import Pairwise
from vitrina.models.graph.relabelled import Relabelled
from vitrina.models.graph.simgcl import SimGCL

__all__ = ["GraphLoss", "Pairwise", "Relabelled", "SimGCL", "Step"]
