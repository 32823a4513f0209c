# SPDX-License-Identifier: GPL-2.0
"""The benchmark: what runs in the guest (stage, frames, peers, cases) and what the host makes of it."""
