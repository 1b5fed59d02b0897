"""What a record is: the kinds of payload, their units of size and what people are shown of them."""
