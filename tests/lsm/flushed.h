/* What tests of flushes and outputs share: a table's definition, file numbers, and all rows of an
 * SSTable read back. */
#ifndef STOA_TESTS_LSM_FLUSHED_H
#define STOA_TESTS_LSM_FLUSHED_H

#include <stdatomic.h>

#include "base/bits.h"
#include "lsm/output.h"
#include "table_rows.h"

#define FLUSHED_DIRECTORY "test:/t"

/// A definition over a format's schema and key.
static inline stoa_definition *flushed_definition(const struct table_format *format) {
    const stoa_state_table_options options = {.key = format->has_text ? "name, id" : "id"};
    stoa_definition *definition;
    stoa_error err;
    assert_ok(stoa_definition_create(format->pool, format->schema, &options, &definition, &err),
              err);
    return definition;
}

static inline uint64_t flushed_next_file(void *user) {
    return atomic_fetch_add((_Atomic uint64_t *)user, 1) + 1;
}

static inline stoa_status flushed_count_file(void *user, const char *name,
                                             const stoa_file_info *info, stoa_error *err) {
    (void)name, (void)info, (void)err;
    ++*(int64_t *)user;
    return STOA_OK;
}

/// Files that lie in the directory.
static inline int64_t flushed_files(stoa_fs_registry *registry) {
    int64_t count = 0;
    stoa_error err;
    assert_ok(stoa_vfs_list(registry, FLUSHED_DIRECTORY, NULL, flushed_count_file, &count, &err),
              err);
    return count;
}

/* Rows of a file; `values` is its last column, a long. */
struct flushed {
    stoa_keys keys;
    stoa_buffer sequences;
    stoa_buffer operations;
    stoa_buffer values; /* stoa_cell */
};

static inline void flushed_init(struct flushed *rows, stoa_pool *pool) {
    stoa_keys_init(&rows->keys, pool);
    stoa_buffer_init(&rows->sequences, pool);
    stoa_buffer_init(&rows->operations, pool);
    stoa_buffer_init(&rows->values, pool);
}

static inline void flushed_release(struct flushed *rows) {
    stoa_keys_release(&rows->keys);
    stoa_buffer_release(&rows->sequences);
    stoa_buffer_release(&rows->operations);
    stoa_buffer_release(&rows->values);
}

/// Appends the rows of a stripe.
static inline void flushed_add_stripe(const stoa_stripe *stripe, stoa_pool *pool,
                                      struct flushed *rows) {
    const int32_t column = stripe->layout->schema->root.child_count - 1;
    const stoa_stripe_selection all = {NULL, 0, stripe->row_count};
    const stoa_segment *sequences, *operations;
    struct ArrowArray values;
    stoa_error err;
    assert_ok(stoa_stripe_keys(stripe, &all, &rows->keys, &err), err);
    assert_ok(stoa_stripe_segment(stripe, STOA_STRIPE_SEQUENCES, stripe->row_count, &sequences,
                                  &err),
              err);
    assert_ok(stoa_stripe_segment(stripe, STOA_STRIPE_OPERATIONS, stripe->row_count, &operations,
                                  &err),
              err);
    assert_ok(stoa_stripe_column(stripe, pool, column, &all, &values, &err), err);
    for (uint32_t i = 0; i < stripe->row_count; i++) {
        const uint64_t sequence = (uint64_t)stoa_segment_number(sequences, i);
        const uint8_t operation = (uint8_t)stoa_segment_number(operations, i);
        const stoa_cell value = {.is_null = values.buffers[0] != NULL &&
                                            !stoa_bit_get(values.buffers[0], i),
                                 .i = ((const int64_t *)values.buffers[1])[i]};
        assert_ok(stoa_buffer_append(&rows->sequences, &sequence, sizeof sequence, &err), err);
        assert_ok(stoa_buffer_append(&rows->operations, &operation, sizeof operation, &err), err);
        assert_ok(stoa_buffer_append(&rows->values, &value, sizeof value, &err), err);
    }
    stoa_arrow_array_release(&values);
}

/// Appends the rows of a file, which is sound.
static inline void flushed_add(const stoa_table_file *file, stoa_pool *pool, struct flushed *rows) {
    const stoa_sst_summary *summary = stoa_sst_summary_of(file->sst);
    stoa_error err;
    assert_ok(stoa_sst_verify(file->sst, &err), err);
    assert_int_equal(summary->row_count, file->info.row_count);
    assert_int_equal(summary->delete_count, file->info.delete_count);
    assert_int_equal(summary->file_bytes, file->info.bytes);
    assert_int_equal(summary->sequence_min, file->info.sequence_min);
    assert_int_equal(summary->sequence_max, file->info.sequence_max);
    for (int64_t i = 0; i < summary->stripe_count; i++) {
        flushed_add_stripe(stoa_sst_stripe_at(file->sst, i), pool, rows);
    }
}

#endif
