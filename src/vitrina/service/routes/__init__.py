"""The routes of the API: one table, from which the routing and the description come."""

from vitrina.service.routes import catalogue, feedback, health, lists, metrics, models
from vitrina.service.routes.table import Call, Endpoint, Reply

API = (*lists.ROUTES, *feedback.ROUTES, *catalogue.ROUTES, *models.ROUTES, *health.ROUTES)
WATCHED = (*health.ROUTES, *metrics.ROUTES)

__all__ = ["API", "WATCHED", "Call", "Endpoint", "Reply"]
