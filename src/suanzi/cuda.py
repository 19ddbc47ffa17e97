"""What scripts ask of `torch.cuda`: there is none here."""


def is_available() -> bool:
    """Whether there is such a device: no."""
    return False


def device_count() -> int:
    """How many there are: none."""
    return 0


def manual_seed_all(seed: int) -> None:
    """Nothing: there is no generator there to seed."""


manual_seed = manual_seed_all

__all__ = ["device_count", "is_available", "manual_seed", "manual_seed_all"]
