"""What happens to personal content as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class CustomerErased:
    """The keys of everything that was recorded of a customer before this are destroyed; the certificate says what.

    Who writes from one of their addresses again is a new customer.
    """

    customer_id: UUID
    certificate_id: UUID
    reason: str = ""
