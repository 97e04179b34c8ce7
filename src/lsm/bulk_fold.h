/* Operands of a bulk load, folded by key before they become a file. */
#ifndef STOA_LSM_BULK_FOLD_H
#define STOA_LSM_BULK_FOLD_H

#include "lsm/memtable.h"
#include "lsm/merge_operator.h"

/// The operands of a memtable, which holds nothing else, with one of each key: in a memtable of their own,
/// or in the same one where no key has two.
///
/// Errors   STOA_INVALID, STOA_UNSUPPORTED  as stoa_merge_fold; STOA_LIMIT, STOA_NO_MEMORY
/// Owns     `*out` is one reference; the caller's own stays.
STOA_MUST_USE stoa_status stoa_bulk_fold(stoa_pool *pool, stoa_definition *definition,
                                         stoa_merge_programs *programs, stoa_memtable *operands,
                                         stoa_memtable **out, stoa_error *err);

#endif
