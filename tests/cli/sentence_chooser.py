"""A language model of somebody's own, which chooses the sentence that speaks of a handle."""

import json

from vitrina.language import Reply


class Chooser:
    name = "chooser"

    def complete(self, messages, schema, *, sample=0):
        lines = [json.loads(line) for line in messages[-1].content.splitlines()]
        refs = [line["ref"] for line in lines if "ref" in line and "handle" in line.get("text", "")]
        return Reply(schema(reasoning="By the handle.", action="answer", sentences=refs, search_for=None, about=[]), 100, 10, 0.0)
