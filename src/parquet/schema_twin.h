/* A Stoa schema as Parquet sees it: a tree of schema elements, and one leaf a column chunk. */
#ifndef STOA_PARQUET_SCHEMA_TWIN_H
#define STOA_PARQUET_SCHEMA_TWIN_H

#include <stoa/schema.h>

#include "mem/arena.h"
#include "parquet/format.h"
#include "parquet/thrift_writer.h"

/* How the present values of a leaf lie in memory between shredding and encoding. */
typedef enum stoa_leaf_class {
    STOA_LEAF_NULL, /* no values at all */
    STOA_LEAF_BOOL, /* one byte each, 0 or 1 */
    STOA_LEAF_I8,
    STOA_LEAF_U8,
    STOA_LEAF_I16,
    STOA_LEAF_U16,
    STOA_LEAF_I32,
    STOA_LEAF_U32,
    STOA_LEAF_I64,
    STOA_LEAF_U64,
    STOA_LEAF_FLOAT,
    STOA_LEAF_DOUBLE,
    STOA_LEAF_BYTES,        /* views of any length */
    STOA_LEAF_FIXED,        /* views of type_length bytes, ordered as unsigned bytes */
    STOA_LEAF_FIXED_SIGNED, /* the same, big-endian two's complement */
    STOA_LEAF_FIXED_NO_ORDER
} stoa_leaf_class;

typedef enum stoa_leaf_step_kind {
    STOA_LEAF_STEP_STRUCT,
    STOA_LEAF_STEP_LIST,
    STOA_LEAF_STEP_MAP,
    STOA_LEAF_STEP_VALUE
} stoa_leaf_step_kind;

/* One field on the way from a column to its leaf. */
typedef struct stoa_leaf_step {
    stoa_leaf_step_kind kind;
    bool optional;
    int32_t child;      /* which child the way goes on to: of the struct, or 0 key and 1 value */
    uint8_t repetition; /* lists and maps: the level that says "one more item of this one" */
} stoa_leaf_step;

typedef struct stoa_leaf {
    const stoa_field *field; /* of the schema that the leaf was made from */
    int32_t column;          /* among the schema's columns */
    const stoa_leaf_step *steps;
    int32_t step_count;
    const char *const *path; /* names as Parquet has them, lists' and maps' groups included */
    int32_t path_count;
    const char *name; /* the path with dots between, for messages */
    uint8_t definition_max;
    uint8_t repetition_max;
    stoa_leaf_class value_class;
    stoa_parquet_physical physical;
    int32_t type_length; /* of FIXED; otherwise 0 */
    int32_t value_width; /* bytes of a value in memory; 0 for views and nulls */
    int64_t multiplier;  /* 1000 for timestamps in seconds, which are written as milliseconds */
} stoa_leaf;

/// Lists the leaves in depth-first order, the order of column chunks.
///
/// Errors   STOA_UNSUPPORTED  a struct without fields, or nesting beyond 255 levels (named)
/// Owns     Everything comes from `arena` and borrows `schema`.
STOA_MUST_USE stoa_status stoa_leaves_create(stoa_arena *arena, const stoa_schema *schema,
                                             const stoa_leaf **out, int32_t *out_count,
                                             stoa_error *err);

/// Writes field 2 of FileMetaData, the list of schema elements. Fields that stand for variants and
/// geometries are such in Parquet too where it `keeps_extensions`, else what they are stored as.
void stoa_schema_twin_write(stoa_thrift_writer *writer, const stoa_schema *schema,
                            bool keeps_extensions);

static inline bool stoa_leaf_has_views(const stoa_leaf *leaf) {
    return leaf->value_class >= STOA_LEAF_BYTES;
}
static inline bool stoa_leaf_is_flat(const stoa_leaf *leaf) {
    return leaf->step_count == 1;
}

#endif
