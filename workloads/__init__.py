"""The applications that SAIH scales; none of them knows that it is being measured."""
