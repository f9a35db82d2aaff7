"""How a Python object becomes the bytes of a version, and back.

A serializer has a name, which is recorded in the version, so that load_model knows what to use.
Packages add their own by entry points of the group "modelreg.serializers".
"""

from modelreg.serializers.base import (
    AUTO,
    GROUP,
    Serializer,
    choose,
    find,
    names,
)
from modelreg.serializers.origin import (
    OnlyHereWarning,
    Origin,
    VersionMismatchWarning,
    versions_text,
    warn_of_other_versions,
)

__all__ = [
    "AUTO",
    "GROUP",
    "OnlyHereWarning",
    "Origin",
    "Serializer",
    "VersionMismatchWarning",
    "choose",
    "find",
    "names",
    "versions_text",
    "warn_of_other_versions",
]
