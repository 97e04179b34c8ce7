/* The numbers of Parquet's thrift definition that Stoa writes or names.
 *
 * Source   Apache Parquet format 2.11, "parquet.thrift" */
#ifndef STOA_PARQUET_FORMAT_H
#define STOA_PARQUET_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

typedef enum stoa_parquet_physical {
    STOA_PARQUET_BOOLEAN = 0,
    STOA_PARQUET_INT32 = 1,
    STOA_PARQUET_INT64 = 2,
    STOA_PARQUET_INT96 = 3,
    STOA_PARQUET_FLOAT = 4,
    STOA_PARQUET_DOUBLE = 5,
    STOA_PARQUET_BYTE_ARRAY = 6,
    STOA_PARQUET_FIXED = 7
} stoa_parquet_physical;

typedef enum stoa_parquet_repetition {
    STOA_PARQUET_REQUIRED = 0,
    STOA_PARQUET_OPTIONAL = 1,
    STOA_PARQUET_REPEATED = 2
} stoa_parquet_repetition;

typedef enum stoa_parquet_encoding {
    STOA_PARQUET_PLAIN = 0,
    STOA_PARQUET_PLAIN_DICTIONARY = 2,
    STOA_PARQUET_RLE = 3,
    STOA_PARQUET_BIT_PACKED = 4,
    STOA_PARQUET_DELTA_BINARY_PACKED = 5,
    STOA_PARQUET_DELTA_LENGTH_BYTE_ARRAY = 6,
    STOA_PARQUET_DELTA_BYTE_ARRAY = 7,
    STOA_PARQUET_RLE_DICTIONARY = 8,
    STOA_PARQUET_BYTE_STREAM_SPLIT = 9
} stoa_parquet_encoding;

/* CompressionCodec. stoa_parquet_codec of writer.h has numbers of its own. */
typedef enum stoa_parquet_compression {
    STOA_PARQUET_COMPRESSION_NONE = 0,
    STOA_PARQUET_COMPRESSION_SNAPPY = 1,
    STOA_PARQUET_COMPRESSION_GZIP = 2,
    STOA_PARQUET_COMPRESSION_LZO = 3,
    STOA_PARQUET_COMPRESSION_BROTLI = 4,
    STOA_PARQUET_COMPRESSION_LZ4 = 5, /* deprecated, framed as Hadoop does */
    STOA_PARQUET_COMPRESSION_ZSTD = 6,
    STOA_PARQUET_COMPRESSION_LZ4_RAW = 7
} stoa_parquet_compression;

typedef enum stoa_parquet_page_kind {
    STOA_PARQUET_DATA_PAGE = 0,
    STOA_PARQUET_INDEX_PAGE = 1,
    STOA_PARQUET_DICTIONARY_PAGE = 2,
    STOA_PARQUET_DATA_PAGE_V2 = 3
} stoa_parquet_page_kind;

/* ConvertedType, the older form of LogicalType. */
typedef enum stoa_parquet_converted {
    STOA_PARQUET_CONVERTED_UTF8 = 0,
    STOA_PARQUET_CONVERTED_MAP = 1,
    STOA_PARQUET_CONVERTED_MAP_KEY_VALUE = 2,
    STOA_PARQUET_CONVERTED_LIST = 3,
    STOA_PARQUET_CONVERTED_ENUM = 4,
    STOA_PARQUET_CONVERTED_DECIMAL = 5,
    STOA_PARQUET_CONVERTED_DATE = 6,
    STOA_PARQUET_CONVERTED_TIME_MILLIS = 7,
    STOA_PARQUET_CONVERTED_TIME_MICROS = 8,
    STOA_PARQUET_CONVERTED_TIMESTAMP_MILLIS = 9,
    STOA_PARQUET_CONVERTED_TIMESTAMP_MICROS = 10,
    STOA_PARQUET_CONVERTED_UINT_8 = 11,
    STOA_PARQUET_CONVERTED_UINT_16 = 12,
    STOA_PARQUET_CONVERTED_UINT_32 = 13,
    STOA_PARQUET_CONVERTED_UINT_64 = 14,
    STOA_PARQUET_CONVERTED_INT_8 = 15,
    STOA_PARQUET_CONVERTED_INT_16 = 16,
    STOA_PARQUET_CONVERTED_INT_32 = 17,
    STOA_PARQUET_CONVERTED_INT_64 = 18,
    STOA_PARQUET_CONVERTED_JSON = 19,
    STOA_PARQUET_CONVERTED_BSON = 20,
    STOA_PARQUET_CONVERTED_INTERVAL = 21
} stoa_parquet_converted;

/* Members of the union LogicalType. */
typedef enum stoa_parquet_logical {
    STOA_PARQUET_LOGICAL_NONE = 0,
    STOA_PARQUET_LOGICAL_STRING = 1,
    STOA_PARQUET_LOGICAL_MAP = 2,
    STOA_PARQUET_LOGICAL_LIST = 3,
    STOA_PARQUET_LOGICAL_ENUM = 4,
    STOA_PARQUET_LOGICAL_DECIMAL = 5,
    STOA_PARQUET_LOGICAL_DATE = 6,
    STOA_PARQUET_LOGICAL_TIME = 7,
    STOA_PARQUET_LOGICAL_TIMESTAMP = 8,
    STOA_PARQUET_LOGICAL_INTEGER = 10,
    STOA_PARQUET_LOGICAL_UNKNOWN = 11,
    STOA_PARQUET_LOGICAL_JSON = 12,
    STOA_PARQUET_LOGICAL_BSON = 13,
    STOA_PARQUET_LOGICAL_UUID = 14,
    STOA_PARQUET_LOGICAL_FLOAT16 = 15,
    STOA_PARQUET_LOGICAL_VARIANT = 16,
    STOA_PARQUET_LOGICAL_GEOMETRY = 17,
    STOA_PARQUET_LOGICAL_GEOGRAPHY = 18
} stoa_parquet_logical;

/* Members of the union ColumnOrder. Without one, bounds have no defined order. */
typedef enum stoa_parquet_order {
    STOA_PARQUET_ORDER_NONE = 0,
    STOA_PARQUET_ORDER_TYPE = 1,    /* as the type says; NaN in no bound */
    STOA_PARQUET_ORDER_IEEE_754 = 2 /* floats in total order: -NaN, -0.0 below 0.0, NaN */
} stoa_parquet_order;

/* BoundaryOrder of a column index. */
typedef enum stoa_parquet_boundary_order {
    STOA_PARQUET_UNORDERED = 0,
    STOA_PARQUET_ASCENDING = 1,
    STOA_PARQUET_DESCENDING = 2
} stoa_parquet_boundary_order;

enum { STOA_PARQUET_MAGIC_BYTES = 4, STOA_PARQUET_TAIL_BYTES = 8 };
#define STOA_PARQUET_MAGIC "PAR1"
#define STOA_PARQUET_MAGIC_ENCRYPTED "PARE"

/// Names as other tools print them; NULL for a number that is none.
const char *stoa_parquet_physical_name(int32_t physical);
const char *stoa_parquet_encoding_name(int32_t encoding);
const char *stoa_parquet_compression_name(int32_t compression);
const char *stoa_parquet_page_kind_name(int32_t kind);
const char *stoa_parquet_repetition_name(int32_t repetition);
const char *stoa_parquet_logical_name(int32_t logical);

/// The encoding of a name, in any case; 'dictionary' is RLE_DICTIONARY. False for a name that is none,
/// or one that nobody writes any more (PLAIN_DICTIONARY, BIT_PACKED).
bool stoa_parquet_encoding_find(const char *name, stoa_parquet_encoding *out);

#endif
