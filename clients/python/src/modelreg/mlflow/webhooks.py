"""MLflow's webhooks, which this store does not have.

The registry announces every change itself, to whoever listens on the database's channel
``modelreg``: it is sent when the change commits, whichever client made it.
"""

from __future__ import annotations

from typing import Any, NoReturn

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import NOT_IMPLEMENTED, RESOURCE_DOES_NOT_EXIST
from mlflow.store.entities.paged_list import PagedList


class WithoutWebhooks:
    """There are none. What MLflow's server asks on each change is answered all the same."""

    def create_webhook(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise MlflowException(
            "This registry has no webhooks: it announces its changes on the database's channel "
            "'modelreg'. Listen there, with `modelreg watch` or LISTEN.",
            NOT_IMPLEMENTED,
        )

    def get_webhook(self, webhook_id: str) -> NoReturn:
        raise MlflowException(f"Webhook with ID {webhook_id} not found.", RESOURCE_DOES_NOT_EXIST)

    def list_webhooks(
        self, max_results: int | None = None, page_token: str | None = None
    ) -> PagedList[Any]:
        return PagedList([], None)

    def list_webhooks_by_event(
        self, event: Any, max_results: int | None = None, page_token: str | None = None
    ) -> PagedList[Any]:
        return PagedList([], None)

    def update_webhook(self, webhook_id: str, *args: Any, **kwargs: Any) -> NoReturn:
        self.get_webhook(webhook_id)

    def delete_webhook(self, webhook_id: str) -> NoReturn:
        self.get_webhook(webhook_id)

    def test_webhook(self, webhook_id: str, event: Any = None) -> NoReturn:
        self.get_webhook(webhook_id)
