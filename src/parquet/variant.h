/* Variant values: bytes that say what they are, with the names of objects' fields in a dictionary
 * beside them (the metadata). Everything here is given bytes that nobody vouches for.
 *
 * Source   Apache Parquet format 2.12, "VariantEncoding.md" */
#ifndef STOA_PARQUET_VARIANT_H
#define STOA_PARQUET_VARIANT_H

#include <stdbool.h>

#include <stoa/status.h>

#include "mem/buffer.h"

/* Numbers of the primitive types. */
typedef enum stoa_variant_primitive {
    STOA_VARIANT_NULL = 0,
    STOA_VARIANT_TRUE = 1,
    STOA_VARIANT_FALSE = 2,
    STOA_VARIANT_INT8 = 3,
    STOA_VARIANT_INT16 = 4,
    STOA_VARIANT_INT32 = 5,
    STOA_VARIANT_INT64 = 6,
    STOA_VARIANT_DOUBLE = 7,
    STOA_VARIANT_DECIMAL4 = 8,
    STOA_VARIANT_DECIMAL8 = 9,
    STOA_VARIANT_DECIMAL16 = 10,
    STOA_VARIANT_DATE = 11,
    STOA_VARIANT_TIMESTAMP_TZ = 12,
    STOA_VARIANT_TIMESTAMP = 13,
    STOA_VARIANT_FLOAT = 14,
    STOA_VARIANT_BINARY = 15,
    STOA_VARIANT_STRING = 16,
    STOA_VARIANT_TIME = 17,
    STOA_VARIANT_TIMESTAMP_TZ_NANOS = 18,
    STOA_VARIANT_TIMESTAMP_NANOS = 19,
    STOA_VARIANT_UUID = 20
} stoa_variant_primitive;

/// A dictionary of names. Borrows its bytes.
typedef struct stoa_variant_metadata {
    const uint8_t *offsets;
    const uint8_t *texts;
    size_t texts_size;
    uint32_t count;
    int offset_bytes;
    bool is_sorted; /* and no name is there twice */
} stoa_variant_metadata;

/// Errors   STOA_CORRUPT  another version, or lists that are longer than the bytes
STOA_MUST_USE stoa_status stoa_variant_metadata_parse(const uint8_t *bytes, size_t size,
                                                      stoa_variant_metadata *out, stoa_error *err);
/// The name of a field.
///
/// Errors   STOA_CORRUPT  there is no such id, or its place is not within the dictionary
STOA_MUST_USE stoa_status stoa_variant_metadata_name(const stoa_variant_metadata *metadata,
                                                     uint32_t id, const char **out_view,
                                                     size_t *out_size, stoa_error *err);
/// The id of a name.
///
/// Errors   STOA_CORRUPT  the dictionary has no such name, or is broken where it was looked at
STOA_MUST_USE stoa_status stoa_variant_metadata_find(const stoa_variant_metadata *metadata,
                                                     const char *name, size_t size,
                                                     uint32_t *out_id, stoa_error *err);

/// How many bytes the value takes that `bytes` begin with. What is within objects and arrays is not
/// looked at.
///
/// Errors   STOA_CORRUPT  a type that there is not, or more bytes than there are
STOA_MUST_USE stoa_status stoa_variant_value_size(const uint8_t *bytes, size_t size,
                                                  size_t *out_size, stoa_error *err);

/// An object's or an array's parts. Borrows its bytes.
typedef struct stoa_variant_container {
    const uint8_t *ids; /* NULL: an array */
    const uint8_t *offsets;
    const uint8_t *values;
    size_t values_size;
    uint32_t count;
    int id_bytes;
    int offset_bytes;
} stoa_variant_container;

bool stoa_variant_is_object(const uint8_t *bytes, size_t size);

/// Errors   STOA_CORRUPT  neither an object nor an array, or lists that are longer than the bytes
STOA_MUST_USE stoa_status stoa_variant_container_parse(const uint8_t *bytes, size_t size,
                                                       stoa_variant_container *out,
                                                       stoa_error *err);
uint32_t stoa_variant_container_id(const stoa_variant_container *container, uint32_t index);
/// Errors   STOA_CORRUPT  a value that is not within the container
STOA_MUST_USE stoa_status stoa_variant_container_value(const stoa_variant_container *container,
                                                       uint32_t index, const uint8_t **out_view,
                                                       size_t *out_size, stoa_error *err);

/// A part of an object or array that is being made.
typedef struct stoa_variant_part {
    const char *name; /* of objects; borrowed */
    size_t name_size;
    uint32_t id;
    uint32_t offset; /* behind the container's beginning */
} stoa_variant_part;

/// Makes an object (or an array) of the values that stand in `out` from `begin` on, in any order: its
/// head is put before them. Parts of an object are sorted by name here.
///
/// Errors   STOA_CORRUPT  a name is there twice
///          STOA_LIMIT    more than 4 GiB
///          STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_variant_wrap(stoa_buffer *out, size_t begin, bool is_object,
                                            stoa_variant_part *parts, uint32_t count,
                                            stoa_error *err);

/// Appends a string, in its short form where it has one.
STOA_MUST_USE stoa_status stoa_variant_append_string(stoa_buffer *out, const void *text,
                                                     size_t size, stoa_error *err);

/// The first byte of a primitive value.
static inline uint8_t stoa_variant_head(stoa_variant_primitive primitive) {
    return (uint8_t)(primitive << 2);
}

#endif
