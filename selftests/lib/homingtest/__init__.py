# SPDX-License-Identifier: GPL-2.0
"""What the test bed and the guest tests share; one subject a file, standard library only."""
