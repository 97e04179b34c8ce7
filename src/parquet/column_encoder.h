/* One leaf of one row group becomes one column chunk. */
#ifndef STOA_PARQUET_COLUMN_ENCODER_H
#define STOA_PARQUET_COLUMN_ENCODER_H

#include <stoa/context.h>

#include "codec/compress.h"
#include "parquet/dictionary.h"
#include "parquet/encoding_choice.h"
#include "parquet/index_writer.h"
#include "parquet/levels.h"
#include "parquet/page_notes.h"
#include "parquet/statistics.h"
#include "parquet/writer.h"

/// What the footer says of a chunk. Offsets are relative to where the chunk begins.
typedef struct stoa_chunk {
    uint64_t dictionary_offset; /* of the dictionary page, when has_dictionary */
    uint64_t data_offset;       /* of the first data page */
    uint64_t uncompressed_bytes; /* headers included, as the format counts them */
    uint64_t compressed_bytes;
    stoa_parquet_compression compression;
    stoa_parquet_encoding encoding; /* of the data pages */
    bool has_dictionary;
    int32_t page_version;
    int32_t data_page_count;
    int64_t byte_array_bytes; /* of BYTE_ARRAY values, without their lengths */
    size_t bloom_bytes;       /* of the bloom filter with its header; 0: none */
    stoa_leaf_statistics statistics;
} stoa_chunk;

/// Working memory, used for one chunk after the other.
typedef struct stoa_column_encoder {
    stoa_cancel *cancel;
    const stoa_parquet_options *options; /* borrowed */
    stoa_codec *codec;
    stoa_leaf_values values;
    stoa_leaf_dictionary dictionary;
    stoa_encoding_chooser chooser;
    stoa_page_notes notes;
    stoa_buffer body;              /* of one page */
    stoa_buffer packed;            /* the same, compressed */
    stoa_buffer dictionary_body;   /* of the dictionary page */
    stoa_buffer dictionary_packed;
    stoa_buffer scratch;
} stoa_column_encoder;

STOA_MUST_USE stoa_status stoa_column_encoder_init(stoa_column_encoder *encoder,
                                                   const stoa_context *context,
                                                   const stoa_parquet_options *options,
                                                   stoa_error *err);
void stoa_column_encoder_release(stoa_column_encoder *encoder);

/// Writes the chunk into `out`, which is empty, and what belongs to it elsewhere in the file into
/// `out_index`, empty as well. What is written depends on the rows and the options alone.
STOA_MUST_USE stoa_status stoa_column_encode(stoa_column_encoder *encoder, const stoa_leaf *leaf,
                                             const stoa_rows *pieces, size_t piece_count,
                                             int64_t first_row, stoa_buffer *out,
                                             stoa_chunk *out_chunk, stoa_chunk_index *out_index,
                                             stoa_error *err);

/// Appends a ColumnChunk struct, an item of a list, for a chunk at `chunk_offset` of the file whose
/// bloom filter, if it has one, stands at `bloom_offset`. The last field is the third.
void stoa_chunk_write(stoa_thrift_writer *writer, const stoa_leaf *leaf, const stoa_chunk *chunk,
                      uint64_t chunk_offset, uint64_t bloom_offset);

stoa_compression stoa_parquet_codec_compression(stoa_parquet_codec codec);

#endif
