"""Pages of other origins: which may embed the room, and what lets their scripts call the API (Fetch Standard, section 3.2).

Who is calling is said by a token in a header, never by a cookie: no answer allows credentials.
"""

Headers = tuple[tuple[str, str], ...]
# Browsers ask again after two hours, whatever they are told.
PREFLIGHT: Headers = (
    ("Access-Control-Allow-Methods", "GET, POST"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, Range"),
    ("Access-Control-Max-Age", "7200"),
)
EXPOSED = "Retry-After, Content-Range, ETag"


def is_allowed(allowed: tuple[str, ...], origin: str) -> bool:
    """Whether a page of this origin is one of those allowed; `*` allows all."""
    return origin in allowed or "*" in allowed


def headers(allowed: tuple[str, ...], origin: str) -> Headers:
    """What an answer of the API to a page of this origin says; nothing where no other origin is allowed at all."""
    if not allowed:
        return ()
    if "*" in allowed:
        return (("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", EXPOSED))
    if origin not in allowed:
        return (("Vary", "Origin"),)
    return (("Vary", "Origin"), ("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", EXPOSED))


def frame_ancestors(allowed: tuple[str, ...]) -> str:
    """Who may show the room in a frame (CSP Level 3, section 6.4.2.1)."""
    return "*" if "*" in allowed else " ".join(("'self'", *allowed))
