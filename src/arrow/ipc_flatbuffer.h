/* Reading FlatBuffers that come from outside.
 *
 * Every access is checked against the bytes, so there is no separate verifier to run first and
 * nothing to trust afterwards. The first thing that is wrong is remembered in the reader, which
 * then answers defaults, zero counts and absent tables; the caller looks at `wrong` when it has
 * read what it wanted, and before it believes a count.
 *
 *     buffer   u32 offset of the root table, then anything
 *     table    i32 distance back to its vtable, then fields of fixed size
 *     vtable   u16 own size, u16 size of the table, u16 offset in the table for each field (0: absent)
 *     vector   u32 count, then the elements; a string is a vector of bytes with a NUL behind it
 *
 * Offsets to tables, vectors and strings are u32 and count forward from where they stand.
 *
 * Source   FlatBuffers, "FlatBuffer Internals" */
#ifndef STOA_ARROW_IPC_FLATBUFFER_H
#define STOA_ARROW_IPC_FLATBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct stoa_flat_reader {
    const uint8_t *data;
    uint32_t size;
    const char *wrong; /* what the first fault was; NULL while there is none */
    uint32_t wrong_at; /* byte of `data` */
} stoa_flat_reader;

/* A table that is absent has no reader; all its fields are absent too. */
typedef struct stoa_flat_table {
    stoa_flat_reader *reader;
    uint32_t position;
    uint32_t vtable;
    uint16_t vtable_size;
    uint16_t size;
} stoa_flat_table;

typedef struct stoa_flat_vector {
    stoa_flat_reader *reader;
    uint32_t position; /* of the first element */
    uint32_t count;
    uint32_t element_size;
} stoa_flat_vector;

/// Units    `size` is at most INT32_MAX, as the format demands; more is a fault.
stoa_flat_reader stoa_flat_reader_of(const void *data, size_t size);
stoa_flat_table stoa_flat_root(stoa_flat_reader *reader);

static inline bool stoa_flat_present(stoa_flat_table table) {
    return table.reader != NULL;
}

/// A scalar field by its number in the schema, or the default that the schema gives it.
uint8_t stoa_flat_u8(stoa_flat_table table, uint32_t field, uint8_t otherwise);
int16_t stoa_flat_i16(stoa_flat_table table, uint32_t field, int16_t otherwise);
int32_t stoa_flat_i32(stoa_flat_table table, uint32_t field, int32_t otherwise);
int64_t stoa_flat_i64(stoa_flat_table table, uint32_t field, int64_t otherwise);
bool stoa_flat_bool(stoa_flat_table table, uint32_t field, bool otherwise);

stoa_flat_table stoa_flat_child(stoa_flat_table table, uint32_t field);
/// A vector of scalars or structs of `element_size` bytes; its bytes were checked to be there.
stoa_flat_vector stoa_flat_vector_of(stoa_flat_table table, uint32_t field, uint32_t element_size);
/// A vector of tables (whose elements are offsets).
stoa_flat_vector stoa_flat_tables_of(stoa_flat_table table, uint32_t field);
/// Borrows a string; NULL when it is absent. It may hold NULs and anything else.
const char *stoa_flat_string(stoa_flat_table table, uint32_t field, uint32_t *out_size);

/// The bytes of element `index`, which is below the count.
const uint8_t *stoa_flat_element(stoa_flat_vector vector, uint32_t index);
stoa_flat_table stoa_flat_element_table(stoa_flat_vector vector, uint32_t index);

#endif
