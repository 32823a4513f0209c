/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads for kapi::ffi: the shim, and the kernel's headers whose
 * functions and types are named in Kbuild.
 *
 * The kernel's own Rust bindings carry what its Rust code happens to use, which
 * differs from one version to the next.
 */
#include <net/genetlink.h>

#include "shim.h"
