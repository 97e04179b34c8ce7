/* The schema elements of anybody's file as a Stoa schema, and as a tree that says how levels become
 * Arrow arrays.
 *
 * Source   Apache Parquet format 2.11, "LogicalTypes.md", with its rules for older lists and maps */
#ifndef STOA_PARQUET_READ_SCHEMA_H
#define STOA_PARQUET_READ_SCHEMA_H

#include <stoa/schema.h>

#include "parquet/footer.h"

#define STOA_VARIANT_EXTENSION "arrow.parquet.variant"

/* What is done to the stored values of a leaf to make Arrow's of them. */
typedef enum stoa_read_class {
    STOA_READ_NULL, /* only nulls */
    STOA_READ_BOOL,
    STOA_READ_COPY, /* as they are: 4, 8, or a fixed number of bytes */
    STOA_READ_NARROW_1,
    STOA_READ_NARROW_2,
    STOA_READ_DECIMAL_I32,
    STOA_READ_DECIMAL_I64,
    STOA_READ_DECIMAL_FIXED, /* big-endian two's complement */
    STOA_READ_DECIMAL_BYTES, /* the same in as many bytes as each value needs */
    STOA_READ_INT96,
    STOA_READ_FLOAT16,
    STOA_READ_INTERVAL,
    STOA_READ_BYTES /* strings and binaries */
} stoa_read_class;

/* A field. An entry is one pair of levels; it has a slot in the field's array when its repetition is
 * at most `slot_repetition` and its definition at least `slot_definition`. The slot is not null when
 * the definition is at least `present_definition`. Lists and maps get an item from every entry whose
 * repetition is at most slot_repetition + 1 and whose definition is at least `item_definition`. */
typedef struct stoa_read_node {
    stoa_type_kind kind;
    int32_t field_id;
    bool nullable;
    uint8_t slot_repetition;
    uint8_t slot_definition;
    uint8_t present_definition;
    uint8_t item_definition;
    int32_t leaf; /* of the footer; of a nested field the first below */
    stoa_read_class value_class;
    int32_t value_bytes; /* as stored in PLAIN; 0: BOOLEAN and BYTE_ARRAY */
    int32_t child_count; /* a list's item; a map's key and value; of a variant what is stored */
    struct stoa_read_node *children;
    const struct stoa_shred *shred; /* of a variant: how it is put together; NULL: it is none */
    const char *refusal; /* why the field cannot be read; NULL: it can */
} stoa_read_node;

/// The type of the values of a leaf, and how they become Arrow's. One with an annotation that is not known
/// is what its values are stored as.
///
/// Errors   STOA_UNSUPPORTED  decimals of more than 38 digits, a fixed length of 0
STOA_MUST_USE stoa_status stoa_read_schema_value(const stoa_parquet_element *element,
                                                 stoa_type_unit int96_unit, stoa_type *type,
                                                 stoa_read_node *node, stoa_error *err);

/// The schema and the tree of all columns (`out->children`). Fields without a name, and those with one
/// that a field before them has, are given others. Every field has an id: those of the file
/// where all fields have one and none twice
/// (`*out_has_ids`), else ids given anew in depth-first order of columns.
///
/// A field of a type that Stoa's schemas do not have stands there as one of nulls, a leaf with a
/// `refusal`, which whoever reads it must answer with.
///
/// Errors   STOA_UNSUPPORTED  names that Stoa's schemas do not have
///          STOA_LIMIT        nesting beyond 64 levels
/// Owns     The tree comes from `arena`; the caller closes `*out_schema`.
STOA_MUST_USE stoa_status stoa_read_schema_create(const stoa_context *context, stoa_arena *arena,
                                                  const stoa_parquet_footer *footer,
                                                  stoa_type_unit int96_unit, stoa_read_node *out,
                                                  const stoa_schema **out_schema,
                                                  bool *out_has_ids, stoa_error *err);

/// The field of that id in a tree, if it lies outside lists and maps; NULL otherwise.
const stoa_read_node *stoa_read_schema_find(const stoa_read_node *root, int32_t field_id);

/// Gives fields of structs without a name "column_N", N their place from 1, and such with the name of a
/// sister before them that name with "_2" and so on behind it.
STOA_MUST_USE stoa_status stoa_read_schema_settle_names(stoa_arena *arena, stoa_type *type,
                                                        stoa_error *err);

/// The schema and the tree with no more than the fields that `ids` name and those that they lie in; a
/// field brings all that is below it, and a map's value its key.
///
/// Errors   STOA_INVALID  the schema has no such field
STOA_MUST_USE stoa_status stoa_read_schema_project(stoa_pool *pool, stoa_arena *arena,
                                                   const stoa_schema *schema,
                                                   const stoa_read_node *root, const int32_t *ids,
                                                   int32_t id_count, stoa_read_node *out,
                                                   const stoa_schema **out_schema, stoa_error *err);

#endif
