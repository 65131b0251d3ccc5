"""Calls through strict networks, with real parts: network namespaces, nftables, squid, coturn, Chromium, and the whole house.

    Ana's browser 10.1.0.10 ── gateway A 10.1.0.1 │ 198.51.100.2 ──┐
                                                                    ├── switch ── server 198.51.100.10 (.11 TURN, .13 without)
    Ben's browser 10.2.0.10 ── gateway B 10.2.0.1 │ 198.51.100.3 ──┘

Each gateway is a firewall, a NAT, or the place of a proxy, as `lab.py` is told. `parts.py` starts what runs there, `proxies.py`
holds the small servers that no package offers, `seen.py` writes docs/networks.md from what a run has seen. Needs root; nothing
leaves the machine, and everything is gone afterwards.
"""
