/* Reading Thrift's compact protocol from bytes that nobody vouches for.
 *
 * A reader keeps its first failure: after it every read gives zero and every loop over fields or
 * items ends, so that a structure is read as one plain switch and checked once.
 *
 *     for (int16_t id = 0; stoa_thrift_next_field(&reader, &id, &type);) {
 *         switch (id) {
 *         case 1: out->version = stoa_thrift_read_i32(&reader, type); break;
 *         default: stoa_thrift_skip(&reader, type); break;
 *         }
 *     }
 *
 * Source   Apache Thrift, "Thrift Compact protocol encoding" */
#ifndef STOA_PARQUET_THRIFT_READER_H
#define STOA_PARQUET_THRIFT_READER_H

#include <stdbool.h>

#include "base/bytes.h"
#include "parquet/thrift_writer.h"

typedef struct stoa_thrift_reader {
    stoa_byte_reader bytes;
    const char *problem; /* NULL: none; what was expected where `bytes.position` stands */
    bool ended;          /* the problem is that the bytes ended */
} stoa_thrift_reader;

stoa_thrift_reader stoa_thrift_reader_of(const void *bytes, size_t size);

/// Keeps `problem` (a constant) unless there is one already.
void stoa_thrift_fail(stoa_thrift_reader *reader, const char *problem);

/// The next field of a struct; `*id` is 0 before the first and kept between calls. False at the end
/// and after a failure.
bool stoa_thrift_next_field(stoa_thrift_reader *reader, int16_t *id, stoa_thrift_type *type);

/// The value of a field or item of `type`; a failure when that is not what the reader expects.
bool stoa_thrift_read_bool(stoa_thrift_reader *reader, stoa_thrift_type type);
int8_t stoa_thrift_read_i8(stoa_thrift_reader *reader, stoa_thrift_type type);
int32_t stoa_thrift_read_i32(stoa_thrift_reader *reader, stoa_thrift_type type);
int64_t stoa_thrift_read_i64(stoa_thrift_reader *reader, stoa_thrift_type type);
/// Borrowed from the input.
const uint8_t *stoa_thrift_read_binary(stoa_thrift_reader *reader, stoa_thrift_type type,
                                       size_t *out_size);
/// True when `type` is a struct, whose fields follow.
bool stoa_thrift_enter_struct(stoa_thrift_reader *reader, stoa_thrift_type type);
/// The head of a list of items of `item_type`, each at least `item_bytes_min` bytes long, so that
/// the count cannot promise more than the input holds. 0 after a failure.
size_t stoa_thrift_read_list(stoa_thrift_reader *reader, stoa_thrift_type type,
                             stoa_thrift_type item_type, size_t item_bytes_min);
/// The next item of a list of booleans, a byte each; the list is asked for as one of
/// STOA_THRIFT_TRUE.
bool stoa_thrift_read_item_bool(stoa_thrift_reader *reader);
void stoa_thrift_skip(stoa_thrift_reader *reader, stoa_thrift_type type);

#endif
