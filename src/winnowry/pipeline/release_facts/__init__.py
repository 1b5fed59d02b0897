"""What there is to say about a release, computed from the tables as JSON-able facts; ``winnowry.report`` shows them."""
