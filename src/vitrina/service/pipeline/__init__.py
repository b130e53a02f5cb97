"""From a request to a list, in stages."""

from vitrina.service.pipeline.answered import Answered
from vitrina.service.pipeline.pipeline import Pipeline, PipelineError

__all__ = ["Answered", "Pipeline", "PipelineError"]
