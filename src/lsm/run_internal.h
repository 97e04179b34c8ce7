/* What the files of runs share. */
#ifndef STOA_LSM_RUN_INTERNAL_H
#define STOA_LSM_RUN_INTERNAL_H

#include "lsm/interleave_kernel.h"
#include "lsm/run.h"

enum { STOA_RUN_WINDOW_FIRST = 256 }; /* after a seek; then twice as many each time */

/* A window: rows of a stripe or of a memtable. */
typedef struct stoa_run_window_rows {
    stoa_run_window window; /* the first: what users see */
    stoa_pool *pool;
    const stoa_stripe_layout *layout;
    stoa_keys keys;
    stoa_buffer sequences; /* uint64_t, once they were asked for; of memtables always */
    stoa_buffer operations;
    bool has_sequences;
    bool has_operations;

    uint32_t gather_slot; /* where the gathering that listed its rows last has it; a guess */

    /* of files */
    const stoa_table_file *file;
    const stoa_stripe *stripe;
    int64_t stripe_number;
    uint32_t first; /* of its rows in the stripe */

    /* of memtables: the pieces that the rows lie in, and where in these */
    stoa_buffer pieces; /* const stoa_memtable_piece * */
    stoa_buffer places; /* stoa_place */
} stoa_run_window_rows;

/* The keys at which a cursor ends, as bytes and (where keys are numbers) as a number. */
typedef struct stoa_run_end {
    bool is_open; /* there is none */
    uint64_t number;
    const uint8_t *bytes; /* in the cursor's buffer */
    size_t size;
} stoa_run_end;

struct stoa_run_cursor {
    stoa_pool *pool;
    const stoa_stripe_layout *layout;
    stoa_run run;
    stoa_run_end end;
    stoa_buffer end_bytes;
    int64_t rows_max;            /* of the next window */
    stoa_run_window_rows *spare; /* the last window, used again when nobody else has it; or NULL */

    /* of files: the next row; at the end `file` is the count */
    int64_t file;
    stoa_sst_position position;
    stoa_run_skip skip;
    void *skip_user;

    /* of memtables */
    stoa_memtable_order *order;
    int64_t next;
    stoa_buffer piece_slots; /* see run_memtable.c */
};

/// Whether a key lies before the cursor's end.
bool stoa_run_is_before_end(const stoa_run_cursor *cursor, const uint8_t *key, size_t size);

/// A cursor of files: the first row whose key is not less than `key`.
stoa_status stoa_run_files_seek(stoa_run_cursor *cursor, const uint8_t *key, size_t size,
                                stoa_error *err);

/// A memtable's cursor: the first row whose key is not less than `key`.
stoa_status stoa_run_memtable_seek(stoa_run_cursor *cursor, const uint8_t *key, size_t size,
                                   stoa_error *err);
/// The same in the order that the cursor has already.
int64_t stoa_run_memtable_find(const stoa_run_cursor *cursor, const uint8_t *key, size_t size);
/// Fills an empty window with up to `max_rows` rows from cursor->next on.
stoa_status stoa_run_memtable_fill(stoa_run_cursor *cursor, int64_t max_rows,
                                   stoa_run_window_rows *window, stoa_error *err);
stoa_status stoa_run_memtable_column(const stoa_run_window_rows *window, stoa_pool *pool,
                                     int32_t column, const uint32_t *rows, int64_t first,
                                     int64_t count, struct ArrowArray *out, stoa_error *err);

#endif
