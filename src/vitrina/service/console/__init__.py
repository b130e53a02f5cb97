"""Pages on a running service, for people: who gets what and why, what the models do, and what comes in.

They are made on the server, work without scripts, and ask for nothing from anywhere else. `asked` says what a page is made of, `frame` what stands around it;
each page has a `load`, whose answer is also what `?as=json` gives, and a `render`.
"""

from vitrina.service.console.routes import routes

__all__ = ["routes"]
