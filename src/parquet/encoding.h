/* Row groups that are being encoded: each column chunk is a task of the context's scheduler. Groups
 * go in and come out in the same order. */
#ifndef STOA_PARQUET_ENCODING_H
#define STOA_PARQUET_ENCODING_H

#include "parquet/row_group.h"

typedef struct stoa_encoding stoa_encoding;

/// Room for `options->row_groups_in_flight` groups, or as many as keep the scheduler's threads busy.
/// `options` and `leaves` are borrowed until close.
///
/// Threads  All functions are for one thread at a time, the writer's caller.
STOA_MUST_USE stoa_status stoa_encoding_create(const stoa_context *context,
                                               const stoa_parquet_options *options,
                                               const stoa_leaf *leaves, int32_t leaf_count,
                                               stoa_encoding **out, stoa_error *err);
/// True when the oldest group must be taken out before the next goes in.
bool stoa_encoding_is_full(const stoa_encoding *encoding);
bool stoa_encoding_is_empty(const stoa_encoding *encoding);
/// Moves `group` in, unless it fails. Without a scheduler it is encoded within the call.
STOA_MUST_USE stoa_status stoa_encoding_put(stoa_encoding *encoding, stoa_row_group *group,
                                            stoa_error *err);
/// Waits for the oldest group, working meanwhile, and moves it out; on error the group is gone.
STOA_MUST_USE stoa_status stoa_encoding_take(stoa_encoding *encoding, stoa_row_group *out,
                                             stoa_error *err);
/// Waits for tasks that run; groups that are left are dropped. NULL is allowed.
void stoa_encoding_close(stoa_encoding *encoding);

#endif
