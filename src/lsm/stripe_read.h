/* Reading stripes: segments are checked when they are first used, and from then on read in place. */
#ifndef STOA_LSM_STRIPE_READ_H
#define STOA_LSM_STRIPE_READ_H

#include <stdatomic.h>

#include "arrow/owner.h"
#include "lsm/stripe_schema.h"
#include "schema/predicate.h"

/* A segment that several threads may open at once. */
typedef struct stoa_stripe_slot {
    _Atomic uint8_t state; /* 0: not opened, 1: being stored, 2: there */
    stoa_segment segment;
    void *raw; /* its bytes where they stand compressed in the file, else NULL */
} stoa_stripe_slot;

/* What the compressed segments of a file are opened with. */
typedef struct stoa_stripe_decompression {
    stoa_pool *pool;
    stoa_compression codec;
    _Atomic uint64_t bytes; /* that slots hold */
} stoa_stripe_decompression;

/* A stripe where it lies. `parts` and `slots` are one a segment of the layout; the parts lie within
 * `bytes`. Columns are those of the table: of the layout, or of the schema's `table` where that is another
 * one. */
typedef struct stoa_stripe {
    const stoa_stripe_layout *layout;
    const stoa_stripe_schema *schema; /* NULL: the table's is the layout's */
    const uint8_t *bytes;
    const stoa_stripe_part *parts;
    stoa_stripe_slot *slots;
    stoa_stripe_decompression *decompression; /* NULL: no part has a raw size */
    uint32_t row_count;
    const uint8_t *prefix; /* of keys that are no numbers */
    uint32_t prefix_size;
} stoa_stripe;

/* Rows of a stripe: those listed, or `count` from `first`. */
typedef struct stoa_stripe_selection {
    const uint32_t *rows; /* NULL: all in between */
    uint32_t first;
    int64_t count;
} stoa_stripe_selection;

/// How the columns that are asked for lie in batches.
static inline const stoa_stripe_layout *stoa_stripe_table(const stoa_stripe *stripe) {
    return stripe->schema != NULL ? stripe->schema->table : stripe->layout;
}
/// Where the values of one of its nodes are in the stripe; NULL: they are all null.
static inline const stoa_stripe_node *stoa_stripe_source(const stoa_stripe *stripe, int32_t node) {
    const int32_t found = stripe->schema != NULL ? stripe->schema->nodes[node] : node;
    return found < 0 ? NULL : &stripe->layout->nodes[found];
}

/// Segment `number` with `count` values. One that stands compressed is decompressed at its first use, into
/// memory that its slot holds.
///
/// Errors   STOA_CORRUPT  its checksum, or what it holds; of compressed ones STOA_LIMIT, STOA_NO_MEMORY
/// Threads  Safe from any.
STOA_MUST_USE stoa_status stoa_stripe_segment(const stoa_stripe *stripe, int32_t number,
                                              uint32_t count, const stoa_segment **out,
                                              stoa_error *err);

/// The same where it was opened before; false where it was not.
static inline bool stoa_stripe_segment_if_open(const stoa_stripe *stripe, int32_t number,
                                               const stoa_segment **out) {
    const stoa_stripe_slot *slot = &stripe->slots[number];
    *out = &slot->segment;
    return atomic_load_explicit(&slot->state, memory_order_acquire) == 2;
}

/// Asks for the memory of the first segments' slots, for those who read many columns of few rows.
///
/// Inlined for the reason that stoa_segment_prefetch is.
__attribute__((always_inline)) static inline void stoa_stripe_slots_prefetch(
    const stoa_stripe *stripe) {
    enum { LINE = 64, SLOTS_MAX = 16 };
    const int32_t count = stripe->layout->segment_count;
    const char *slots = (const char *)stripe->slots;
    const size_t size = (size_t)(count < SLOTS_MAX ? count : SLOTS_MAX) * sizeof *stripe->slots;
    for (size_t at = 0; at < size; at += LINE) {
        __builtin_prefetch(slots + at);
    }
}

/// Frees what the slots of a stripe hold; nobody reads it any more.
void stoa_stripe_slots_release(const stoa_stripe *stripe);

/// The first row whose key is not less than `number` (keys that are numbers) or `key`; row_count when
/// there is none.
STOA_MUST_USE stoa_status stoa_stripe_find_number(const stoa_stripe *stripe, uint64_t number,
                                                  uint32_t *out, stoa_error *err);
STOA_MUST_USE stoa_status stoa_stripe_find_bytes(const stoa_stripe *stripe, const uint8_t *key,
                                                 size_t size, uint32_t *out, stoa_error *err);

/// Appends the keys of rows.
STOA_MUST_USE stoa_status stoa_stripe_keys(const stoa_stripe *stripe,
                                           const stoa_stripe_selection *selection, stoa_keys *out,
                                           stoa_error *err);

/// Column `column`, which is not of the key, of rows, in the canonical layout.
///
/// Errors   STOA_CORRUPT (with the column); STOA_LIMIT  more than 2 GiB of texts or items
/// Owns     On error `out` is released.
STOA_MUST_USE stoa_status stoa_stripe_column(const stoa_stripe *stripe, stoa_pool *pool,
                                             int32_t column, const stoa_stripe_selection *selection,
                                             struct ArrowArray *out, stoa_error *err);

/// The same, where plain values and texts of rows that lie one after the other are not copied: the array
/// shows them where they are and takes a reference to `keeper`, which holds the stripe's bytes (NULL:
/// everything is copied).
STOA_MUST_USE stoa_status stoa_stripe_column_view(const stoa_stripe *stripe, stoa_pool *pool,
                                                  stoa_keeper *keeper, int32_t column,
                                                  const stoa_stripe_selection *selection,
                                                  struct ArrowArray *out, stoa_error *err);

/// Sets bit i of `bitmap` (stoa_bitmap_bytes(row_count) bytes) exactly when row i makes a leaf of a
/// predicate true: a comparison of column `column`, by the rules of schema/predicate.h and without
/// unpacking the column where its encoding allows that, or a null test of it. `*out_applied` false: this
/// is no such leaf (a tree, a field within a struct, a column of the key), and nothing was done.
///
/// Errors   STOA_CORRUPT (with the column); STOA_INVALID, STOA_UNSUPPORTED  as stoa_predicate_select;
///          STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_stripe_select(const stoa_stripe *stripe, stoa_pool *pool,
                                             int32_t column, const stoa_predicate *leaf,
                                             uint8_t *bitmap, bool *out_applied, stoa_error *err);

#endif
