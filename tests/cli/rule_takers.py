"""A model of somebody's own that is no config of Vitrina."""

import vitrina as vt


class Plain:
    """Popularity, with a fit that takes the log alone."""

    def fit(self, data):
        return vt.Popularity().fit(data)
