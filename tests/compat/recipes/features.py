"""The function that photos.yaml names."""


def width(payload):
    return [None] * len(payload)
