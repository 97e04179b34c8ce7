/* What of a file a stream reads: its options, checked and copied, and what follows from them. A plan
 * does not change once it is made; any number of lanes read by it. */
#ifndef STOA_PARQUET_READ_PLAN_H
#define STOA_PARQUET_READ_PLAN_H

#include "parquet/reader_internal.h"

/// Rows of one row group that make one batch. Rows are counted from the group's first.
typedef struct stoa_read_window {
    int32_t group; /* of the footer */
    int64_t first;
    int64_t count;
} stoa_read_window;

/// Rows of one row group that one lane reads from the first to the last.
typedef struct stoa_read_part {
    int32_t group;       /* of the footer */
    int64_t group_first; /* its first row, counted over the file */
    int64_t first;       /* of the group's rows */
    int64_t end;
} stoa_read_part;

typedef struct stoa_read_plan {
    const stoa_parquet_reader *reader;
    stoa_parquet_read_options options; /* its arrays lie in the arena; what was left open is chosen */
    stoa_arena arena;
    const stoa_schema *schema; /* of the projection, as `root` */
    stoa_read_node root;
    const stoa_read_node **leaves; /* of `root`, then those that only the predicate looks at */
    int32_t leaf_count;
    bool *encodes; /* by leaf: it comes dictionary-encoded */
    stoa_read_part *parts; /* in the order of their rows in the stream */
    int64_t part_count;
    double row_bytes;    /* of a row in its batch, as far as the footer tells */
    size_t window_bytes; /* that lanes need to run ahead of who takes the batches */
} stoa_read_plan;

/// Borrows the reader. Row groups that are large, or fewer than `lane_count` lanes want, are cut into
/// several parts.
///
/// Errors   STOA_INVALID  a field, row group or range that the file does not have, or a predicate on
///                        a field that does not lie outside lists and maps
///          STOA_NO_MEMORY, STOA_LIMIT
/// Owns     The caller releases `out`, also on error.
STOA_MUST_USE stoa_status stoa_read_plan_init(const stoa_parquet_reader *reader,
                                              const stoa_parquet_read_options *options,
                                              int32_t lane_count, stoa_read_plan *out,
                                              stoa_error *err);
void stoa_read_plan_release(stoa_read_plan *plan);

/// How many leaves a field has: itself, or those below it.
int32_t stoa_read_plan_leaves(const stoa_read_node *node);

/// The schema of the plan's batches.
///
/// Owns     The caller releases `out`.
STOA_MUST_USE stoa_status stoa_read_plan_arrow(const stoa_read_plan *plan, struct ArrowSchema *out,
                                               stoa_error *err);

/// The first rows of the part from `row` on (of the group's) that are wanted, at most a batch; false
/// when there are none.
bool stoa_read_plan_window(const stoa_read_plan *plan, const stoa_read_part *part, int64_t row,
                           stoa_read_window *out);

#endif
