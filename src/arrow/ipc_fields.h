/* The fields of a schema as the IPC code walks them: layouts parsed once, dictionaries numbered. */
#ifndef STOA_ARROW_IPC_FIELDS_H
#define STOA_ARROW_IPC_FIELDS_H

#include <stoa/arrow.h>

#include "arrow/layout.h"
#include "mem/arena.h"

typedef struct stoa_ipc_field {
    const struct ArrowSchema *schema; /* borrowed */
    stoa_arrow_layout layout;
    int64_t dictionary_id;         /* where layout.dictionary */
    struct stoa_ipc_field *values; /* likewise: the dictionary's values */
    struct stoa_ipc_field *children;
    int64_t child_count;
} stoa_ipc_field;

/// Dictionary ids in the order of the fields, a field before what is below it.
typedef struct stoa_ipc_ids {
    int64_t *ids; /* from an arena; NULL: count up from 0 */
    uint32_t count;
} stoa_ipc_ids;

/// Builds the tree for a schema that stays where it is.
///
/// Errors   STOA_INVALID, STOA_UNSUPPORTED  a format, or more than STOA_ARROW_DEPTH_MAX levels
STOA_MUST_USE stoa_status stoa_ipc_fields_build(stoa_arena *arena, const struct ArrowSchema *schema,
                                                const stoa_ipc_ids *ids, stoa_ipc_field **out,
                                                stoa_error *err);

/// Number of dictionaries below a field, with repetitions.
uint32_t stoa_ipc_fields_dictionary_count(const stoa_ipc_field *field);

#endif
