/* Partitions: which rows stand in a file together. A spec is a list of fields, each a transform of one
 * column; rows with equal values of all fields belong together, and lie in one folder:
 *
 *     status, month(ts)   ─▶   status=new/ts_month=2024-01/
 *
 * A column that is partitioned by itself (identity) is not kept in the files, for the folder's name
 * has it and readers of such folders take it from there; columns under other transforms stay.
 *
 * Source   Apache Iceberg table specification, "Partition Transforms" and "Appendix B: 32-bit Hash
 *          Requirements"; Apache Hive and Spark for names of folders (hive_path.h) */
#ifndef STOA_SCHEMA_PARTITION_H
#define STOA_SCHEMA_PARTITION_H

#include "mem/arena.h"
#include "mem/buffer.h"
#include "schema/predicate.h"

typedef enum stoa_transform {
    STOA_TRANSFORM_IDENTITY,
    STOA_TRANSFORM_YEAR, /* this and the next three count from 1970, down before it */
    STOA_TRANSFORM_MONTH,
    STOA_TRANSFORM_DAY,
    STOA_TRANSFORM_HOUR,
    STOA_TRANSFORM_BUCKET,  /* `width` is the number of buckets */
    STOA_TRANSFORM_TRUNCATE /* `width`: steps of numbers, code points of strings */
} stoa_transform;

typedef struct stoa_partition_field {
    int32_t source_id; /* field id of a column */
    stoa_transform transform;
    int32_t width;    /* 0 where the transform has none */
    const char *name; /* in the folder's: the column's own, "ts_month", "id_bucket", "name_trunc" */
    stoa_type source; /* the column's type */
    stoa_type type;   /* of the values: int for years, months, hours and buckets; date for days */
} stoa_partition_field;

/// Immutable, counted by reference. At least one field; no two of the same name, and none of them
/// hides a column.
typedef struct stoa_partition_spec {
    _Atomic int32_t references;
    stoa_arena arena;
    stoa_partition_field *fields;
    int32_t field_count;
} stoa_partition_spec;

enum { STOA_PARTITION_FIELDS_MAX = 64, STOA_BUCKETS_MAX = 1 << 20 };

/// Parses "status, month(ts), bucket(16, id), truncate(4, name)" over the columns of `schema`.
///
/// Errors   STOA_INVALID      with `err->offset`; no such column, a transform that its type does not
///                            have, a name that comes twice or is another column's, no column left
///                            for the files
///          STOA_UNSUPPORTED  a type whose values have no name as a folder (binary, duration, …)
/// Owns     The caller closes `*out`.
STOA_MUST_USE stoa_status stoa_partition_spec_parse(stoa_pool *pool, const stoa_schema *schema,
                                                    const char *text, stoa_partition_spec **out,
                                                    stoa_error *err);
/// The text that stoa_partition_spec_parse reads.
STOA_MUST_USE stoa_status stoa_partition_spec_print(const stoa_partition_spec *spec,
                                                    const stoa_schema *schema, stoa_buffer *out,
                                                    stoa_error *err);
/// Adds the spec as a member "partition-spec" to the JSON object that `out` ends with: Iceberg's list of
/// fields.
STOA_MUST_USE stoa_status stoa_partition_spec_to_json(const stoa_partition_spec *spec,
                                                      stoa_buffer *out, stoa_error *err);
/// That member of a schema's JSON; `*out` NULL where there is none.
///
/// Errors   STOA_INVALID
STOA_MUST_USE stoa_status stoa_partition_spec_from_json(stoa_pool *pool, const stoa_schema *schema,
                                                        const char *json, size_t size,
                                                        stoa_partition_spec **out,
                                                        stoa_error *err);
/// "month", "bucket[16]": a transform in Iceberg's words.
void stoa_transform_print(const stoa_partition_field *field, char out[32]);
/// Adds one; NULL stays NULL.
stoa_partition_spec *stoa_partition_spec_retain(stoa_partition_spec *spec);
/// NULL is allowed.
void stoa_partition_spec_close(stoa_partition_spec *spec);
/// The same fields over the same column ids; two NULLs are equal.
bool stoa_partition_spec_equal(const stoa_partition_spec *left, const stoa_partition_spec *right);

/// The field that takes column `source_id` by itself, or -1: such a column is not in the files.
int32_t stoa_partition_identity(const stoa_partition_spec *spec, int32_t source_id);
/// The columns that files keep.
STOA_MUST_USE stoa_status stoa_partition_file_schema(stoa_pool *pool,
                                                     const stoa_partition_spec *spec,
                                                     const stoa_schema *schema,
                                                     const stoa_schema **out, stoa_error *err);

/// The field's value for a value of its column; null for null. Bytes are borrowed from `source`.
void stoa_partition_transform(const stoa_partition_field *field, const stoa_value *source,
                              stoa_value *out);

/// The same for many values, in place: `i` of values that are not null, of a column of type int, long,
/// date, or timestamp of either kind.
void stoa_partition_transform_numbers(const stoa_partition_field *field, int64_t *numbers,
                                      int64_t count);
/// How many of the bytes truncate(field->width) keeps: its first code points.
size_t stoa_partition_truncate_text(const stoa_partition_field *field, const uint8_t *bytes,
                                    size_t size);

/// Murmur3 (x86, 32 bits, seed 0) of a value's bytes as Iceberg has them; `value` is not null and of a
/// type that can be put into buckets.
int32_t stoa_bucket_hash(const stoa_value *value);

/// "status=new/ts_month=2024-01" for values[0..field_count).
///
/// Errors   STOA_LIMIT  a part of it is longer than the 255 bytes that file systems take
STOA_MUST_USE stoa_status stoa_partition_path_print(const stoa_partition_spec *spec,
                                                    const stoa_value *values, stoa_buffer *out,
                                                    stoa_error *err);

/// False only when it is proven by the values of a part that none of its rows makes the predicate
/// true. Bounds of columns are looked at by stoa_predicate_may_match; this adds what they cannot tell:
/// the buckets of values that are asked for.
bool stoa_partition_may_match(const stoa_partition_spec *spec, const stoa_value *values,
                              const stoa_predicate *predicate);

#endif
