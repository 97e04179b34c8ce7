/* Stripes: up to 8,192 rows in the order of their keys, as segments. A row has a key, a sequence
 * number, an operation, and the columns that are not in the key, nested ones included.
 *
 * A stripe is encoded by a pure function of its rows, so any thread may do it. */
#ifndef STOA_LSM_STRIPE_H
#define STOA_LSM_STRIPE_H

#include "codec/compress.h"
#include "lsm/key.h"
#include "lsm/segment.h"
#include "mem/arena.h"

enum {
    STOA_STRIPE_ROWS = 8192,
    STOA_STRIPE_RAW_BYTES_MAX = 64 << 20 /* of a segment that stands compressed */
};

typedef enum stoa_operation {
    STOA_OPERATION_PUT,
    STOA_OPERATION_DELETE, /* its columns hold nothing of use */
    STOA_OPERATION_MERGE   /* its columns are operands */
} stoa_operation;

/* A field of a column's tree, in the order of the schema, parents first. */
typedef struct stoa_stripe_node {
    const stoa_type *type;
    stoa_segment_type values; /* leaves */
    int32_t subtree;          /* nodes from this one to the end of what is below it */
    int32_t validity_segment; /* -1: required */
    int32_t value_segment;    /* leaves; offsets of lists and maps; -1: structs, unknown */
} stoa_stripe_node;

enum {
    STOA_STRIPE_KEYS,
    STOA_STRIPE_SEQUENCES,
    STOA_STRIPE_OPERATIONS,
    STOA_STRIPE_FIRST_VALUE /* segments of the columns follow */
};

/* How the rows of a table lie in stripes. Borrows schema and key; lies in the arena that it was made
 * with. */
typedef struct stoa_stripe_layout {
    const stoa_schema *schema;
    const stoa_key_format *key;
    stoa_stripe_node *nodes;
    int32_t node_count;
    int32_t *column_nodes; /* a column's node; -1: part of the key */
    int32_t segment_count;
    size_t row_bytes; /* of a row in the log, where all rows take as many; 0: they differ */
} stoa_stripe_layout;

STOA_MUST_USE stoa_status stoa_stripe_layout_init(stoa_stripe_layout *layout, stoa_arena *arena,
                                                  const stoa_schema *schema,
                                                  const stoa_key_format *key, stoa_error *err);

/* Rows to encode: row i is key first_key + i, sequence and operation i, row first + i of the batch in
 * the schema's canonical layout (whose key columns are not looked at). */
typedef struct stoa_stripe_rows {
    const stoa_keys_view *keys;
    int64_t first_key;
    const uint64_t *sequences;
    const uint8_t *operations;
    const struct ArrowArray *batch;
    int64_t first;
    int64_t count;
} stoa_stripe_rows;

/* One segment of an encoded stripe. */
typedef struct stoa_stripe_part {
    uint32_t offset;   /* in the stripe, a multiple of 8 */
    uint32_t size;     /* there */
    uint32_t raw_size; /* of the segment, where it stands compressed; 0: it stands as it is */
    uint32_t crc;      /* CRC-32C of what stands there */
} stoa_stripe_part;

/* Working memory of encoding. */
typedef struct stoa_stripe_encoder stoa_stripe_encoder;

/// With a codec, segments of columns are compressed where that saves an eighth and more of their bytes;
/// keys, sequence numbers and operations never are: a search reads them.
STOA_MUST_USE stoa_status stoa_stripe_encoder_create(stoa_pool *pool,
                                                     const stoa_stripe_layout *layout,
                                                     stoa_compression codec,
                                                     stoa_stripe_encoder **out, stoa_error *err);
void stoa_stripe_encoder_close(stoa_stripe_encoder *encoder);
stoa_compression stoa_stripe_encoder_codec(const stoa_stripe_encoder *encoder);

/// Appends a stripe to `out` (whose size is a multiple of 8) and fills `parts`, one a segment. Keys
/// that are no numbers are stored without the `*out_prefix` bytes that all of them begin with.
///
/// Errors   STOA_LIMIT  4 GiB in one stripe; STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_stripe_encode(stoa_stripe_encoder *encoder,
                                             const stoa_stripe_rows *rows, stoa_buffer *out,
                                             stoa_stripe_part *parts, uint32_t *out_prefix,
                                             stoa_error *err);

/// How the values of a type lie: class and width. Of structs and unknown it says nothing.
stoa_segment_type stoa_stripe_type(const stoa_type *type);

/// What a segment of the layout holds.
stoa_segment_type stoa_stripe_segment_type(const stoa_stripe_layout *layout, int32_t segment);

#endif
