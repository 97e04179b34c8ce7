/* Names for Parquet's numbers, for messages and descriptions. */
#include "parquet/format.h"

#include <stddef.h>
#include <strings.h>

#define NAME_OF(names, number)                                                                     \
    ((number) >= 0 && (size_t)(number) < sizeof(names) / sizeof *(names) ? (names)[number] : NULL)

const char *stoa_parquet_physical_name(int32_t physical) {
    static const char *const names[] = {"BOOLEAN", "INT32",  "INT64",      "INT96",
                                        "FLOAT",   "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"};
    return NAME_OF(names, physical);
}

const char *stoa_parquet_encoding_name(int32_t encoding) {
    static const char *const names[] = {"PLAIN",
                                        NULL,
                                        "PLAIN_DICTIONARY",
                                        "RLE",
                                        "BIT_PACKED",
                                        "DELTA_BINARY_PACKED",
                                        "DELTA_LENGTH_BYTE_ARRAY",
                                        "DELTA_BYTE_ARRAY",
                                        "RLE_DICTIONARY",
                                        "BYTE_STREAM_SPLIT"};
    return NAME_OF(names, encoding);
}

bool stoa_parquet_encoding_find(const char *name, stoa_parquet_encoding *out) {
    static const stoa_parquet_encoding written[] = {STOA_PARQUET_PLAIN,
                                                    STOA_PARQUET_RLE_DICTIONARY,
                                                    STOA_PARQUET_RLE,
                                                    STOA_PARQUET_DELTA_BINARY_PACKED,
                                                    STOA_PARQUET_DELTA_LENGTH_BYTE_ARRAY,
                                                    STOA_PARQUET_DELTA_BYTE_ARRAY,
                                                    STOA_PARQUET_BYTE_STREAM_SPLIT};
    if (strcasecmp(name, "dictionary") == 0) {
        *out = STOA_PARQUET_RLE_DICTIONARY;
        return true;
    }
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        if (strcasecmp(name, stoa_parquet_encoding_name((int32_t)written[i])) == 0) {
            *out = written[i];
            return true;
        }
    }
    return false;
}

const char *stoa_parquet_compression_name(int32_t compression) {
    static const char *const names[] = {"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO",
                                        "BROTLI",       "LZ4",    "ZSTD", "LZ4_RAW"};
    return NAME_OF(names, compression);
}

const char *stoa_parquet_page_kind_name(int32_t kind) {
    static const char *const names[] = {"DATA_PAGE", "INDEX_PAGE", "DICTIONARY_PAGE",
                                        "DATA_PAGE_V2"};
    return NAME_OF(names, kind);
}

const char *stoa_parquet_repetition_name(int32_t repetition) {
    static const char *const names[] = {"REQUIRED", "OPTIONAL", "REPEATED"};
    return NAME_OF(names, repetition);
}

const char *stoa_parquet_logical_name(int32_t logical) {
    static const char *const names[] = {NULL,       "STRING",   "MAP",       "LIST",      "ENUM",
                                        "DECIMAL",  "DATE",     "TIME",      "TIMESTAMP", NULL,
                                        "INTEGER",  "UNKNOWN",  "JSON",      "BSON",      "UUID",
                                        "FLOAT16",  "VARIANT",  "GEOMETRY",  "GEOGRAPHY"};
    return NAME_OF(names, logical);
}
