/* Columns of the type VARIANT as Arrow's struct<metadata, value>: what was shredded into columns of its
 * own is put together again.
 *
 * Source   Apache Parquet format 2.12, "VariantShredding.md" */
#ifndef STOA_PARQUET_READ_VARIANT_H
#define STOA_PARQUET_READ_VARIANT_H

#include "mem/arena.h"
#include "parquet/read_schema.h"

/* How a pair of `value` and `typed_value` becomes one value. */
typedef enum stoa_shred_kind {
    STOA_SHRED_NONE, /* only `value` */
    STOA_SHRED_BOOL,
    STOA_SHRED_FIXED, /* `value_bytes` of Arrow's behind the head */
    STOA_SHRED_DECIMAL,
    STOA_SHRED_BINARY,
    STOA_SHRED_STRING,
    STOA_SHRED_ARRAY,
    STOA_SHRED_OBJECT
} stoa_shred_kind;

typedef struct stoa_shred {
    stoa_shred_kind kind;
    int32_t metadata; /* among the group's children; -1: it is not the whole variant */
    int32_t value;    /* -1: none */
    int32_t typed;    /* -1: none */
    uint8_t head;
    uint8_t scale;
    int32_t value_bytes; /* in Parquet's variant */
    int32_t arrow_bytes;
    const char *name;         /* of an object's field */
    struct stoa_shred *parts; /* an array's element, an object's fields */
    int32_t part_count;
} stoa_shred;

/// Finds out how the group `node`, whose fields are those of `stored`, holds a variant.
///
/// Errors   STOA_UNSUPPORTED  it is not a variant as the format has it, or of a type that it does not
///                            have (named)
/// Owns     `*out` comes from `arena` and borrows names.
STOA_MUST_USE stoa_status stoa_shred_create(stoa_arena *arena, const stoa_type *stored,
                                            const stoa_read_node *node, stoa_shred **out,
                                            stoa_error *err);

/// Turns the array of the group, as it is stored, into the struct of metadata and value.
///
/// Errors   STOA_CORRUPT  both value and typed_value are there, shredded fields stand beside something
///                        that is no object, or bytes that are no variant
///          STOA_LIMIT    more than 2 GiB in one batch
/// Owns     `stored` is moved from, also on error.
STOA_MUST_USE stoa_status stoa_shred_assemble(stoa_pool *pool, const stoa_shred *shred,
                                              struct ArrowArray *stored, struct ArrowArray *out,
                                              stoa_error *err);

#endif
