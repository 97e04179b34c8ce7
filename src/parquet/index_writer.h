/* The page index of a file that is being written: what stands between the row groups and the footer.
 *
 * Source   Apache Parquet format 2.12, "PageIndex.md" */
#ifndef STOA_PARQUET_INDEX_WRITER_H
#define STOA_PARQUET_INDEX_WRITER_H

#include "parquet/thrift_writer.h"

/// What a chunk leaves for the indexes: marks of its pages (stoa_page_mark), its ColumnIndex struct
/// (empty: none), its bloom filter with header (empty: none).
typedef struct stoa_chunk_index {
    stoa_buffer marks;
    stoa_buffer column_index;
    stoa_buffer bloom;
} stoa_chunk_index;

void stoa_chunk_index_init(stoa_chunk_index *index, stoa_pool *pool);
void stoa_chunk_index_release(stoa_chunk_index *index);

/// Indexes of all chunks, serialized: about 15 bytes a page and its bounds.
typedef struct stoa_index_writer {
    stoa_buffer column_indexes; /* of all chunks, as they will stand in the file, */
    stoa_buffer offset_indexes; /* and behind them these */
    stoa_buffer chunks;         /* struct chunk_place */
} stoa_index_writer;

void stoa_index_writer_init(stoa_index_writer *writer, stoa_pool *pool);
void stoa_index_writer_release(stoa_index_writer *writer);

/// Adds the next chunk, which begins at `chunk_offset` of the file. The stop of its ColumnChunk struct
/// stands at `struct_end` of the RowGroup structs; the last field before it has id 3.
STOA_MUST_USE stoa_status stoa_index_writer_add(stoa_index_writer *writer,
                                                const stoa_chunk_index *index,
                                                uint64_t chunk_offset, size_t struct_end,
                                                stoa_error *err);

/// Appends `groups` (RowGroup structs) to `out` with the places of all indexes put in, which will
/// stand from `offset` of the file: column_indexes, then offset_indexes.
STOA_MUST_USE stoa_status stoa_index_writer_place(const stoa_index_writer *writer,
                                                  const stoa_buffer *groups, uint64_t offset,
                                                  stoa_buffer *out, stoa_error *err);

#endif
