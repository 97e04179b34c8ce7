/* Keys: the primary key of a row as bytes whose unsigned order is the order of its values.
 *
 *     stoa_key_format_init(&format, schema, columns, 2, &err);
 *     stoa_keys_append(&format, batch, 0, batch->length, &keys, &err);
 *     … compare, sort, store …
 *     stoa_keys_decode(&format, pool, &view, arrays, &err);
 *
 * The table of encodings is in docs/design/lsm.md. They are part of the file format: a change to one
 * is a new version. */
#ifndef STOA_LSM_KEY_H
#define STOA_LSM_KEY_H

#include <stoa/schema.h>

#include "mem/buffer.h"
#include "schema/predicate.h"

enum { STOA_KEY_PARTS_MAX = 16, STOA_KEY_BYTES_MAX = 65536 };

/* A column of the key, as a program names it. */
typedef struct stoa_key_column {
    int32_t field_id; /* of a column: a field of the schema's root */
    bool descending;
} stoa_key_column;

typedef enum stoa_key_part_kind {
    STOA_KEY_NUMBER,  /* up to 8 bytes */
    STOA_KEY_DECIMAL, /* 16 bytes */
    STOA_KEY_FIXED,   /* bytes as they are, of one length */
    STOA_KEY_TEXT,    /* escaped, with an end */
    STOA_KEY_TAIL     /* as it is, of any length: the last part */
} stoa_key_part_kind;

typedef struct stoa_key_part {
    const stoa_field *field; /* the schema's */
    int32_t column;          /* its position in a batch */
    stoa_key_part_kind kind;
    int32_t size; /* bytes of every value; 0: of any length */
    bool descending;
} stoa_key_part;

/* How the keys of a table are made; borrows the schema. Keys are `fixed_bytes` long when that is not 0;
 * up to 8 bytes they are held as numbers (`is_number`). */
typedef struct stoa_key_format {
    stoa_key_part parts[STOA_KEY_PARTS_MAX];
    int32_t part_count;
    int32_t fixed_bytes;
    bool is_number;
} stoa_key_format;

/// Errors   STOA_INVALID      no column, more than STOA_KEY_PARTS_MAX, one that is not in the schema,
///                            named twice, not required, or more than STOA_KEY_BYTES_MAX
///          STOA_UNSUPPORTED  a type that has no order as a key (nested, interval, unknown)
STOA_MUST_USE stoa_status stoa_key_format_init(stoa_key_format *format, const stoa_schema *schema,
                                               const stoa_key_column *columns, int32_t count,
                                               stoa_error *err);

/* Keys of rows, one after the other. Of numbers only `numbers` is used. */
typedef struct stoa_keys {
    int64_t count;
    stoa_buffer numbers; /* uint64_t; the key's bytes read as one big-endian number */
    stoa_buffer bytes;
    stoa_buffer offsets; /* uint32_t, one more than keys */
} stoa_keys;

/* The same where they lie, in a file or in memory. */
typedef struct stoa_keys_view {
    int64_t count;
    const uint64_t *numbers;
    const uint8_t *bytes;
    const uint32_t *offsets;
} stoa_keys_view;

void stoa_keys_init(stoa_keys *keys, stoa_pool *pool);
void stoa_keys_release(stoa_keys *keys);
static inline stoa_keys_view stoa_keys_view_of(const stoa_keys *keys) {
    return (stoa_keys_view){keys->count, (const uint64_t *)(const void *)keys->numbers.data,
                            keys->bytes.data, (const uint32_t *)(const void *)keys->offsets.data};
}

/// One key as bytes; those of a number are put into `number`.
const uint8_t *stoa_keys_bytes(const stoa_key_format *format, const stoa_keys_view *keys,
                               int64_t index, uint8_t number[8], size_t *out_size);
/// -1, 0 or 1.
int stoa_keys_compare(const stoa_key_format *format, const stoa_keys_view *left, int64_t left_index,
                      const stoa_keys_view *right, int64_t right_index);

/// Appends the keys of rows [first, first + count) of a batch in the schema's canonical layout. Floats
/// lose what has no order: -0.0 becomes 0.0, every NaN the same.
///
/// Errors   STOA_INVALID  a null (with column and row)
///          STOA_LIMIT    a key of more than STOA_KEY_BYTES_MAX bytes (with row), or 4 GiB in all
///          STOA_NO_MEMORY; on any error `keys` is as it was
STOA_MUST_USE stoa_status stoa_keys_append(const stoa_key_format *format,
                                           const struct ArrowArray *batch, int64_t first,
                                           int64_t count, stoa_keys *keys, stoa_error *err);

/// Appends the bytes of one key, or of the keys that begin with `count` values (the bounds of a range).
/// Values are of the columns' types.
///
/// Errors   STOA_INVALID  a null; STOA_LIMIT as above
STOA_MUST_USE stoa_status stoa_key_encode(const stoa_key_format *format, const stoa_value *values,
                                          int32_t count, stoa_buffer *out, stoa_error *err);

/// Keys back to columns, one array a part in the canonical layout, without nulls. The bytes may come
/// from outside: texts are not checked to be UTF-8, all else is.
///
/// Errors   STOA_CORRUPT  bytes that are no key of this format (with row); STOA_NO_MEMORY, STOA_LIMIT
/// Owns     On error every array is released.
STOA_MUST_USE stoa_status stoa_keys_decode(const stoa_key_format *format, stoa_pool *pool,
                                           const stoa_keys_view *keys, struct ArrowArray *arrays,
                                           stoa_error *err);

/// Appends one key as text: (7, "bob").
///
/// Errors   STOA_CORRUPT  bytes that are no key of this format; STOA_NO_MEMORY. `out` is as it was
STOA_MUST_USE stoa_status stoa_key_print(const stoa_key_format *format, stoa_pool *pool,
                                         const uint8_t *bytes, size_t size, stoa_buffer *out,
                                         stoa_error *err);

#endif
