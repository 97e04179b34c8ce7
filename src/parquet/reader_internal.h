/* An open file, within the reader: reader.c makes it, plans and lanes read by it. It does not change
 * once it is open. */
#ifndef STOA_PARQUET_READER_INTERNAL_H
#define STOA_PARQUET_READER_INTERNAL_H

#include "parquet/read_array.h"
#include "parquet/reader.h"

struct stoa_parquet_reader {
    stoa_context context;
    stoa_file *file;
    const uint8_t *map; /* of the file; NULL where it is read */
    uint64_t map_bytes;
    stoa_parquet_footer footer;
    stoa_arena arena;
    stoa_read_node root;
    const stoa_schema *schema;
    bool has_field_ids; /* the schema's ids are the file's */
    int64_t row_count;
    stoa_read_array_options arrays;
};

#endif
