"""The id of a stream says what it is the stream of: those of one kind are never those of another."""

from uuid import UUID, uuid4

from shared.domain import merge, own_fields


def test_no_pair_of_customers_has_the_stream_of_the_own_fields() -> None:
    """Both come from one constant, which is in stored ids and stays: names in a namespace are of another version."""
    assert own_fields.STREAM == merge.NAMESPACE == UUID("5f0c2f4e-6f6b-4e6f-8a51-6f6b6e6f0002")
    pairs = [merge.suggestion_id(uuid4(), uuid4()) for _ in range(100)]
    assert (own_fields.STREAM.version, {pair.version for pair in pairs}) == (4, {5})
