"""Scripted models: they read what a judge is asked, and answer by a rule."""

import re

from vitrina.language.protocol import Reply


def parts(messages):
    """The texts between the tags of the last message, by tag."""
    return dict(re.findall(r"<(query|item|first|second)>\n(.*?)\n</\1>", messages[-1].content, re.DOTALL))


class Scripted:
    """Answers with what `rule` makes of the parts of the question; counts its calls."""

    def __init__(self, rule, name="scripted"):
        self.rule, self.name, self.calls, self.seen = rule, name, 0, []

    def complete(self, messages, schema):
        self.calls += 1
        self.seen.append(messages)
        value = self.rule(parts(messages), messages)
        return Reply(schema(reasoning="by the rule", **value), 100, 10, 0.01)
