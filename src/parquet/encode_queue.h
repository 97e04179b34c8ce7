/* Threads that encode row groups. Groups go in and come out in the same order. */
#ifndef STOA_PARQUET_ENCODE_QUEUE_H
#define STOA_PARQUET_ENCODE_QUEUE_H

#include "parquet/row_group.h"

typedef struct stoa_encode_queue stoa_encode_queue;

/// Starts options->threads threads. `options` and `leaves` are borrowed until close.
///
/// Threads  All functions are for one thread, the writer's caller.
STOA_MUST_USE stoa_status stoa_encode_queue_create(const stoa_context *context,
                                                   const stoa_parquet_options *options,
                                                   const stoa_leaf *leaves,
                                                   stoa_encode_queue **out, stoa_error *err);
/// True when the oldest group must be taken out before the next goes in.
bool stoa_encode_queue_is_full(const stoa_encode_queue *queue);
bool stoa_encode_queue_is_empty(const stoa_encode_queue *queue);
/// Moves `group` in.
void stoa_encode_queue_put(stoa_encode_queue *queue, stoa_row_group *group);
/// Waits for the oldest group and moves it out; on error the group is gone.
STOA_MUST_USE stoa_status stoa_encode_queue_take(stoa_encode_queue *queue, stoa_row_group *out,
                                                 stoa_error *err);
/// Waits until the threads have ended; groups that are left are dropped. NULL is allowed.
void stoa_encode_queue_close(stoa_encode_queue *queue);

#endif
