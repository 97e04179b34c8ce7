/* Schemas: Iceberg's types and field ids, with what Arrow, Spark and DuckDB need beyond them.
 *
 * A schema is immutable and counted by reference. A field's id is given once and never used again:
 * files, statistics, predicates and catalogs refer to ids; names are for people.
 *
 * Source   Apache Iceberg table specification, "Schemas and Data Types" */
#ifndef STOA_SCHEMA_H
#define STOA_SCHEMA_H

#include <stdbool.h>

#include <stoa/arrow.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum stoa_type_kind {
    STOA_TYPE_UNKNOWN = 0, /* only nulls */
    STOA_TYPE_BOOLEAN,
    STOA_TYPE_INT8,
    STOA_TYPE_INT16,
    STOA_TYPE_INT,  /* 32 bits, as Iceberg calls it */
    STOA_TYPE_LONG, /* 64 bits */
    STOA_TYPE_UINT8,
    STOA_TYPE_UINT16,
    STOA_TYPE_UINT32,
    STOA_TYPE_UINT64,
    STOA_TYPE_FLOAT,
    STOA_TYPE_DOUBLE,
    STOA_TYPE_DECIMAL, /* precision 1 to 38, scale 0 to precision */
    STOA_TYPE_DATE,
    STOA_TYPE_TIME,         /* unit ms, us or ns; no zone */
    STOA_TYPE_TIMESTAMP,    /* unit s, ms, us or ns; wall clock, no zone */
    STOA_TYPE_TIMESTAMP_TZ, /* the same; an instant, kept in UTC */
    STOA_TYPE_DURATION,     /* unit s, ms, us or ns */
    STOA_TYPE_INTERVAL,     /* months, days, nanoseconds */
    STOA_TYPE_STRING,
    STOA_TYPE_BINARY,
    STOA_TYPE_FIXED, /* `length` bytes */
    STOA_TYPE_UUID,
    STOA_TYPE_LIST,
    STOA_TYPE_MAP,
    STOA_TYPE_STRUCT
} stoa_type_kind;

typedef enum stoa_type_unit {
    STOA_TYPE_SECONDS = 0,
    STOA_TYPE_MILLISECONDS = 1,
    STOA_TYPE_MICROSECONDS = 2,
    STOA_TYPE_NANOSECONDS = 3
} stoa_type_unit;

typedef struct stoa_field stoa_field;

/// The logical type of a field. How values lie in memory (dictionary, large offsets, views) is
/// Arrow's business and no part of it.
///
/// Shape    A list has one child ("element"), a map two ("key", "value"), a struct its fields.
typedef struct stoa_type {
    stoa_type_kind kind;
    stoa_type_unit unit;
    int32_t precision;
    int32_t scale;
    int32_t length;
    int32_t child_count;
    const stoa_field *children;
} stoa_type;

struct stoa_field {
    int32_t id; /* 1 and up; unique in the schema, nested ones included */
    bool required;
    const char *name;
    const char *doc; /* NULL: none */
    stoa_type type;
    /// What the type stands for, by the name that Arrow's extension types have, with the metadata that
    /// such have: "arrow.parquet.variant" on struct<metadata: binary, value: binary>, "geoarrow.wkb" on
    /// binary. NULL: nothing else. Kept and passed on; two types are equal without it.
    const char *extension;
    const char *extension_metadata;
};

/// Shape    `root` is a struct whose children are the columns.
typedef struct stoa_schema {
    int32_t schema_id;
    int32_t field_id_max; /* the highest id ever given; never shrinks from one version to the next */
    stoa_type root;
} stoa_schema;

/// Parses "id long not null, tags list<string>, place struct<lat: double, lon: double> 'where'".
/// A column is: name type ["not null"] ['doc']. Names that are no plain identifiers stand in double
/// quotes. Ids are given in order of appearance, columns first, as Iceberg assigns them.
///
/// Errors   STOA_INVALID  with `err->offset` the byte in `text`
/// Owns     The caller closes `*out`.
STOA_API STOA_MUST_USE stoa_status stoa_schema_parse(stoa_pool *pool, const char *text,
                                                     const stoa_schema **out, stoa_error *err);

/// The twin of an Arrow struct schema (format "+s"). Field ids are taken from the metadata key
/// "PARQUET:field_id" when all fields have one, else given anew.
///
/// Errors   STOA_INVALID      names repeat or are empty
///          STOA_UNSUPPORTED  a type without a twin (unions, decimals over 38 digits)
STOA_API STOA_MUST_USE stoa_status stoa_schema_from_arrow(stoa_pool *pool,
                                                          const struct ArrowSchema *arrow,
                                                          const stoa_schema **out, stoa_error *err);

/// The canonical Arrow twin: plain layouts, ids in "PARQUET:field_id", uuid as arrow.uuid, extensions
/// as they are.
STOA_API STOA_MUST_USE stoa_status stoa_schema_to_arrow(stoa_pool *pool, const stoa_schema *schema,
                                                        struct ArrowSchema *out, stoa_error *err);

/// Iceberg's JSON ("type": "struct", "schema-id", "fields"), kept in full; kinds that Iceberg lacks
/// use the names of the text form.
STOA_API STOA_MUST_USE stoa_status stoa_schema_from_json(stoa_pool *pool, const char *json,
                                                         size_t size, const stoa_schema **out,
                                                         stoa_error *err);

/// One more owner; one less. NULL is allowed.
STOA_API const stoa_schema *stoa_schema_retain(const stoa_schema *schema);
STOA_API void stoa_schema_close(const stoa_schema *schema);

/// A column by name: exactly, else without regard to case when that is unambiguous. NULL: none.
STOA_API const stoa_field *stoa_schema_column(const stoa_schema *schema, const char *name);
/// Its position among the columns, or -1.
STOA_API int32_t stoa_schema_column_index(const stoa_schema *schema, const char *name);
/// A field at any depth by id, or NULL.
STOA_API const stoa_field *stoa_schema_field(const stoa_schema *schema, int32_t id);

/// Writes a type ("decimal(10, 2)", "list<string>") or a whole schema in its text form into `out`
/// (`capacity` bytes, always NUL-terminated) and returns the length that it has or would have.
STOA_API size_t stoa_type_print(const stoa_type *type, char *out, size_t capacity);
STOA_API size_t stoa_schema_print(const stoa_schema *schema, char *out, size_t capacity);

/// True when types (and, within, names and requiredness) are the same; ids are compared on request.
STOA_API bool stoa_type_equal(const stoa_type *left, const stoa_type *right, bool with_ids);

#ifdef __cplusplus
}
#endif
#endif
