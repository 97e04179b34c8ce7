/* From the pieces of a record batch to arrays: who takes which node and which buffers. */
#ifndef STOA_ARROW_IPC_BATCH_H
#define STOA_ARROW_IPC_BATCH_H

#include "arrow/ipc_body.h"
#include "arrow/ipc_fields.h"

/// Gives the values of a dictionary, by its id, as an array that `out` then owns.
typedef stoa_status (*stoa_ipc_resolve)(void *user, const stoa_ipc_field *field,
                                        struct ArrowArray *out, stoa_error *err);

typedef struct stoa_ipc_assembly {
    stoa_ipc_body *body; /* NULL: every node is empty */
    stoa_pool *pool;
    stoa_ipc_resolve resolve;
    void *resolve_user;
} stoa_ipc_assembly;

/// Assembles a batch: a struct array with the children of `root`. Nothing is copied but buffers
/// that lie where their values may not. Sizes are checked here; offsets, indices and texts are for
/// stoa_arrow_validate.
///
/// Errors   STOA_CORRUPT  without file and offset, which the caller knows
///          STOA_UNSUPPORTED, STOA_NO_MEMORY, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_ipc_assemble_batch(const stoa_ipc_assembly *assembly,
                                                  const stoa_ipc_field *root,
                                                  struct ArrowArray *out, stoa_error *err);
/// Assembles one array: the values of a dictionary, whose body has a single column.
STOA_MUST_USE stoa_status stoa_ipc_assemble_values(const stoa_ipc_assembly *assembly,
                                                   const stoa_ipc_field *field,
                                                   struct ArrowArray *out, stoa_error *err);

#endif
