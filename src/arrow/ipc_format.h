/* The numbers of the IPC format: field positions and enumerations of its FlatBuffers schemas.
 *
 *     stream   message…, each: u32 0xFFFFFFFF, i32 size of the metadata, metadata (a Message)
 *              padded to 8, body of Message.bodyLength bytes; then u32 0xFFFFFFFF, i32 0.
 *              Before Arrow 0.15 the first word was missing.
 *     file     "ARROW1", 2 zeros, a stream, metadata (a Footer), i32 its size, "ARROW1"
 *
 * Source   Apache Arrow, format/Schema.fbs, Message.fbs and File.fbs of format version 1.5 */
#ifndef STOA_ARROW_IPC_FORMAT_H
#define STOA_ARROW_IPC_FORMAT_H

#include <stdint.h>

#define STOA_IPC_MAGIC "ARROW1"
#define STOA_IPC_CONTINUATION UINT32_C(0xFFFFFFFF)

enum {
    IPC_MAGIC_BYTES = 6,
    IPC_HEAD_BYTES = 8,     /* the magic and its padding */
    IPC_TRAILER_BYTES = 10, /* size of the footer, magic */
    IPC_PREFIX_BYTES = 8,
    IPC_ALIGNMENT = 8,
    IPC_VERSION_V4 = 3,
    IPC_VERSION_V5 = 4,

    /* Message */
    MESSAGE_VERSION = 0,
    MESSAGE_HEADER_TYPE = 1,
    MESSAGE_HEADER = 2,
    MESSAGE_BODY_LENGTH = 3,
    MESSAGE_METADATA = 4,
    MESSAGE_FIELDS = 5,

    HEADER_NONE = 0,
    HEADER_SCHEMA = 1,
    HEADER_DICTIONARY_BATCH = 2,
    HEADER_RECORD_BATCH = 3,
    HEADER_TENSOR = 4,
    HEADER_SPARSE_TENSOR = 5,

    /* RecordBatch */
    BATCH_LENGTH = 0,
    BATCH_NODES = 1,
    BATCH_BUFFERS = 2,
    BATCH_COMPRESSION = 3,
    BATCH_VARIADIC_COUNTS = 4,
    BATCH_FIELDS = 5,
    NODE_BYTES = 16,   /* i64 length, i64 null count */
    BUFFER_BYTES = 16, /* i64 offset in the body, i64 length */

    COMPRESSION_CODEC = 0,
    COMPRESSION_METHOD = 1,
    COMPRESSION_FIELDS = 2,
    CODEC_LZ4_FRAME = 0,
    CODEC_ZSTD = 1,
    METHOD_BUFFER = 0,

    /* DictionaryBatch */
    DICTIONARY_BATCH_ID = 0,
    DICTIONARY_BATCH_DATA = 1,
    DICTIONARY_BATCH_IS_DELTA = 2,
    DICTIONARY_BATCH_FIELDS = 3,

    /* Footer */
    FOOTER_VERSION = 0,
    FOOTER_SCHEMA = 1,
    FOOTER_DICTIONARIES = 2,
    FOOTER_BATCHES = 3,
    FOOTER_METADATA = 4,
    FOOTER_FIELDS = 5,
    BLOCK_BYTES = 24, /* i64 offset, i32 metadata bytes with prefix, 4 unused, i64 body bytes */

    /* Schema */
    SCHEMA_ENDIANNESS = 0,
    SCHEMA_FIELD_LIST = 1,
    SCHEMA_METADATA = 2,
    SCHEMA_FEATURES = 3,
    SCHEMA_FIELDS = 4,
    ENDIANNESS_LITTLE = 0,
    FEATURE_DICTIONARY_REPLACEMENT = 1,
    FEATURE_COMPRESSED_BODY = 2,

    /* Field */
    FIELD_NAME = 0,
    FIELD_NULLABLE = 1,
    FIELD_TYPE_TYPE = 2,
    FIELD_TYPE = 3,
    FIELD_DICTIONARY = 4,
    FIELD_CHILDREN = 5,
    FIELD_METADATA = 6,
    FIELD_FIELDS = 7,

    KEY_VALUE_KEY = 0,
    KEY_VALUE_VALUE = 1,
    KEY_VALUE_FIELDS = 2,

    ENCODING_ID = 0,
    ENCODING_INDEX_TYPE = 1,
    ENCODING_IS_ORDERED = 2,
    ENCODING_KIND = 3,
    ENCODING_FIELDS = 4,

    /* Type, and the fields of its members */
    TYPE_NONE = 0,
    TYPE_NULL = 1,
    TYPE_INT = 2,
    TYPE_FLOATING_POINT = 3,
    TYPE_BINARY = 4,
    TYPE_UTF8 = 5,
    TYPE_BOOL = 6,
    TYPE_DECIMAL = 7,
    TYPE_DATE = 8,
    TYPE_TIME = 9,
    TYPE_TIMESTAMP = 10,
    TYPE_INTERVAL = 11,
    TYPE_LIST = 12,
    TYPE_STRUCT = 13,
    TYPE_UNION = 14,
    TYPE_FIXED_SIZE_BINARY = 15,
    TYPE_FIXED_SIZE_LIST = 16,
    TYPE_MAP = 17,
    TYPE_DURATION = 18,
    TYPE_LARGE_BINARY = 19,
    TYPE_LARGE_UTF8 = 20,
    TYPE_LARGE_LIST = 21,
    TYPE_RUN_END_ENCODED = 22,
    TYPE_BINARY_VIEW = 23,
    TYPE_UTF8_VIEW = 24,
    TYPE_LIST_VIEW = 25,
    TYPE_LARGE_LIST_VIEW = 26,

    INT_BIT_WIDTH = 0,
    INT_IS_SIGNED = 1,
    FLOAT_PRECISION = 0, /* half, single, double */
    DECIMAL_PRECISION = 0,
    DECIMAL_SCALE = 1,
    DECIMAL_BIT_WIDTH = 2,
    DATE_UNIT = 0, /* day, millisecond */
    TIME_UNIT = 0, /* second, millisecond, microsecond, nanosecond */
    TIME_BIT_WIDTH = 1,
    TIMESTAMP_TIMEZONE = 1,
    INTERVAL_UNIT = 0, /* year-month, day-time, month-day-nano */
    UNION_MODE = 0,    /* sparse, dense */
    UNION_TYPE_IDS = 1,
    FIXED_WIDTH = 0, /* byte width, list size */
    MAP_KEYS_SORTED = 0,
    UNIT_MILLISECOND = 1
};

#endif
