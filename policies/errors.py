"""What is said of a pack, a set of facts or a period that cannot be used."""


class PolicyError(ValueError):
    """Something written for the policies cannot be used; the sentence names the field."""


class PackError(PolicyError):
    """A policy pack cannot be used."""


class FactsError(PolicyError):
    """A document of facts cannot be used."""


class PeriodError(PolicyError):
    """A period is not ISO 8601, or longer than anything is kept."""


class NoDeadline(PolicyError):
    """A pack states no deadline for a request of this type."""
