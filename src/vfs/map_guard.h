/* Mapped files that may be cut short while they are used: the fault becomes zeros and a mark. */
#ifndef STOA_VFS_MAP_GUARD_H
#define STOA_VFS_MAP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/// One mapped file; all-zero is none.
typedef struct stoa_guarded_map {
    void *bytes;
    size_t size;
    bool is_writable;
    struct stoa_map_slot *slot;
} stoa_guarded_map;

/// Maps the first `size` bytes (not 0) of a descriptor, shared; for reading, or for writing too.
///
/// Errors   STOA_UNSUPPORTED  the program wants no maps, or changes its handler for SIGBUS all the
///                            time; or the device cannot be mapped
///          STOA_NO_MEMORY, STOA_IO
/// Threads  Any.
STOA_MUST_USE stoa_status stoa_guarded_map_open(int descriptor, size_t size, bool is_writable,
                                                stoa_guarded_map *out, stoa_error *err);

/// Whether a read from the map, or a store into it, met a page that could not be had. What was read and
/// stored before the call is covered by its answer.
bool stoa_guarded_map_is_broken(const stoa_guarded_map *map);
/// What that says, as a number in memory: not 0 once it is so.
const uint32_t *stoa_guarded_map_mark(const stoa_guarded_map *map);

void stoa_guarded_map_close(stoa_guarded_map *map);

#endif
