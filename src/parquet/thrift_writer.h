/* Writing Thrift's compact protocol, in which Parquet keeps its footer and page headers.
 *
 * The writer keeps the first failure and does nothing after it, so that a structure is written as
 * one plain list of fields and checked once, by thrift_writer_status.
 *
 * Source   Apache Thrift, "Thrift Compact protocol encoding" */
#ifndef STOA_PARQUET_THRIFT_WRITER_H
#define STOA_PARQUET_THRIFT_WRITER_H

#include "mem/buffer.h"

typedef enum stoa_thrift_type {
    STOA_THRIFT_STOP = 0,
    STOA_THRIFT_TRUE = 1,
    STOA_THRIFT_FALSE = 2,
    STOA_THRIFT_I8 = 3,
    STOA_THRIFT_I16 = 4,
    STOA_THRIFT_I32 = 5,
    STOA_THRIFT_I64 = 6,
    STOA_THRIFT_DOUBLE = 7,
    STOA_THRIFT_BINARY = 8,
    STOA_THRIFT_LIST = 9,
    STOA_THRIFT_SET = 10,
    STOA_THRIFT_MAP = 11,
    STOA_THRIFT_STRUCT = 12,
    STOA_THRIFT_UUID = 13
} stoa_thrift_type;

enum { STOA_THRIFT_WRITE_DEPTH_MAX = 8 }; /* of the structures that we write */

typedef struct stoa_thrift_writer {
    stoa_buffer *out;
    stoa_error *err;
    stoa_status status;
    int depth;
    int16_t last_id[STOA_THRIFT_WRITE_DEPTH_MAX]; /* of each open struct */
} stoa_thrift_writer;

/// Begins a struct at the end of `out`, which is borrowed with `err`.
void stoa_thrift_writer_init(stoa_thrift_writer *writer, stoa_buffer *out, stoa_error *err);

/// Fields of the innermost open struct; ids may only grow.
void stoa_thrift_write_bool(stoa_thrift_writer *writer, int16_t id, bool value);
void stoa_thrift_write_i8(stoa_thrift_writer *writer, int16_t id, int8_t value);
void stoa_thrift_write_i16(stoa_thrift_writer *writer, int16_t id, int16_t value);
void stoa_thrift_write_i32(stoa_thrift_writer *writer, int16_t id, int32_t value);
void stoa_thrift_write_i64(stoa_thrift_writer *writer, int16_t id, int64_t value);
void stoa_thrift_write_binary(stoa_thrift_writer *writer, int16_t id, const void *bytes,
                              size_t size);
void stoa_thrift_write_text(stoa_thrift_writer *writer, int16_t id, const char *text);
/// A field that is a struct; its fields follow, then stoa_thrift_end_struct.
void stoa_thrift_begin_struct(stoa_thrift_writer *writer, int16_t id);
void stoa_thrift_end_struct(stoa_thrift_writer *writer);
/// A field that is a struct without fields, as unions of Parquet's like.
void stoa_thrift_write_empty(stoa_thrift_writer *writer, int16_t id);

/// A field that is a list; `count` items follow.
void stoa_thrift_begin_list(stoa_thrift_writer *writer, int16_t id, stoa_thrift_type type,
                            size_t count);
void stoa_thrift_item_i32(stoa_thrift_writer *writer, int32_t value);
void stoa_thrift_item_i64(stoa_thrift_writer *writer, int64_t value);
/// The list's type is STOA_THRIFT_FALSE, as most writers have it.
void stoa_thrift_item_bool(stoa_thrift_writer *writer, bool value);
void stoa_thrift_item_binary(stoa_thrift_writer *writer, const void *bytes, size_t size);
void stoa_thrift_item_text(stoa_thrift_writer *writer, const char *text);
/// One struct of a list; its fields follow, then stoa_thrift_end_struct.
void stoa_thrift_item_struct(stoa_thrift_writer *writer);
/// Items that were written elsewhere.
void stoa_thrift_items_raw(stoa_thrift_writer *writer, const void *bytes, size_t size);

/// Ends the outermost struct.
STOA_MUST_USE stoa_status stoa_thrift_writer_finish(stoa_thrift_writer *writer);

#endif
