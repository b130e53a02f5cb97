"""A language model of somebody's own: a label by the share of the query's words that the item has."""

import re
import threading

from vitrina.language import Reply


class WordCounter:
    """Stops with Ctrl-C after so many answers, where a number is given."""

    name = "word counter"
    answers = 0
    lock = threading.Lock()

    def __init__(self, stop: int = 0) -> None:
        self.stop = stop

    def complete(self, messages, schema, *, sample=0):
        with WordCounter.lock:
            WordCounter.answers += 1
            if self.stop and WordCounter.answers > self.stop:
                raise KeyboardInterrupt
        query, item = (re.search(rf"<{tag}>(.*?)</{tag}>", messages[-1].content, re.DOTALL)[1].lower() for tag in ("query", "item"))
        share = sum(word in item for word in query.split()) / len(query.split())
        return Reply(schema(reasoning=f"{share:.0%} of the words", label=(share > 0) + (share == 1)), 100, 10, 0.0)


class Rewriter:
    """Rewrites criteria: whatever they are, with "count" in front."""

    name = "rewriter"

    def complete(self, messages, schema, *, sample=0):
        assert "# Cases" in messages[-1].content
        return Reply(schema(reasoning="It must count.", instructions="count the words"), 100, 10, 0.0)


class Obedient(WordCounter):
    """Counts words only where the criteria say so; else everything is partly right."""

    name = "obedient"

    def complete(self, messages, schema, *, sample=0):
        found = super().complete(messages, schema, sample=sample)
        if "count" in messages[0].content:
            return found
        return Reply(schema(reasoning="No idea.", label=1), 100, 10, 0.0)
