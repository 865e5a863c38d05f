"""Whom an HTTP client trusts."""

import ssl


def authorities(url: str) -> ssl.SSLContext | bool:
    """What httpx takes as `verify` for an address: nobody where nothing is encrypted.

    Reading the authorities takes some 30 ms and 3 MB in each process, for addresses of this machine in vain.
    """
    return url.startswith("https:") or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
